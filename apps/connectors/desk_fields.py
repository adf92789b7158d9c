"""What a person puts in place of the native fields of a delivery: checked against the mapping, and read back as what the target then
holds."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from apps.common.errors import FieldError, Rejected
from apps.common.jsontext import json_text, json_value, storable
from apps.common.pointers import shown
from apps.connectors.mapping_out import HUB_NAMES
from apps.connectors.redact import GONE, MASK, mask
from apps.connectors.targets import Target


def flattened(native: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Native fields by their dotted columns, as a mapping names them; places of a list count from 0."""
    found: dict[str, Any] = {}
    for name, value in native.items():
        inner = dict(enumerate(value)) if isinstance(value, list) else value
        if isinstance(inner, Mapping) and inner:
            found.update(flattened({str(k): v for k, v in inner.items()}, f"{before}{name}."))
        else:
            found[before + name] = value
    return found


def nested(columns: Mapping[str, Any]) -> dict[str, Any]:
    """The other way; what counts from 0 becomes a list again. Raises Rejected for a column inside another one."""
    tree: dict[str, Any] = {}
    for column, value in columns.items():
        place = tree
        *path, last = column.split(".")
        for step in path:
            inner = place.setdefault(step, {})
            if not isinstance(inner, dict):
                sentence = f"{shown(column)} lies inside another field."
                raise Rejected(
                    "The fields contradict one another.", [FieldError(f"/native/{column}", "overlap", sentence)]
                )
            place = inner
        place[last] = value
    return {name: _listed(value) for name, value in tree.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _listed(part) for name, part in value.items()}
    return list(inner.values()) if inner and list(inner) == [str(n) for n in range(len(inner))] else inner


def columns_of(target: Target, *names: str) -> frozenset[str]:
    """The dotted columns into which the target's mapping writes these canonical names."""
    return frozenset(flattened(target.mapping.render(dict.fromkeys(names, "1"))))


def own_columns(target: Target) -> frozenset[str]:
    """Columns in which the hub writes its own names of a record: nobody edits those."""
    return columns_of(target, *HUB_NAMES)


def mended(given: Mapping[str, Any], before: Mapping[str, Any], target: Target) -> dict[str, Any]:
    """The native fields to tell in place of `before`: those given, a masked value as it was, and the hub's own names.

    Raises Rejected for columns the mapping does not write, and when nothing is left to tell."""
    old, own = flattened(before), own_columns(target)
    known = old.keys() | columns_of(target, *target.mapping.writes)
    told: dict[str, Any] = {}
    wrong: list[FieldError] = []
    for column, value in flattened(given).items():
        hidden = _hidden(column, value, old)
        if hidden:
            told |= hidden
        elif column not in known:
            sentence = f"{shown(column)} is no column that the mapping of {target.name} writes."
            wrong.append(FieldError(f"/native/{column}", "unknown_column", sentence))
        elif column in own and str(value) != str(old.get(column)):
            sentence = f"{shown(column)} is the hub's own name of the record."
            wrong.append(FieldError(f"/native/{column}", "read_only", sentence))
        elif column not in own:
            told[column] = _typed(value, column, target)
    if not wrong and not told.keys() - own:
        wrong.append(FieldError("/native", "missing", "Nothing would be left to tell; discard it instead."))
    if wrong:
        raise Rejected("These fields cannot be told.", wrong)
    told |= {column: old[column] for column in own if column in old}
    return nested({column: storable(v) if isinstance(v, str) else v for column, v in told.items()})


def _hidden(column: str, value: Any, old: Mapping[str, Any]) -> dict[str, Any]:
    """What stood in a column, or in all the columns inside it, that comes back as a reader was shown it: masked."""
    if not isinstance(value, str) or value not in (MASK, GONE, mask(old.get(column))):
        return {}
    return {name: kept for name, kept in old.items() if name == column or name.startswith(f"{column}.")}


def _typed(value: Any, column: str, target: Target) -> Any:
    """Text, as a form gives it, in the type the column is written in; an empty one as what this target is told for no value."""
    if value is None or value == "":
        return target.mapping.out.empty
    kind = target.mapping.out.types.get(column, "text")
    if not isinstance(value, str) or kind == "text":
        return value
    if kind == "boolean":
        return value.casefold() == "true" if value.casefold() in ("true", "false") else value
    try:
        number = Decimal(value.strip())
    except InvalidOperation:
        return value
    if not number.is_finite() or number.adjusted() > 300:
        return value
    return int(number) if number == number.to_integral_value() else float(number)


def held_after(native: Mapping[str, Any], kind: str, target: Target) -> dict[str, Any]:
    """Flat values that the target holds because it was told `native`; None where it was told there is none."""
    held, columns = target.read(native, kind), flattened(native).keys()
    names = sorted(target.mapping.writes - {*HUB_NAMES, "kind"})
    values: dict[str, Any] = json_value(json_text({n: held.get(n) for n in names if columns_of(target, n) & columns}))
    return values
