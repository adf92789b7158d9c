"""What a decision about identity would come to: it is carried out, read, and taken back, so that the preview is never another thing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.common.act import Act
from apps.connectors.models import Delivery
from apps.connectors.outbound import Change, plan
from apps.connectors.planning import flat
from apps.connectors.queries_planned import Difference, differences
from apps.customers.golden import Standing, read_customers
from apps.customers.models import SourceRecord
from apps.matching.match import Matched


@dataclass(frozen=True, slots=True)
class Result:
    """A customer as it would be. `fate`: stays, new, back (its id lives again) or retired; `changes`: against what it is now, of a new
    one all its values; `records`: (system, id there) of its source records."""

    customer: UUID
    name: str
    fate: str
    successor: UUID | None
    changes: Sequence[Difference]
    records: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Told:
    """A message a target would be sent about a customer, or that would be planned for one that observes."""

    customer: UUID
    target: str
    system: str
    op: str
    external_id: str
    mode: str
    values: Sequence[Difference]
    losers: Sequence[str]


@dataclass(frozen=True, slots=True)
class Preview:
    """`nothing`: the machine would decide the same again, so nobody would be another than before."""

    results: Sequence[Result]
    told: Sequence[Told]
    at: datetime

    @property
    def nothing(self) -> bool:
        return all(r.fate == "stays" and not r.changes for r in self.results)


def preview(work: Callable[[], Matched], customers: Sequence[UUID], *, act: Act) -> Preview:
    """`customers`: those it is about. Locks what the decision itself would lock, for as long as it takes. Raises what `work` raises."""
    with transaction.atomic():
        matched = work()
        ids = sorted({*customers, *matched.customer_of.values()})
        after = read_customers(ids)
        members = _members(ids)
        moment = timezone.now()
        plan([Change(i, moment, act.correlation_id) for i in ids])
        told = _told(act.correlation_id)
        transaction.set_rollback(True)
    before = read_customers(ids)  # it is as though nothing had been done
    results = [_result(i, before.get(i), after[i], members.get(i, [])) for i in ids if i in after]
    return Preview([r for r in results if r.fate != "stays" or r.changes or r.customer in set(customers)], told, moment)


def _result(id_: UUID, before: Standing | None, after: Standing, records: Sequence[tuple[str, str]]) -> Result:
    if not after.active:
        return Result(id_, _name(before or after), "retired", after.replaced_by, (), ())
    fate = "new" if before is None else "stays" if before.active else "back"
    was = flat(before.values) if before is not None and before.active else {}
    now = flat(after.values)
    changed = {n: now.get(n) for n in {*was, *now} if was.get(n) != now.get(n) and n != "kind"}
    return Result(id_, _name(after), fate, None, differences(was, changed), records)


def _name(standing: Standing) -> str:
    return str(standing.values.get("name") or "")


def _members(customers: Sequence[UUID]) -> Mapping[UUID, list[tuple[str, str]]]:
    found: dict[UUID, list[tuple[str, str]]] = {}
    rows = SourceRecord.objects.filter(customer_id__in=customers, follows=None).order_by("system__code", "external_id")
    for customer, system, external_id in rows.values_list("customer_id", "system__code", "external_id"):
        found.setdefault(customer, []).append((system, external_id))
    return found


def _told(correlation_id: UUID) -> list[Told]:
    rows = Delivery.objects.filter(correlation_id=correlation_id).select_related("connection__system", "link")
    return [_message(row) for row in rows.order_by("connection__system__name", "id")]


def _message(row: Delivery) -> Told:
    held: Mapping[str, Any] = {}
    if row.link is not None:
        held = {**flat(row.record.canonical), **row.link.last_sent}
    return Told(
        row.customer_id, row.connection.system.name, row.connection.system.code, row.op, row.link.external_id if row.link else "",
        row.connection.mode, [d for d in differences(held, row.values) if d.before != d.after], row.losers,
    )  # fmt: skip
