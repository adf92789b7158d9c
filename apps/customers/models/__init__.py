"""The tables of the customers room; docs/reference/schema.md tells what each guards."""

from apps.customers.models.decision import ChangeRequest, Erasure, Hold, Judgement, MergeRequest, Quarantine, Relation
from apps.customers.models.golden import Customer, CustomerDue, CustomerSearch, LookupKey, Redirect
from apps.customers.models.quality import QualityScore
from apps.customers.models.rebuild import RebuildRun
from apps.customers.models.renamed import RenamedKey
from apps.customers.models.source import Link, Membership, SourceRecord, SourceRecordVersion, System
from apps.customers.models.stale import StaleAttribute

__all__ = [
    "ChangeRequest",
    "Customer",
    "CustomerDue",
    "CustomerSearch",
    "Erasure",
    "Hold",
    "Judgement",
    "Link",
    "LookupKey",
    "Membership",
    "MergeRequest",
    "QualityScore",
    "Quarantine",
    "RebuildRun",
    "Redirect",
    "Relation",
    "RenamedKey",
    "SourceRecord",
    "SourceRecordVersion",
    "StaleAttribute",
    "System",
]
