"""Match without storing, merge, unmerge, and how a customer came together."""

from contextlib import nullcontext
from typing import Any, ClassVar
from uuid import UUID

from django.db import transaction
from rest_framework.response import Response

from apps.common.api.endpoints import Endpoint
from apps.common.api.problems import Fault, Problem, bad_field
from apps.common.api.views import HubView
from apps.customers import canonical
from apps.customers import queries as customers
from apps.customers.models import SourceRecord
from apps.customers.queries_ids import different, standing
from apps.matching import judge
from apps.matching.api import serializers as shapes
from apps.matching.branches import branch
from apps.matching.cascading import Child
from apps.matching.match import Matched
from apps.matching.queries import Candidate, find_matches
from apps.matching.queries_joins import Joined, Record, Refused, joins_of


class MatchView(HubView):
    endpoints: ClassVar = {
        "POST": Endpoint(
            "match_customer",
            "customers.match",
            {200: shapes.CandidatesOut},
            query=shapes.MatchQuery,
            body=shapes.FlatRecord,
            tag="matching",
        )
    }
    keeps_odd_text = True

    def post(self, request: Any) -> Response:
        """Which customers a record may be, best first, with the reasons field by field. Nothing is stored: use it
        before you create a customer."""
        parsed = canonical.parse(_record(request.data))
        problems = (*parsed.problems, *canonical.unknown_field_problems(parsed))
        if problems:
            faults = [Fault(p.code, p.detail, pointer=p.pointer) for p in problems]
            raise Problem("bad-request", "The record is not right.", faults)
        found = find_matches(parsed.canonical, limit=self.params["limit"], explain=self.params["explain"])
        return Response({"items": [_candidate(c) for c in found]})


def _record(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict) or not data:
        raise bad_field("", "wrong_type", "Send one record as a JSON object with canonical names.")
    return {**data, "record_id": data.get("record_id") or "asked"}


def _candidate(found: Candidate) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "customer_id": found.customer, "name": found.name, "kind": found.kind, "system": found.system,
        "external_id": found.external_id, "weight": found.weight, "probability": found.probability,
        "grade": found.grade,
        "why_not": found.why_not,
    }  # fmt: skip
    if found.explanation is not None:
        shown["explanation"] = [vars(line) for line in found.explanation.lines]
    return shown


class MergeView(HubView):
    endpoints: ClassVar = {
        "POST": Endpoint(
            "merge_customers", "merges.write", {200: shapes.PlacedOut}, body=shapes.MergeIn, tag="matching"
        )
    }

    def post(self, request: Any) -> Response:
        """These customers are one. The oldest id survives; the others resolve to it for ever. It can be undone. A retired id
        stands for its successor. Refused where a rule of the merging policy stands between any two of them: link them, or ask a second person."""
        asked = self.body()
        matched = judge.merge(customers=different(asked["customers"]), act=self.act(asked["reason"]))
        return Response(placed(matched))


class UnmergeView(HubView):
    endpoints: ClassVar = {
        "POST": Endpoint(
            "unmerge_customer", "merges.write", {200: shapes.UnmergedOut}, body=shapes.UnmergeIn, tag="matching"
        )
    }

    def post(self, request: Any, customer_id: UUID) -> Response:
        """These records, or the branch that one join brought in, are somebody else: they leave the customer and are kept
        apart from the rest for good. A customer that was merged away gets its old id back. `children`: other customers that hang on
        both sides by relations, and what becomes of them. With `dry_run` it is told and nothing is done."""
        asked = self.body()
        customer = standing([customer_id])[customer_id]
        records = _leaving(customer, asked)
        with transaction.atomic() if asked["dry_run"] else nullcontext():
            children = judge.children_of(customer=customer, records=records)
            matched = judge.unmerge(
                customer=customer, records=records, version=asked.get("version"), act=self.act(asked["reason"])
            )
            told = placed(matched)
            if asked["dry_run"]:
                transaction.set_rollback(True)
        return Response({**told, "dry_run": asked["dry_run"], "children": [child_body(child) for child in children]})


