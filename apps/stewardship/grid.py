"""Values side by side: sources against attributes, and one version against another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any
from uuid import UUID

from apps.customers.queries import AttributeLineage, CustomerDetail, PartLineage, Pin, Source, SourceValue, values_of
from apps.customers.queries_ages import Ages
from apps.customers.queries_compare import VersionDifference, compare
from apps.customers.queries_values import without_origin
from apps.customers.restore import keepable
from apps.customers.survivorship import ATTRIBUTES, PARTS, SCALARS
from apps.customers.survivorship_age import Aged


@dataclass(frozen=True, slots=True)
class Cell:
    """One source's value of one attribute. `won`: the golden value came from here; `empty`: the source says so; `ignored`: a steward
    lets it count as never sent, and says why."""

    value: Any
    won: bool = False
    empty: bool = False
    record: UUID | None = None
    ignored: Pin | None = None


@dataclass(frozen=True, slots=True)
class GridRow:
    """One attribute; `pinned`: the steward's value that stands above its sources."""

    attribute: str
    golden: Any
    cells: Sequence[Cell]
    pinned: Pin | None = None

    @property
    def is_list(self) -> bool:
        return self.attribute in PARTS

    @property
    def can_be_pinned(self) -> bool:
        return self.attribute != "kind" and not self.attribute.startswith("extra.")


def sources_grid(detail: CustomerDetail) -> list[GridRow]:
    """A row for every attribute that the golden record or any source has; cells in the order of `detail.sources`."""
    extras = sorted(
        {n for s in detail.sources for n in s.canonical.get("extra", {})} | set(detail.values.get("extra", {}))
    )
    names = ["kind", *SCALARS, *PARTS, *(f"extra.{n}" for n in extras)]
    pins = {p.attribute: p for p in detail.pins}
    rows = [
        GridRow(n, _read(detail.values, n), [_cell(detail, s, n) for s in detail.sources], pins.get(n)) for n in names
    ]
    return [r for r in rows if r.golden is not None or any(c.value is not None or c.empty for c in r.cells)]


def _read(values: Mapping[str, Any], name: str) -> Any:
    return values.get("extra", {}).get(name[6:]) if name.startswith("extra.") else values.get(name)


def _cell(detail: CustomerDetail, source: Source, name: str) -> Cell:
    value = _read(source.canonical, name)
    empty = name in source.canonical.get("empty", ())
    if name in PARTS:
        won = any(str(source.record) in part.get("from", ()) for part in detail.values.get(name, ()))
    else:
        won = detail.lineage.get(name, {}).get("record") == str(source.record) and name not in detail.held
    return Cell(value, won and value is not None, empty and value is None, source.record, source.ignored.get(name))


@dataclass(frozen=True, slots=True)
class Difference:
    """One attribute of two versions. `keeps_before`, `keeps_after`: that value is another one than today's, and can be kept again."""

    attribute: str
    before: Any
    after: Any
    keeps_before: bool = False
    keeps_after: bool = False

    @property
    def same(self) -> bool:
        return bool(self.before == self.after)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two versions of one id; `rows` every attribute that either has, the differing ones first; `told`: who was part of it, and where
    the values came from."""

    before: Any
    after: Any
    rows: Sequence[Difference]
    told: VersionDifference


def compare_versions(detail: CustomerDetail, first: int, second: int) -> Comparison:
    """Compares two versions of the id that was asked for, the older one as `before`: five queries. Raises NotFound when one of them
    does not exist, and Erased."""
    told = compare(detail.asked, *sorted((first, second)))
    before, after = told.before.row, told.after.row
    was, now = values_of(before), values_of(after)
    rows = [_difference(a, was, now, detail.values) for a in ATTRIBUTES if a in was or a in now]
    rows.append(Difference("members", before.member_count, after.member_count))
    return Comparison(before, after, sorted(rows, key=lambda r: r.same), told)


def _difference(attribute: str, was: Mapping[str, Any], now: Mapping[str, Any], today: Mapping[str, Any]) -> Difference:
    left, right, current = (without_origin(values.get(attribute)) for values in (was, now, today))
    return Difference(
        attribute, left, right, left != current and keepable(attribute, was), right != current and keepable(attribute, now)
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shown:
    """One attribute with what its other sources say: `agreeing` have the winner's value, `differing` another. `age`, and that of each
    entry of a list, only where they were asked: of today."""

    line: AttributeLineage
    agreeing: Sequence[SourceValue]
    differing: Sequence[SourceValue]
    age: Aged | None = None
    entry_ages: Sequence[Aged] = ()

    @property
    def entries(self) -> list[tuple[PartLineage, Aged | None]]:
        """The entries of a list, each with its age, if that was asked."""
        return list(zip_longest(self.line.parts, self.entry_ages[: len(self.line.parts)]))

    @property
    def values(self) -> int:
        """Distinct values, the winner's included."""
        return 1 + len({repr(o.value) for o in self.differing})


def told(line: AttributeLineage, ages: Ages | None = None) -> Shown:
    """Sorts the other sources of one attribute into those that agree with the winner and those that do not."""
    own = line.winner.value if line.winner is not None else line.value
    age, entries = (ages or {}).get(line.attribute, (None, ()))
    return Shown(
        line, [o for o in line.others if o.value == own], [o for o in line.others if o.value != own], age, entries
    )


def overview_lines(lineage: Sequence[AttributeLineage]) -> tuple[list[Shown], dict[str, AttributeLineage]]:
    """(single values with their losers, list parts by attribute)."""
    singles = [told(line) for line in lineage if line.attribute not in PARTS]
    return singles, {line.attribute: line for line in lineage if line.attribute in PARTS}
