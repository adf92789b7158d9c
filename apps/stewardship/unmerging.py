"""Unmerge of many customers at once: what it would come to customer by customer, its carrying out, and its taking back."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Q

from apps.common.act import Act
from apps.common.errors import FieldError, NotFound, Rejected
from apps.connectors.models import Run
from apps.matching import judge, unjoin
from apps.matching.match import Matched
from apps.matching.unjoin import Chosen, Done, Parted
from apps.stewardship import cases
from apps.stewardship.preview import Result, Told, preview

Some = Sequence[tuple[UUID, int]]
"""Customers with the number of their records."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One customer: what it would be `parted` into, each as it would be, and what targets would be told of them."""

    parted: Parted
    results: Sequence[Result]
    told: Sequence[Told]

    @property
    def name(self) -> str:
        return next((r.name for r in self.results if r.customer == self.parted.customer), "")


@dataclass(slots=True)
class Totals:
    """`told`: messages by (system, kind of message)."""

    customers: int = 0
    records: int = 0
    into: int = 0
    pairs: int = 0
    told: Counter[tuple[str, str]] = field(default_factory=Counter)
    left: dict[UUID, str] = field(default_factory=dict)

    def add(self, done: Done) -> None:
        self.customers += len(done.parted)
        self.records += sum(one.records for one in done.parted)
        self.into += sum(len(one.into) for one in done.parted)
        self.pairs += sum(one.pairs for one in done.parted)
        self.left |= done.left


def act_of_run(run: UUID) -> UUID:
    """The correlation id of what a run did; it may be named by that id too. Raises NotFound, Rejected (another run has the same one)."""
    found = Run.objects.filter(Q(id=run) | Q(correlation_id=run)).order_by("id").first()
    if found is None:
        said = f"There is no run {run}."
        raise NotFound(said, [FieldError("/run", "unknown_run", said)])
    other = Run.objects.filter(correlation_id=found.correlation_id).exclude(id=found.id).first()
    if other is not None:
        said = f"Run {other.id} came with the same correlation id, so what each of them joined cannot be told apart."
        raise Rejected(said, [FieldError("/run", "shared_correlation_id", said)])
    return found.correlation_id


def show(
    *, chosen: Chosen, act: Act, for_ever: bool, on_shown: Callable[[Shown], None], only: Some | None = None
) -> Totals:
    """A dry run, of `only` some of them: each batch is carried out, read and taken back. Locks what the act itself would lock, a batch at
    a time."""
    totals = Totals()

    def work(customers: Sequence[UUID]) -> Done:
        done = Done()

        def carried_out() -> Matched:
            done.absorb(unjoin.take_some_apart(customers=customers, chosen=chosen, act=act, for_ever=for_ever))
            return done.matched

        seen = preview(carried_out, customers, act=act)
        for parted in sorted(done.parted, key=lambda one: one.customer):
            own = {parted.customer, *parted.into}
            for child in (child for child in parted.children if child.parts):
                own |= {child.customer, *(done.matched.customer_of[r] for r in (*child.out, *child.stays))}
            told = [message for message in seen.told if message.customer in own]
            totals.told.update((message.system, message.op) for message in told)
            on_shown(Shown(parted, [result for result in seen.results if result.customer in own], told))
        return done

    unjoin.in_batches(chosen, work, only=only, on_batch=totals.add)
    return totals


def carry_out(
    *, chosen: Chosen, act: Act, for_ever: bool, on_batch: Callable[[Done], None], only: Some | None = None
) -> Totals:
    """Takes them apart, or `only` some of them, and closes the cases that this settles."""
    totals = Totals()

    def told(done: Done) -> None:
        totals.add(done)
        on_batch(done)

    unjoin.take_apart(chosen=chosen, act=act, for_ever=for_ever, only=only, on_batch=told)
    cases.refresh()
    return totals


def take_back(*, correlation_id: UUID, act: Act) -> int:
    """Takes a whole act back, in one transaction; returns how many customers its records are now. Raises NotFound, Conflict."""
    matched = judge.undo(correlation_id=correlation_id, act=act)
    cases.refresh()
    own = set(judge.records_of(correlation_id))  # their neighbours are decided again with them, and are no part of it
    return len({customer for record, customer in matched.customer_of.items() if record in own})