def child_body(child: Child) -> dict[str, Any]:
    return {
        "customer_id": child.customer, "name": child.name, "relations": child.kinds, "leaving": child.out, "staying": child.stays,
        "fate": child.fate, "sentence": child.sentence,
    }  # fmt: skip


def _leaving(customer: UUID, asked: dict[str, Any]) -> list[UUID]:
    """The records that are named, or those on the named side of a join."""
    if ("records" in asked) == ("join" in asked):
        raise bad_field("/records", "one_of", "Send either records or a join.")
    if "records" in asked:
        return _records(asked["records"])
    out, of = (_records([asked["join"][side]], f"/join/{side}")[0] for side in ("out", "of"))
    return branch(customer=customer, out=out, of=of)


def _records(refs: list[dict[str, str]], pointer: str = "") -> list[UUID]:
    """Source records by (system, external id); raises a problem that points at every unknown one: `pointer`, or its place in `records`."""
    ids = [r["external_id"] for r in refs]
    rows = SourceRecord.objects.filter(external_id__in=ids, system__code__in={r["system"] for r in refs})
    known = {(code, id_): record for code, id_, record in rows.values_list("system__code", "external_id", "id")}
    missing = [at for at, r in enumerate(refs) if (r["system"], r["external_id"]) not in known]
    if missing:
        faults = [
            Fault("unknown_record", "The hub has no such record.", pointer=pointer or f"/records/{at}")
            for at in missing
        ]
        raise Problem("bad-request", "Some of these records are not known.", faults)
    return [known[r["system"], r["external_id"]] for r in refs]


def placed(matched: Matched) -> dict[str, Any]:
    if matched.failed:
        raise Problem("conflict", "The records are being changed by others; read them again.")
    rows = SourceRecord.objects.filter(id__in=matched.customer_of).values_list("id", "system__code", "external_id")
    return {
        "records": [
            {"system": code, "external_id": external_id, "customer_id": matched.customer_of[id_]}
            for id_, code, external_id in rows.order_by("system__code", "external_id")
        ],
        "customers": sorted(set(matched.customer_of.values())),
    }


class JoinsView(HubView):
    endpoints: ClassVar = {
        "GET": Endpoint("read_customer_joins", "customers.read", {200: shapes.JoinsOut}, tag="customers")
    }

    def get(self, request: Any, customer_id: UUID) -> Response:
        """How a customer came together: which of its records joined which, on what evidence or whose word, and what was
        refused. An id that was retired answers with the customer that replaced it."""
        found = customers.resolve(customer_id)
        why = joins_of([found.customer.id])[found.customer.id]
        by_id = {record.id: record for record in why.records}
        return Response(
            {
                "id": found.customer.id,
                "asked_id": found.asked,
                "records": [_named(record) for record in why.records],
                "joins": [_join(join) for join in why.joins],
                "groups": why.groups,
                "refused": [_refusal(refused) for refused in why.refused],
                "followers": [
                    {**_named(record), "follows": _named(by_id[of])} for record, of in why.followers if of in by_id
                ],
            }
        )


def _named(record: Record) -> dict[str, Any]:
    return {"system": record.system, "external_id": record.external_id}


def _join(join: Joined) -> dict[str, Any]:
    said = join.why == "person"
    return {
        "record_a": _named(join.a), "record_b": _named(join.b), "why": join.why, "weight": join.weight,
        "probability": join.probability, "findings": join.told, "against": join.against,
        "actor": join.actor if said else None, "reason": join.reason if said else None,
        "group_a": join.one, "group_b": join.other,
    }  # fmt: skip


def _refusal(refused: Refused) -> dict[str, Any]:
    said = bool(refused.actor)
    return {
        "record": _named(refused.own), "other": {**_named(refused.other), "customer_id": refused.other.customer},
        "inside": refused.inside, "why": refused.why, "sentence": refused.sentence, "weight": refused.weight,
        "actor": refused.actor if said else None, "reason": refused.reason if said else None,
    }  # fmt: skip
