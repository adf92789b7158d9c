"""The merge composer: customers become one, and where the rules choose a value that a person knows to be wrong, theirs is pinned."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from apps.common.act import Act
from apps.common.errors import FieldError, Rejected
from apps.common.retrying import retried
from apps.customers import pins
from apps.customers.golden import Standing, read_customers
from apps.customers.models import SourceRecord
from apps.customers.queries import resolve
from apps.customers.survivorship import SCALARS
from apps.matching import judge, merging
from apps.matching.match import Matched
from apps.stewardship.preview import Preview, preview

BY_RULE: Final = ""
OWN: Final = "own"
LONGEST: Final = 1_000
_PARTS_OF_A_NAME: Final = ("given_name", "family_name", "organization_name")


@dataclass(frozen=True, slots=True)
class Pick:
    """What a person chose for one attribute: the value of one of the customers, or one of their own (`customer` is None)."""

    attribute: str
    customer: UUID | None = None
    value: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One attribute of the composer. `value`: as it comes out; `rule` chose it, from `system` (or the pick: then rule is "pin");
    `options`: what each customer says, in their order; `choice`: BY_RULE, OWN or the id of a customer; `own`: what was typed.
    `waits`: the value somebody else has to approve first, `value` is kept until then."""

    attribute: str
    value: Any
    rule: str
    system: str
    options: Sequence[tuple[UUID, Any]]
    choice: str
    own: str
    waits: Any = None

    @property
    def differs(self) -> bool:
        return len({str(v) for _, v in self.options if v not in (None, "")}) > 1


@dataclass(frozen=True, slots=True)
class Composition:
    """What a merge with picks comes to. `survivor`: the id that goes on."""

    survivor: UUID
    lines: Sequence[Line]
    preview: Preview

    @property
    def waits(self) -> Sequence[str]:
        """Attributes that a second person has to approve."""
        return [line.attribute for line in self.lines if line.waits is not None]


def merge(
    *, customers: Sequence[UUID], picks: Sequence[Pick], act: Act, past: Collection[merging.Asked] = ()
) -> Matched:
    """Merges, then pins what was picked and the rules would not say by themselves: both or neither. `past`: as of judge.merge.

    Raises as judge.merge and pins.pin do, and Rejected: a pick of another customer, or of no value."""
    if not picks:
        return judge.merge(customers=customers, act=act, past=past)
    return retried(lambda: _merge(customers, picks, act, past))


@transaction.atomic
def _merge(customers: Sequence[UUID], picks: Sequence[Pick], act: Act, past: Collection[merging.Asked]) -> Matched:
    before = read_customers(customers)
    wanted = {p.attribute: _wanted(p, before) for p in picks}
    matched = judge.merge(customers=customers, act=act, past=past)
    survivor = resolve(customers[0]).customer.id
    now = read_customers([survivor])[survivor]
    for attribute, value in wanted.items():
        if now.values.get(attribute) != value:
            pins.pin(customer=survivor, attribute=attribute, value=value, act=act)
    return matched


def _wanted(pick: Pick, before: Mapping[UUID, Standing]) -> Any:
    if pick.attribute not in SCALARS:
        raise Rejected(
            "This attribute cannot be picked.",
            [FieldError(f"/{pick.attribute}", "unknown_value", "It cannot be picked.")],
        )
    if pick.customer is None:
        if not pick.value or len(pick.value) > LONGEST:
            sentence = f"Write the value, in {LONGEST:,} characters at the most."
            raise Rejected(sentence, [FieldError(f"/{pick.attribute}", "missing", sentence)])
        return pick.value
    value = before[pick.customer].values.get(pick.attribute) if pick.customer in before else None
    if value in (None, ""):
        raise Rejected(
            "The customer you picked has no such value.",
            [FieldError(f"/{pick.attribute}", "missing", "It has no value.")],
        )
    return value


def compose(
    *, customers: Sequence[UUID], picks: Sequence[Pick], act: Act, past: Collection[merging.Asked] = ()
) -> Composition:
    """What `merge` would come to: it is carried out, read, and taken back. Raises as `merge` does."""
    before = read_customers(customers)
    after: list[tuple[Standing, dict[str, str]]] = []

    def work() -> Matched:
        matched = merge(customers=customers, picks=picks, act=act, past=past)
        survivor = resolve(customers[0]).customer.id
        standing = read_customers([survivor])[survivor]
        after.append((standing, _systems(standing)))
        return matched

    shown = preview(work, customers, act=act)
    standing, systems = after[-1]
    return Composition(
        standing.id, _lines(standing, systems, [(c, before[c]) for c in customers if c in before], picks), shown
    )


def _systems(standing: Standing) -> dict[str, str]:
    """The system of each record that a value comes from."""
    records = {told["record"] for told in standing.lineage.values() if "record" in told}
    rows = SourceRecord.objects.filter(id__in=records).exclude(system__kind="steward").values_list("id", "system__code")
    return {str(id_): code for id_, code in rows}


def _lines(
    standing: Standing, systems: Mapping[str, str], before: Sequence[tuple[UUID, Standing]], picks: Sequence[Pick]
) -> list[Line]:
    """Attributes with one value that anybody has; a name is picked in its parts where there are parts."""
    sides = [s for _, s in before]
    in_parts = any(s.values.get(n) for s in (standing, *sides) for n in _PARTS_OF_A_NAME)
    names = [n for n in SCALARS if not (n == "name" and in_parts)]
    chosen = {p.attribute: p for p in picks}
    return [
        _line(n, standing, systems, [(id_, s.values.get(n)) for id_, s in before], chosen.get(n))
        for n in names
        if any(n in s.values for s in (standing, *sides)) or n in standing.held
    ]


def _line(
    name: str, standing: Standing, systems: Mapping[str, str], options: Sequence[tuple[UUID, Any]], pick: Pick | None
) -> Line:
    told = standing.lineage.get(name, {})
    choice = BY_RULE if pick is None else OWN if pick.customer is None else str(pick.customer)
    return Line(
        name, standing.values.get(name), told.get("rule", "none"), systems.get(told.get("record", ""), ""), options, choice,
        pick.value if pick is not None else "", standing.held.get(name),
    )  # fmt: skip
