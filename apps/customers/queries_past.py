"""A customer at a past moment: which id stood for it, its values, its members and what their records held.

All of it is read from what was stored at the time: versions of the golden record with their lineage, memberships from when to when,
versions of source records. A system's name and address are today's. What an act was writing at the moment counts as written."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from apps.common.errors import Erased, FieldError, NotFound
from apps.common.ids import array
from apps.common.rows import first
from apps.customers.golden import member_of
from apps.customers.models import Customer
from apps.customers.queries import CustomerDetail
from apps.customers.queries_members import Members, Source, members_of, put_together
from apps.customers.queries_values import values_of
from apps.customers.survivorship_members import Member

_MOST_HOPS = 20


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The version before or after, when it was made, and by which act."""

    version: int
    at: datetime
    active: bool
    correlation_id: UUID | None


@dataclass(frozen=True, slots=True)
class Then:
    """`row`: the version that stood `at` the moment, a row of the history; its id is what `asked` stood for then. `erased`: its values
    were erased by law; that there was a version is still known."""

    asked: UUID
    at: datetime
    row: Any
    before: Neighbour | None
    after: Neighbour | None

    @property
    def id(self) -> UUID:
        id_: UUID = self.row.id
        return id_

    @property
    def version(self) -> int:
        number: int = self.row.version
        return number

    @property
    def erased(self) -> bool:
        return self.row.salt is None


@dataclass(frozen=True, slots=True)
class Stay:
    """A source record in a customer, from when to when. `ended_by`: the act that took it elsewhere; `made_there`: the hub itself made the
    record in its system, in nobody's version."""

    record: UUID
    system: str
    external_id: str
    is_anchor: bool
    since: datetime
    until: datetime | None
    action: str
    act: UUID
    ended_by: UUID | None
    made_there: bool
    today: UUID | None
    name: str


@dataclass(frozen=True, slots=True)
class MemberOf:
    """A source record as it was while it belonged to the customer, `since` when it did and by which `action`."""

    source: Source
    since: datetime
    action: str


_STOOD = """
WITH RECURSIVE hop AS (
  SELECT v.*, 1 AS hops FROM (SELECT id, version, active, replaced_by FROM historical_customer
    WHERE id = %(id)s AND history_date <= %(at)s ORDER BY version DESC LIMIT 1) v
  UNION ALL
  SELECT v.*, hop.hops + 1 FROM hop CROSS JOIN LATERAL (SELECT id, version, active, replaced_by FROM historical_customer
    WHERE id = hop.replaced_by AND history_date <= %(at)s ORDER BY version DESC LIMIT 1) v
  WHERE NOT hop.active AND hop.hops < %(most)s)
SELECT h.id, h.version, b.version, b.history_date, b.active, b.correlation_id, a.version, a.history_date, a.active, a.correlation_id
FROM (SELECT id, version FROM hop ORDER BY hops DESC LIMIT 1) h
LEFT JOIN historical_customer b ON b.id = h.id AND b.version = h.version - 1
LEFT JOIN historical_customer a ON a.id = h.id AND a.version = h.version + 1
"""


def stood(id: UUID, at: datetime) -> Then:
    """The version of what `id` stood for `at` a moment: two statements, however often it was merged.

    Within a customer the order is that of versions; times only find the last one made by then. Raises NotFound: an id the hub never
    gave, or did not know yet; then the error names `as_of` and says from when on."""
    with connection.cursor() as cursor:
        cursor.execute(_STOOD, {"id": id, "at": at, "most": _MOST_HOPS})
        found = cursor.fetchone()
    if found is None:
        raise _not_yet(id)
    return Then(id, at, _version(found[0], found[1]), _neighbour(found[2:6]), _neighbour(found[6:]))


def version_of(id: UUID, number: int) -> Then:
    """One version of exactly this id, at its first moment: two statements. Raises NotFound."""
    around = {
        row[0]: Neighbour(*row)
        for row in Customer.history.filter(id=id, version__range=(number - 1, number + 1)).values_list(
            "version", "history_date", "active", "correlation_id"
        )
    }
    if number not in around:
        raise NotFound(f"Customer {id} has no version {number}.")
    return Then(id, around[number].at, _version(id, number), around.get(number - 1), around.get(number + 1))


def _version(id: UUID, number: int) -> Any:
    row = first(Customer.history.model, "id = %s AND version = %s", id, number)
    assert row is not None
    return row


