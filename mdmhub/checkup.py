"""What the hub promises, held against what stands in its tables; and what of it can be mended by doing the work again.

What SQL can see stands in the view `broken_invariants`, one row for each break. Golden values and membership are derived: a customer that is
built again, and records that are matched again, are right again; an approval that waits for nothing is closed. Facts (memberships,
versions, events, acknowledgements) are never edited here: for those docs/runbooks/broken-invariants.md says what to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import connection

from apps.common.act import Act
from apps.connectors.connections import withdraw_stale
from apps.customers.rebuild_all import preview
from apps.customers.refresh import refresh
from apps.customers.stale import close_stale
from apps.events.models import AuditCheck
from apps.matching.candidates import redo_members

PROMISES: Final[Mapping[str, str]] = {
    "I1": "a built record belongs to one customer and has one open membership of it",
    "I2": "that customer is active",
    "I3": "a retired id leads to an active customer in one hop",
    "I4": "an active customer has members and counts them right",
    "I5": "two records with one verified identifier are one customer, unless something stands between them",
    "I6": "what a person keeps apart is never one customer",
    "I7": "effective values are the derived ones, but for holds",
    "I9": "merging twice is merging once",
    "I11": "versions have no gap; each has one snapshot and one event; the newest snapshot is the customer",
    "I12": "a live link belongs to an active customer; a create that is done has its link",
    "I13": "no target has confirmed more than there is",
    "I15": "the same input twice changes nothing",
    "I16": "what waits for a second person is about something that is there, as it is there",
    "I17": "records in are linked, unchanged or quarantined; what follows a record stands with it",
}
"""What SQL can see."""
ELSEWHERE: Final[Mapping[str, str]] = {
    "I8": "an unmerge equals never having merged",
    "I10": "the order of arrival makes no difference",
}
"""What only shows when the work is done in another order: the tests do that."""
_AUDIT: Final = "what happened is never changed unseen (manage.py verify_audit)"
MENDED_BY: Final[Mapping[str, str]] = {
    "I4": "building the customer again", "I5": "matching its records again", "I7": "building the customer again",
    "I16": "closing what waits for nothing",
}  # fmt: skip
_BATCH: Final = 250


@dataclass(frozen=True, slots=True)
class Finding:
    """Of one promise: how often it is broken, and the first breaks as (subject, detail). `note`: where it is not held against the tables
    now, who does that, or when it was done last."""

    invariant: str
    promise: str
    broken: int
    first: Sequence[tuple[str, str]]
    mended_by: str | None = None
    note: str = ""


def findings(most: int = 10, *, values: bool = False) -> list[Finding]:
    """Every promise in order, broken or not, with `most` breaks of each at the most: two queries. With `values` every customer is derived
    again too (I7), which takes a tenth of a millisecond each; nothing is written by it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT invariant, count(*), (array_agg(subject ORDER BY subject, detail))[1:%(most)s],"
            " (array_agg(detail ORDER BY subject, detail))[1:%(most)s] FROM broken_invariants GROUP BY invariant",
            {"most": most},
        )
        broken = {row[0]: row[1:] for row in cursor.fetchall()}
    found = [
        Finding(
            name,
            PROMISES.get(name, "a promise this release does not know"),
            *_of(broken.get(name)),
            MENDED_BY.get(name),
        )
        for name in PROMISES.keys() | broken.keys()
    ]
    found += [Finding(name, promise, 0, (), note="by tests") for name, promise in ELSEWHERE.items()]
    found.append(_audit(most))
    if values:
        found.append(_values(most))
    return sorted(found, key=lambda one: (len(one.invariant), one.invariant))


def _audit(most: int) -> Finding:
    """As it was verified last, which the hub does once a day."""
    last = AuditCheck.objects.exclude(finished_at=None).order_by("-started_at").first()
    if last is None:
        return Finding("I14", _AUDIT, 0, (), note="not yet")
    first = [(f"{told['table']} {told['id']}", str(told["detail"])) for told in last.findings[:most]]
    return Finding("I14", f"{_AUDIT}, verified {last.finished_at:%Y-%m-%d %H:%M} UTC", last.broken, first)


def _values(most: int) -> Finding:
    """Derived by the policies in force, as a rebuild would, and held against what stands."""
    told = preview(examples=most)
    first = [
        (str(one["customer"]), f"would be derived otherwise: {', '.join(one['attributes'])}") for one in told.examples
    ]
    promise = f"values are what the policy makes of the records ({told.customers:,} customers derived again)"
    return Finding("I7", promise, told.changes, first, "manage.py rebuild_customers")


def _of(row: tuple[int, list[str], list[str]] | None) -> tuple[int, Sequence[tuple[str, str]]]:
    return (row[0], list(zip(row[1], row[2], strict=True))) if row is not None else (0, ())


def mend(act: Act) -> dict[str, int]:
    """Do again what makes broken promises hold; returns by invariant how many subjects were worked on.

    Approvals that wait for nothing are closed. Customers are built again at once. Records that must be matched again go into the redo
    queue: they are matched as soon as the workers come to them. Raises Conflict where records were moving meanwhile: nothing is half
    done, try again."""
    worked = {"I16": _close_stale(act)}
    subjects = _subjects()
    customers = sorted({id_ for name in ("I4", "I7", "I16") for id_ in subjects.get(name, ())})
    for at in range(0, len(customers), _BATCH):
        refresh(customers[at : at + _BATCH], act=act)
    if subjects.get("I5"):
        redo_members(subjects["I5"], "a promise of the hub is broken")
    worked["I16"] += len(subjects.pop("I16", ()))
    return {name: count for name, count in (worked | {n: len(ids) for n, ids in subjects.items()}).items() if count}


def _close_stale(act: Act) -> int:
    """Closes approvals that wait for nothing; customers that they held back are built again."""
    held, closed = close_stale()
    for at in range(0, len(held), _BATCH):
        refresh(held[at : at + _BATCH], act=act)
    return len(held) + closed + withdraw_stale()


def _subjects() -> dict[str, list[UUID]]:
    """The customers of breaks that can be mended."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT b.invariant, array_agg(DISTINCT c.id) FROM broken_invariants b JOIN customer c ON c.id::text = b.subject"
            " WHERE c.active AND b.invariant = ANY(%s) GROUP BY 1",
            (list(MENDED_BY),),
        )
        return dict(cursor.fetchall())
