"""Re-key: a system has given its record another id. It stays the same source record, of the same customer, with its Link and history."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from apps.common.act import Act
from apps.common.errors import Conflict, FieldError, Rejected
from apps.common.ids import uuid7
from apps.common.jsontext import json_text
from apps.common.pointers import shown
from apps.customers import canonical, identity
from apps.customers.golden import Change, read_members, rebuild
from apps.customers.models import Link, SourceRecord, System
from apps.customers.refresh import locked_members

MOST = 250
"""Keys of one call: a write transaction holds no more records."""


class Rename(NamedTuple):
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """One record under its new key. `customer`: None as long as it has not been matched for the first time."""

    record: UUID
    before: str
    after: str
    customer: UUID | None


class _Found(NamedTuple):
    id: UUID
    customer: UUID | None


@transaction.atomic
def rekey(*, system_id: int, renames: Sequence[Rename], act: Act) -> list[Rekeyed]:
    """Gives records of one system their new keys, all of them or none, in the order asked. Each customer keeps its id and gets one version
    (`customer.rekeyed`), by which readers of the change feed mend their own cross-reference.

    Raises Rejected (no reason, none or more than MOST, a key that is unknown, taken, named twice or no key at all: with a pointer to each)
    and Conflict (somebody took the key, or moved the records, meanwhile)."""
    renames, wrong = _checked(renames, act)
    found, taken = _found(system_id, renames)
    for at, (before, after) in enumerate(renames):
        if before not in found:
            said = "The system has no record with this key."
            wrong.append(FieldError(f"/renames/{at}/from", "unknown_record", said))
        if after in taken and after != before:
            said = f"{shown(after)} is the key of another record; merge their customers if they are one."
            wrong.append(FieldError(f"/renames/{at}/to", "taken", said))
    if wrong:
        raise Rejected("Nothing was renamed: some keys are not right.", wrong)
    members = locked_members(sorted({f.customer for f in found.values() if f.customer is not None}))
    identity.lock_records(f.id for f in found.values())
    if _found(system_id, renames) != (found, taken):
        raise Conflict("The records moved while they were being locked; read them again.")
    identity.lock_customers(members)
    _rename(system_id, renames, found, act)
    _rebuild(system_id, renames, found, act)
    return [Rekeyed(found[r.before].id, r.before, r.after, found[r.before].customer) for r in renames]


def _checked(renames: Sequence[Rename], act: Act) -> tuple[list[Rename], list[FieldError]]:
    """With keys as a record that is sent under them would be kept."""
    if not act.reason.strip():
        raise Rejected("It needs a reason.", [FieldError("/reason", "missing", "Say why the keys are others.")])
    if not 0 < len(renames) <= MOST:
        raise Rejected(f"Name 1 to {MOST} keys.", [FieldError("/renames", "out_of_range", f"1 to {MOST} in one call.")])
    tidy, wrong = [], list[FieldError]()
    for at, (before, after) in enumerate(renames):
        parsed = canonical.parse({"record_id": after, "name": "any"})
        wrong += [FieldError(f"/renames/{at}/to", p.code, p.detail) for p in parsed.problems if p.field == "record_id"]
        tidy.append(Rename(before, str(parsed.external_id if parsed.external_id is not None else after)))
        if tidy[-1].before == tidy[-1].after:
            wrong.append(FieldError(f"/renames/{at}/to", "same", "This is the key it has."))
    for name, told in (("from", Counter(r.before for r in tidy)), ("to", Counter(r.after for r in tidy))):
        wrong += [
            FieldError(f"/renames/{at}/{name}", "repeated", "This key is named more than once.")
            for at, r in enumerate(tidy)
            if told[r.before if name == "from" else r.after] > 1
        ]
    return tidy, wrong


def _found(system_id: int, renames: Sequence[Rename]) -> tuple[dict[str, _Found], set[str]]:
    """(the records that are to be renamed, by key; the new keys that are taken): two queries."""
    keys = {key for r in renames for key in r}
    rows = SourceRecord.objects.filter(system=system_id, external_id__in=keys)
    held = {key: _Found(id_, customer) for key, id_, customer in rows.values_list("external_id", "id", "customer_id")}
    linked = Link.objects.filter(system=system_id, external_id__in=[r.after for r in renames])
    taken = {r.after for r in renames if r.after in held} | set(linked.values_list("external_id", flat=True))
    return {r.before: held[r.before] for r in renames if r.before in held}, taken


_RECORDS = """
UPDATE source_record s SET external_id = i.after FROM jsonb_to_recordset(%s::jsonb) AS i(id uuid, after text) WHERE s.id = i.id
"""
_LINKS = """
UPDATE link l SET external_id = i.after FROM jsonb_to_recordset(%s::jsonb) AS i(id uuid, before text, after text)
WHERE l.system_id = %s AND l.external_id = i.before AND l.source_record_id = i.id
"""
_KEPT = """
INSERT INTO renamed_key (id, source_record_id, system_id, before, after, actor, reason, correlation_id, renamed_at)
SELECT i.row, i.id, %s, i.before, i.after, %s, %s, %s, clock_timestamp()
FROM jsonb_to_recordset(%s::jsonb) AS i(id uuid, row uuid, before text, after text)
"""


def _rename(system_id: int, renames: Sequence[Rename], found: dict[str, _Found], act: Act) -> None:
    """Record, Link and the row that keeps the old key."""
    told = json_text(
        [{"id": found[b].id.hex, "row": uuid7().hex, "before": b, "after": a} for b, a in renames]
    )  # fmt: skip
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_RECORDS, (told,))
            cursor.execute(_LINKS, (told, system_id))
            cursor.execute(_KEPT, (system_id, act.actor, act.reason, act.correlation_id, told))
    except IntegrityError as error:
        raise Conflict("One of the new keys was taken meanwhile; read the records again.") from error


def _rebuild(system_id: int, renames: Sequence[Rename], found: dict[str, _Found], act: Act) -> None:
    """One version of each customer that has renamed records: it is found by their new keys from now on."""
    told: dict[UUID, list[dict[str, str]]] = {}
    code = System.objects.values_list("code", flat=True).get(id=system_id)
    for before, after in renames:
        customer = found[before].customer
        if customer is not None:
            told.setdefault(customer, []).append({"system": code, "from": before, "to": after})
    rows = read_members(customers=sorted(told))
    changes = [
        Change(customer, [m for m in rows if m.customer == customer], "customer.rekeyed", {"rekeyed": keys})
        for customer, keys in sorted(told.items())
    ]
    rebuild(changes, act=act)
