"""Two versions of a customer side by side: values, who was part of it, and where the values came from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from apps.common.errors import FieldError, NotFound
from apps.customers.queries_history import AttributeChange
from apps.customers.queries_past import Stay, Then, require_kept, stays_of, stays_then, version_of
from apps.customers.queries_values import values_of, without_origin
from apps.customers.survivorship import ATTRIBUTES, PARTS


class Named(NamedTuple):
    """A source record by the name its system has for it."""

    system: str
    external_id: str


@dataclass(frozen=True, slots=True)
class Origin:
    """By which rule a value came from which records; a pin comes from none."""

    rule: str
    sources: Sequence[Named]


@dataclass(frozen=True, slots=True)
class LineageChange:
    """None: there was no value."""

    attribute: str
    before: Origin | None
    after: Origin | None


@dataclass(frozen=True, slots=True)
class VersionDifference:
    """What `after` says otherwise than `before`; `joined` and `left`: the records that were part of one of them only."""

    before: Then
    after: Then
    changes: Sequence[AttributeChange]
    joined: Sequence[Named]
    left: Sequence[Named]
    lineage: Sequence[LineageChange]


def compare(id: UUID, first: int, second: int) -> VersionDifference:
    """Any two versions of exactly this id, a retired one's too, in the order asked: five statements.

    Raises NotFound and Erased, which name `from` or `to`."""
    before, after = _side(id, first, "from"), _side(id, second, "to")
    stays = stays_of(id)
    sides = [{s.record: s for s in stays_then(then, stays)} for then in (before, after)]
    named = {str(s.record): Named(s.system, s.external_id) for s in stays if not s.is_anchor}
    told = [_origins(then, named) for then in (before, after)]
    names = [a for a in dict.fromkeys([*ATTRIBUTES, *sorted(told[0]), *sorted(told[1])]) if a != "extra"]
    lineage = [LineageChange(a, told[0].get(a), told[1].get(a)) for a in names]
    return VersionDifference(
        before, after, differing(values_of(after.row), values_of(before.row)), _names(sides[1], sides[0]), _names(sides[0], sides[1]),
        [c for c in lineage if c.before != c.after],
    )  # fmt: skip


def differing(now: Mapping[str, Any], then: Mapping[str, Any]) -> list[AttributeChange]:
    """Attributes of the canonical form that differ. Where a part of a list came from is no difference of what it is."""
    found = [AttributeChange(a, without_origin(then.get(a)), without_origin(now.get(a))) for a in ATTRIBUTES]
    return [c for c in found if c.before != c.after]


def _side(id: UUID, number: int, parameter: str) -> Then:
    try:
        then = version_of(id, number)
    except NotFound as error:
        raise NotFound(error.detail, [FieldError(parameter, "no_such_version", error.detail)]) from None
    require_kept(then, parameter)
    return then


def _names(of: Mapping[UUID, Stay], without: Mapping[UUID, Stay]) -> list[Named]:
    return [Named(s.system, s.external_id) for id_, s in of.items() if id_ not in without and not s.is_anchor]


def _origins(then: Then, named: Mapping[str, Named]) -> dict[str, Origin]:
    found = {}
    for attribute, noted in then.row.lineage.items():
        records: Iterable[str] = (noted.get("record", ""),)
        if attribute in PARTS:
            records = {record for part in getattr(then.row, attribute) for record in part.get("from", ())} or records
        found[attribute] = Origin(noted["rule"], sorted(named[r] for r in records if r in named))
    return found
