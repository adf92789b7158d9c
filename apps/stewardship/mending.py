"""A quarantined record as a form: what arrived, under canonical names, each field with what is wrong with it."""

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from apps.common.errors import FieldError, HubError
from apps.connectors import files
from apps.connectors.mapping import Mapping as ColumnMapping
from apps.connectors.models import Run
from apps.customers.canonical import FLAT_FIELDS, LIST_FIELDS
from apps.customers.models import Quarantine

NAMES = ("name", "given_name", "family_name", "organization_name")
_MANY_LINES = 80


@dataclass(slots=True)
class MendField:
    """One input. `value` as shown; `given`: the record had this field; `rich`: the value is JSON."""

    name: str
    value: str
    given: bool
    rich: bool = False
    problems: list[str] = field(default_factory=list)

    @property
    def long(self) -> bool:
        return self.rich or len(self.value) > _MANY_LINES or "\n" in self.value


@dataclass(slots=True)
class Mending:
    """`fields` to mend, `others` that may be added; `problems` of no field; `unmapped`: kept in raw only."""

    fields: list[MendField]
    others: list[MendField]
    problems: list[str]
    unmapped: Mapping[str, Any]


def mending(
    row: Quarantine, posted: Mapping[str, str] | None = None, errors: Iterable[FieldError] | None = None
) -> Mending:
    """The form of a row; `posted` what the user typed and `errors` what was wrong with that, on the second try."""
    values, unmapped = _values(row)
    found = {name: _field(name, values[name]) for name in values}
    told = (
        [(p.get("field", ""), p.get("detail", "")) for p in row.problems]
        if errors is None
        else [(e.field, e.detail) for e in errors]
    )
    general = []
    for where, detail in told:
        name = where.strip("/").split("/")[0]
        if name in FLAT_FIELDS or name in LIST_FIELDS or name in found:
            found.setdefault(name, MendField(name, "", given=False)).problems.append(detail)
        else:
            general.append(detail)
    for name in ("record_id",) if found.keys() & set(NAMES) else ("record_id", "name"):
        found.setdefault(name, MendField(name, "", given=False))
    others = [MendField(name, "", given=False) for name in FLAT_FIELDS if name not in found]
    for one in (*found.values(), *others):
        if posted is not None and (name := f"field:{one.name}") in posted:
            one.value = posted[name]
    order = {name: place for place, name in enumerate((*FLAT_FIELDS, *LIST_FIELDS))}
    shown = [*found.values(), *(one for one in others if one.value)]
    shown.sort(key=lambda f: (not f.problems, order.get(f.name, 99), f.name))
    return Mending(shown, [one for one in others if not one.value], general, unmapped)


def _values(row: Quarantine) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """(canonical names -> values, columns without a canonical name) of what arrived; empty where it cannot be read."""
    run = Run.objects.select_related("mapping").filter(id=row.run_id).first() if row.run_id else None
    arrived = _arrived(row, run)
    if arrived is None:
        return {}, {}
    mapped = _mapped(run, arrived)
    unmapped = {name: value for name, value in mapped.items() if name not in FLAT_FIELDS and name not in LIST_FIELDS}
    return {name: value for name, value in mapped.items() if name not in unmapped}, unmapped


def _arrived(row: Quarantine, run: Run | None) -> dict[str, Any] | None:
    """What arrived, by column; the cells of a line that does not fit the header are laid out from the left."""
    try:
        arrived = json.loads(row.raw or "")
        return arrived if isinstance(arrived, dict) else None
    except (ValueError, RecursionError):
        pass
    if run is None or not run.file_path or not Path(run.file_path).is_file():
        return None
    try:
        with files.open_rows(run.file_path) as reader:
            cells = next(csv.reader([row.raw or ""], delimiter=reader.delimiter or ","), [])
            return dict(zip(reader.header, cells, strict=False)) if reader.delimiter else None
    except (HubError, OSError, csv.Error):
        return None


def _mapped(run: Run | None, arrived: dict[str, Any]) -> dict[str, Any]:
    if run is None or run.mapping is None:
        return arrived
    try:
        values, unmapped = ColumnMapping.from_dict(run.mapping.body).apply(arrived)
    except HubError:
        return arrived
    return {**unmapped, **values}


def _field(name: str, value: Any) -> MendField:
    if isinstance(value, (dict, list)):
        return MendField(name, json.dumps(value, ensure_ascii=False, indent=1), given=True, rich=True)
    return MendField(name, "" if value is None else str(value), given=True)


def mended(row: Quarantine, posted: Mapping[str, str]) -> dict[str, Any]:
    """The record as mended, under canonical names.

    A field that was never there and stays blank is left out; an emptied one is empty.

    Raises ValueError with a sentence when a list is no JSON."""
    values, _ = _values(row)
    fixed: dict[str, Any] = {}
    for name in (*FLAT_FIELDS, *LIST_FIELDS):
        typed = posted.get(f"field:{name}")
        if typed is None:
            if name in values:
                fixed[name] = values[name]
        elif name in values and typed == _field(name, values[name]).value:
            fixed[name] = values[name]
        elif typed or name in values:
            fixed[name] = _parsed(name, typed) if name in LIST_FIELDS else typed
    return fixed


def _parsed(name: str, typed: str) -> Any:
    try:
        return json.loads(typed) if typed else None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} is no readable JSON.") from error


@dataclass(frozen=True, slots=True)
class Filters:
    """What the list is narrowed to. `run` and `system` as they stand in the address."""

    state: str
    system: str
    cause: str
    run: UUID | None


def rows(filters: Filters) -> QuerySet[Quarantine]:
    """Quarantined records, newest first."""
    found = Quarantine.objects.select_related("system").defer("salt", "digest").order_by("-id")
    if filters.state != "all":
        found = found.filter(state=filters.state)
    if filters.system:
        found = found.filter(system__code=filters.system)
    if filters.run:
        found = found.filter(run_id=filters.run)
    if filters.cause:
        found = found.filter(problems__contains=[{"code": filters.cause}])
    return found


def causes() -> list[tuple[str, int]]:
    """(code, open records that have it), most frequent first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p->>'code', count(DISTINCT q.id) FROM quarantine q, jsonb_array_elements(q.problems) p"
            " WHERE q.state = 'open' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 30"
        )
        return list(cursor.fetchall())
