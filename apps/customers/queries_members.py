"""The source records of a customer as readers see them, and what stewards have said of their values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from json import loads as json_loads
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django.db import connection

from apps.customers.golden import member_of
from apps.customers.survivorship_members import Member


@dataclass(frozen=True, slots=True)
class Source:
    """A source record of a customer as readers see it; `url` opens it in its system, if the system says how. `ignored`: by attribute,
    those of its present values that a steward lets count as never sent; `erased`: its values were erased by law."""

    record: UUID
    system: str
    system_name: str
    external_id: str
    updated_at: datetime
    received_at: datetime
    deleted: bool
    version: int
    canonical: Mapping[str, Any]
    url: str
    ignored: Mapping[str, "Pin"] = field(default_factory=dict)
    erased: bool = False


@dataclass(frozen=True, slots=True)
class Pin:
    """A steward's value for one attribute, or a source's value that is ignored, with who said so, why, and until when."""

    attribute: str
    value: Any
    reason: str
    actor: str
    since: datetime
    expires_at: datetime | None


@dataclass(slots=True)
class Members:
    """`sources` in the order of their systems and ids there; `pins`: by attribute, those that count."""

    sources: list[Source] = field(default_factory=list)
    pins: dict[str, Pin] = field(default_factory=dict)

    def by_id(self) -> dict[str, Source]:
        return {str(s.record): s for s in self.sources}


_NOW = (
    "SELECT s.id, y.code, y.name, y.kind, y.record_url, s.external_id, coalesce(s.source_updated_at, s.changed_at),"
    " s.received_at, s.deleted, s.version, s.raw_salt IS NULL, s.canonical::text, y.trust, y.delete_policy, s.follows_id"
    " FROM source_record s JOIN system y ON y.id = s.system_id WHERE s.customer_id = %s ORDER BY y.code, s.external_id"
)


def members_of(customer: UUID) -> Members:
    """The members of a customer as they are now: one query."""
    with connection.cursor() as cursor:
        cursor.execute(_NOW, (customer,))
        return put_together([row[:-3] for row in cursor.fetchall()])


def members_and_facts(customer: UUID) -> tuple[Members, list[Member]]:
    """The same, and all of them, stewards' anchors too, as survivorship sees them: one query."""
    with connection.cursor() as cursor:
        cursor.execute(_NOW, (customer,))
        rows = cursor.fetchall()
    return put_together([row[:-3] for row in rows]), [
        member_of(
            (id_, customer, code, kind, trust, deletes, external_id, canonical, updated.isoformat(), deleted, follows, received.isoformat())
        )
        for id_, code, _, kind, _, external_id, updated, received, deleted, _, _, canonical, trust, deletes, follows in rows
    ]  # fmt: skip


def put_together(rows: Sequence[tuple[Any, ...]]) -> Members:
    """Members out of rows as `_NOW` reads them, stewards' anchors among them; canonical None: erased by law."""
    found = Members()
    read = [(*row[:-1], json_loads(row[-1]) if row[-1] is not None else {}) for row in rows]
    anchors = {row[5]: row[-1] for row in read if row[3] == "steward"}
    for body in anchors.values():
        for pin in _said(body.get("pins", {})).values():
            if pin.attribute not in found.pins or found.pins[pin.attribute].since <= pin.since:
                found.pins[pin.attribute] = pin
    for id_, code, name, kind, url, external_id, updated, received, deleted, version, erased, canonical in read:
        if kind != "steward":
            link = url.replace("{id}", quote(external_id, safe="")) if url else ""
            ignored = _said(anchors.get(str(id_), {}).get("ignored", {}))
            ignored = {a: i for a, i in ignored.items() if canonical.get(a) == i.value}
            found.sources.append(
                Source(
                    id_, code, name, external_id, updated, received, deleted, version, canonical, link, ignored, erased
                )
            )
    return found


def _said(said: Mapping[str, Mapping[str, Any]]) -> dict[str, Pin]:
    return {
        a: Pin(a, s["value"], s["reason"], s["actor"], _moment(s["at"]), _moment(s["expires_at"]) if "expires_at" in s else None)
        for a, s in said.items()
    }  # fmt: skip


_moment = datetime.fromisoformat
