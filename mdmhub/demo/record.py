"""What the generator hands out: one record of one system, and the story it belongs to."""

from dataclasses import dataclass
from typing import Any

SYSTEMS: tuple[str, ...] = ("crm", "erp", "billing", "support")


@dataclass(frozen=True, slots=True)
class Record:
    """One record as a system would send it.

    ``item`` holds flat canonical names. A name that is absent is not known to the system; an empty string or None
    means that the system says the field is empty. ``entity_id`` is the truth: records with the same one are the same
    customer.
    """

    system: str
    item: dict[str, Any]
    entity_id: str
    story: str | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """A told case. ``records`` are (system, record_id); ``customers`` is the number of customers in truth."""

    key: str
    title: str
    text: str
    records: tuple[tuple[str, str], ...]
    customers: int
