"""Changes that wait for a second person: what is kept, what is proposed, from where, and what else has moved since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from apps.common.act import Act
from apps.common.errors import Conflict, HubError, NotFound
from apps.customers import queries
from apps.customers.holds import Verdict
from apps.customers.models import ChangeRequest, Customer, Hold
from apps.customers.refresh import decide_request
from apps.matching import merge_requests
from apps.stewardship import cases
from apps.stewardship.models import BulkUnmerge, Case

MOST_ALIKE = 250
"""Requests of one go; the rest is asked for again."""


@dataclass(frozen=True, slots=True)
class Field:
    """One held attribute. `kept`: what readers see; `seen`: what the page had shown as proposed, when it is something else by now;
    `token` stands for the proposal. `system`: where it comes from, by `rule`."""

    attribute: str
    kept: Any
    proposed: Any
    token: str
    state: str
    system: str
    system_name: str
    rule: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Change:
    """A change request with its fields. `alike`: other open requests that propose the same; `moved`: versions of the customer since."""

    id: UUID
    state: str
    author: str
    approver: str
    reason: str
    opened_at: datetime
    decided_at: datetime | None
    customer: UUID
    name: str
    version: int
    moved: int
    fields: Sequence[Field]
    alike: int
    case: UUID | None

    @property
    def is_open(self) -> bool:
        return self.state == ChangeRequest.State.OPEN


def change(request: UUID) -> Change:
    """Eight queries at most. Raises NotFound."""
    row = ChangeRequest.objects.filter(id=request).first()
    holds = list(Hold.objects.filter(change_request_id=request).order_by("attribute"))
    if row is None or not holds:
        raise NotFound("There is no such change request.")
    customer = queries.resolve(holds[0].customer_id).customer
    told = {line.attribute: line for line in queries.lineage_of(customer)}
    case = Case.objects.filter(kind="change", subject=row.id).order_by("-opened_at").first()
    alike = _alike(row.id)
    return Change(
        id=row.id, state=row.state, author=row.author, approver=row.approver, reason=row.reason, opened_at=row.opened_at,
        decided_at=row.decided_at, customer=customer.id, name=customer.name or "", version=customer.version,
        moved=_versions_since(customer, row.opened_at), fields=[_field(h, told) for h in holds], alike=len(alike),
        case=case.id if case else None,
    )  # fmt: skip


def _field(hold: Hold, told: Mapping[str, Any]) -> Field:
    line = told.get(hold.attribute)
    sources = [o for o in (line.others if line else []) if o.value == hold.proposed_value]
    if line is not None and line.winner is not None and line.winner.value == hold.proposed_value:
        sources.insert(0, line.winner)
    first = sources[0] if sources else None
    return Field(
        hold.attribute, hold.kept_value, hold.proposed_value, bytes(hold.proposed_hash).hex(), hold.state,
        first.system if first else "", first.system_name if first else "", line.rule if line else "none",
        first.updated_at if first else None,
    )  # fmt: skip


def _versions_since(customer: Customer, moment: datetime) -> int:
    return int(Customer.history.filter(id=customer.id, history_date__gt=moment).count())


def _alike(request: UUID) -> list[UUID]:
    """Other open requests whose case has the same cause: the same fields, kept and proposed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT o.subject FROM steward_case k JOIN steward_case o ON o.group_key = k.group_key AND o.kind = 'change'"
            " AND o.state <> 'closed' AND o.subject <> k.subject WHERE k.kind = 'change' AND k.subject = %s AND k.state <> 'closed'"
            " ORDER BY o.subject LIMIT %s",
            (request, MOST_ALIKE),
        )
        return [row[0] for row in cursor.fetchall()]


def is_merge(request: UUID) -> bool:
    return ChangeRequest.objects.filter(id=request, kind="merge").exists()


def unmerge_of(request: UUID) -> UUID | None:
    """The bulk unmerge that a change request is about, if it is about one."""
    return BulkUnmerge.objects.filter(change_request=request).values_list("id", flat=True).first()


def names_of(customers: Sequence[UUID]) -> list[tuple[UUID, str]]:
    """Each with its name today, in their order."""
    names = dict(Customer.objects.filter(id__in=customers).values_list("id", "name"))
    return [(id_, names.get(id_) or str(id_)) for id_ in customers]


def decide_merge(*, request: UUID, approve: bool, act: Act) -> None:
    """Raises as merge_requests.decide does, and Conflict: the records are being changed by others."""
    matched = merge_requests.decide(request=request, approve=approve, act=act)
    if matched is not None and matched.failed:
        raise Conflict("The records are being changed by others; look again.")
    cases.refresh()


@dataclass(frozen=True, slots=True)
class Outcome:
    """`alike`: how many others were decided with it; `refused`: why some were not."""

    alike: int = 0
    refused: Sequence[str] = ()


def decide(
    *, request: UUID, verdicts: Mapping[str, Verdict], act: Act, alike: int | None = None, approve: bool = True
) -> Outcome:
    """Carries out what somebody says of each field; with `alike` also of the open requests like this one, as `approve` says, each by
    itself: it is how many the page had shown.

    Raises NotFound, Conflict (those alike are others by now), and as holds.decide does."""
    others = _alike(request) if alike is not None else []
    if alike is not None and len(others) != alike:
        raise Conflict(f"{len(others)} others propose the same by now, not {alike}; look again.")
    decide_request(change_request=request, verdicts=verdicts, act=act)
    refused = [why for id_ in others if (why := _refused(id_, approve=approve, act=act))]
    cases.refresh()
    return Outcome(len(others) - len(refused), refused)


def _refused(request: UUID, *, approve: bool, act: Act) -> str:
    """Decides one; "" or why it was not."""
    try:
        decide_request(change_request=request, approve=approve, act=act)
    except HubError as error:
        return error.detail
    return ""