def _neighbour(row: Sequence[Any]) -> Neighbour | None:
    return Neighbour(row[0], row[1], row[2], row[3]) if row[0] is not None else None


def first_known(id: UUID) -> datetime | None:
    """When the hub first knew an id; None: it never gave it."""
    row = Customer.history.filter(id=id).order_by("version").values_list("history_date", flat=True).first()
    return row if isinstance(row, datetime) else None


def _not_yet(id: UUID) -> NotFound:
    since = first_known(id)
    if since is None:
        return NotFound(f"There is no customer {id}.")
    said = f"The hub did not know customer {id} at that time; it first knew it at {since.isoformat()}."
    return NotFound(said, [FieldError("as_of", "before_first_version", said)])


def require_kept(then: Then, parameter: str = "as_of") -> None:
    """Raises Erased, which names the parameter, where the values of the version were erased by law."""
    if then.erased:
        said = f"The values of version {then.version} of customer {then.id} were erased by law; that there was one is still known."
        raise Erased(said, [FieldError(parameter, "erased", said)])


# ── who was part of it ──────────────────────────────────────────────────────────────────────────────────────────────
_STAYS = """
SELECT m.source_record_id, y.code, s.external_id, y.kind = 'steward', m.since, m.until, m.action, m.correlation_id, n.correlation_id,
  s.follows_id IS NOT NULL AND y.kind <> 'steward' AND m.action = 'created', s.customer_id, coalesce(c.name, '')
FROM membership m JOIN source_record s ON s.id = m.source_record_id JOIN system y ON y.id = s.system_id
LEFT JOIN customer c ON c.id = s.customer_id
LEFT JOIN membership n ON n.source_record_id = m.source_record_id AND n.since = m.until
WHERE m.customer_id = %s ORDER BY y.code, s.external_id, m.since
"""


def stays_of(customer: UUID) -> list[Stay]:
    """Every stay of a record in the customer, stewards' anchors included: one statement."""
    with connection.cursor() as cursor:
        cursor.execute(_STAYS, (customer,))
        return [Stay(*row) for row in cursor.fetchall()]


def stays_then(then: Then, stays: Iterable[Stay]) -> list[Stay]:
    """Those of `stays`, in the customer that stood then, that counted.

    A version and the moves that made it are of one transaction, but not of one microsecond: what moved with the version counts from its
    first moment on, and what leaves with the version that retires it until that is made."""
    return [stay for stay in stays if _joined(then, stay) and not _left(then, stay)]


def _joined(then: Then, stay: Stay) -> bool:
    own = stay.act == then.row.correlation_id and _in_span(then, stay.since) and not stay.made_there
    return own or stay.since <= then.at


def _left(then: Then, stay: Stay) -> bool:
    if stay.until is None:
        return False
    if not _in_span(then, stay.until):
        return stay.until <= then.at
    own, after = stay.ended_by == then.row.correlation_id, then.after
    retires = after is not None and not after.active and stay.ended_by == after.correlation_id
    if retires and own and after is not None:  # both are of one act's name: the nearer one it is
        retires = after.at - stay.until <= stay.until - then.row.history_date
    return not retires and (own or stay.until <= then.at)


def _in_span(then: Then, moment: datetime) -> bool:
    """From the version's first moment to the next version's."""
    begun: bool = then.row.history_date <= moment
    return begun and (then.after is None or moment < then.after.at)


# ── what their records held ─────────────────────────────────────────────────────────────────────────────────────────
_RECORDS = """
SELECT s.id, y.code, y.name, y.kind, y.record_url, s.external_id,
  CASE WHEN v.id IS NULL THEN coalesce(s.source_updated_at, s.changed_at) ELSE coalesce(v.source_updated_at, v.received_at) END,
  coalesce(v.received_at, s.received_at), coalesce(v.deleted, s.deleted), coalesce(v.version, s.version),
  CASE WHEN v.id IS NULL THEN s.raw_salt IS NULL ELSE v.salt IS NULL END,
  CASE WHEN v.id IS NULL THEN s.canonical ELSE v.canonical END::text, y.trust, y.delete_policy, s.customer_id, s.follows_id
FROM source_record s JOIN system y ON y.id = s.system_id
LEFT JOIN LATERAL (SELECT o.* FROM source_record_version o WHERE o.source_record_id = s.id AND o.replaced_at > %s
  ORDER BY o.version LIMIT 1) v ON true
WHERE s.id = ANY(%s::uuid[]) ORDER BY y.code, s.external_id
"""
SOURCE_COLUMNS = 12
"""Of a row of `records_then`: what `put_together` reads. After them stand the system's trust and what it makes of deletions, both as
they are today, the record's present customer, and the record it follows."""


def records_then(records: Iterable[UUID], at: datetime) -> list[tuple[Any, ...]]:
    """Records in the version that the hub had of them at a moment: one statement. A version counts until it was replaced."""
    with connection.cursor() as cursor:
        cursor.execute(_RECORDS, (at, array(records)))
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def members_then(then: Then) -> tuple[Members, Mapping[UUID, Stay]]:
    """The members, what stewards had said of them, and the stay of each: two statements."""
    rows, stays = _rows_then(then)
    return put_together([row[:SOURCE_COLUMNS] for row in rows]), stays


def members_and_facts_then(then: Then) -> tuple[Members, list[Member]]:
    """The same, and all of them, stewards' anchors too, as survivorship saw them: two statements. What a system itself is trusted, and what
    it makes of deletions, is kept as it is today only."""
    rows, _ = _rows_then(then)
    return put_together([row[:SOURCE_COLUMNS] for row in rows]), [
        member_of((id_, None, code, kind, trust, deletes, external_id, canonical or "{}", updated.isoformat(), deleted, follows, received.isoformat()))
        for id_, code, _, kind, _, external_id, updated, received, deleted, _, _, canonical, trust, deletes, _, follows in rows
    ]  # fmt: skip


def _rows_then(then: Then) -> tuple[list[tuple[Any, ...]], Mapping[UUID, Stay]]:
    stays = {stay.record: stay for stay in stays_then(then, stays_of(then.id))}
    return (records_then(stays, then.at) if stays else []), stays


# ── readings ────────────────────────────────────────────────────────────────────────────────────────────────────────
def as_of(id: UUID, at: datetime) -> CustomerDetail:
    """Everything about the customer that `id` stood for at a moment: five statements. Raises NotFound and Erased."""
    return detail_then(stood(id, at))


def detail_then(then: Then) -> CustomerDetail:
    """The same of what was looked up already: three statements. Raises Erased."""
    require_kept(then)
    members, _ = members_then(then)
    return detail_by(then, members)


def detail_by(then: Then, members: Members) -> CustomerDetail:
    """The same with the members it had: one statement."""
    row = then.row
    return CustomerDetail(
        id=row.id, asked=then.asked, replaced=row.id != then.asked, active=row.active, version=row.version, kind=row.kind,
        name=row.name,
        values=values_of(row), held=row.held, lineage=row.lineage, policy_hash=row.policy_hash, member_count=row.member_count,
        released=row.released, created_at=row.created_at, updated_at=row.history_date, sources=members.sources,
        pins=[members.pins[a] for a in sorted(members.pins)], redirects=_redirects(then),
    )  # fmt: skip


_REDIRECTS = """
SELECT r.retired_id FROM redirect r WHERE r.successor_id = %(id)s AND (r.until IS NULL OR r.until > %(at)s) AND (r.since <= %(at)s
  OR r.since >= %(made)s AND r.since < coalesce(%(end)s, 'infinity'::timestamptz) AND NOT EXISTS (SELECT FROM redirect p
    WHERE p.retired_id = r.retired_id AND p.since < r.since AND p.until > %(made)s))
ORDER BY r.since
"""


def _redirects(then: Then) -> list[UUID]:
    """The retired ids that led to it, the first retired first. A customer that was merged into it made the version, and counts from its
    first moment on; an id that led elsewhere before may come along without a version, and counts from when it did."""
    asked = {"id": then.id, "at": then.at, "made": then.row.history_date}
    with connection.cursor() as cursor:
        cursor.execute(_REDIRECTS, {**asked, "end": then.after.at if then.after is not None else None})
        return [row[0] for row in cursor.fetchall()]


def membership_then(then: Then) -> list[MemberOf]:
    """The source records that were part of it: two statements."""
    members, stays = members_then(then)
    return _with_stays(members, stays)


def membership_now(customer: UUID) -> list[MemberOf]:
    """The source records that are part of it: two statements."""
    stays = {stay.record: stay for stay in stays_of(customer) if stay.until is None}
    return _with_stays(members_of(customer), stays)


def _with_stays(members: Members, stays: Mapping[UUID, Stay]) -> list[MemberOf]:
    found = ((source, stays.get(source.record)) for source in members.sources)
    return [MemberOf(source, stay.since, stay.action) for source, stay in found if stay is not None]
