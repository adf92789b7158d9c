"""An import before it runs: the uploaded file, which column means what, and what the first rows become."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile

from apps.common.errors import Rejected
from apps.common.ids import uuid7
from apps.connectors import files, guess, runs
from apps.connectors import models as tables
from apps.connectors.mapping import Mapping as ColumnMapping
from apps.connectors.mapping import MappingError
from apps.customers import canonical
from apps.customers.canonical import FLAT_FIELDS, LIST_FIELDS
from apps.customers.models import System

SAMPLE = 200
PREVIEW = 20
SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".ndjson", ".jsonl", ".json", ".parquet")


@dataclass(frozen=True, slots=True)
class Draft:
    """A file that waits for its mapping, known only to the session of the one who brought it."""

    id: UUID
    file_name: str
    suffix: str
    system: int

    @property
    def path(self) -> Path:
        return runs.uploads() / f"{self.id}{self.suffix}"

    def to_session(self) -> dict[str, Any]:
        return {"file_name": self.file_name, "suffix": self.suffix, "system": self.system}


def keep(
    upload: UploadedFile,  # type: ignore[type-arg]  # not generic at run time
    system: System,
) -> Draft:
    """Keeps an uploaded file where only the hub can read it. Raises Rejected, and keeps nothing, if it is of no use."""
    name = "".join(c for c in Path(upload.name or "").name if c.isprintable())[-200:] or "upload"
    suffix = Path(name).suffix.lower()
    draft = Draft(uuid7(), name, suffix if suffix in SUFFIXES else "", system.id)
    try:
        with open(draft.path, "xb", opener=_private) as target:
            for chunk in upload.chunks():
                target.write(chunk)
        with files.open_rows(draft.path) as reader:
            if next(iter(reader), None) is None:
                raise Rejected("The file has no rows.")
    except Rejected:
        forget(draft)
        raise
    return draft


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def forget(draft: Draft) -> None:
    """Removes the file of a draft that will not run."""
    with suppress(FileNotFoundError):
        draft.path.unlink()


@dataclass(frozen=True, slots=True)
class Sample:
    """The first rows of a file. `header`: its columns, or the keys the first records have."""

    header: Sequence[str]
    rows: Sequence[files.Row]
    warnings: Sequence[str]
    format: str


def sample(draft: Draft) -> Sample:
    """Reads the first rows. Raises FileProblem, and Rejected when the file is gone."""
    try:
        with files.open_rows(draft.path) as reader:
            rows = list(islice(iter(reader), SAMPLE))
            header = reader.header or tuple(dict.fromkeys(k for r in rows if r.values for k in r.values))
            return Sample(header, rows, [w.detail for w in reader.warnings], reader.format)
    except FileNotFoundError as error:
        raise Rejected("The uploaded file is no longer there; upload it again.") from error


@dataclass(frozen=True, slots=True)
class Column:
    """One column and what it is taken for ("": left out). `confidence` 0 to 1; None: a person or a mapping chose."""

    name: str
    index: int
    chosen: str
    confidence: float | None
    reason: str
    examples: Sequence[str]

    @property
    def sureness(self) -> str:
        if self.confidence is None or not self.chosen:
            return ""
        return "sure" if self.confidence >= 0.8 else "likely" if self.confidence >= guess.SURE else "a guess"


def columns(sampled: Sample, chosen: Mapping[str, str] | None = None) -> list[Column]:
    """Every column with its meaning: `chosen` (column -> canonical name) if given, else as guessed from the file."""
    guesses = guess.guess(sampled.header, [r.values for r in sampled.rows if r.values])
    found = []
    for index, name in enumerate(sampled.header):
        g = guesses[name]
        sure = bool(g.canonical) and g.confidence >= guess.SURE
        examples = list(
            dict.fromkeys(
                str(r.values[name])[:60] for r in sampled.rows if r.values and r.values.get(name) not in (None, "")
            )
        )[:3]
        if chosen is not None:
            meaning = chosen.get(name, "")
            found.append(
                Column(name, index, meaning, None, g.reason if meaning == (g.canonical or "") else "", examples)
            )
        else:
            found.append(
                Column(
                    name,
                    index,
                    g.canonical or "" if sure else "",
                    g.confidence if g.canonical else None,
                    g.reason,
                    examples,
                )
            )
    return found


def chosen_from(body: Mapping[str, Any], header: Sequence[str]) -> dict[str, str]:
    """Column -> canonical name, as a saved mapping says; columns with canonical names speak for themselves."""
    meaning = {name: name for name in header if name in FLAT_FIELDS or name in LIST_FIELDS}
    meaning |= {name: f"extra.{name}" for name in body.get("extra", {}) if name in header}
    for canonical_name, cols in body.get("columns", {}).items():
        for column in [cols] if isinstance(cols, str) else cols:
            meaning[column] = f"extra.{canonical_name}" if canonical_name in body.get("extra", {}) else canonical_name
    return {
        column: name for column, name in meaning.items() if column in header and column not in body.get("ignore", ())
    }


def document(chosen: Sequence[Column], base: Mapping[str, Any], *, country: str, kind: str) -> ColumnMapping:
    """The mapping a person chose, on top of a saved one (value tables stay). Raises MappingError.

    Several columns for one name are joined by a space. A column kept as its own attribute is declared as text."""
    by_name: dict[str, list[str]] = {}
    extra: dict[str, str] = {}
    ignore = []
    for column in chosen:
        if column.chosen.startswith("extra."):
            name = column.chosen.removeprefix("extra.") if column.chosen != "extra." else column.name
            extra[name] = base.get("extra", {}).get(name, "text")
            by_name.setdefault(name, []).append(column.name)
        elif column.chosen:
            by_name.setdefault(column.chosen, []).append(column.name)
        elif column.name in FLAT_FIELDS or column.name in LIST_FIELDS:
            ignore.append(column.name)
    constants = {**base.get("constants", {}), **({"kind": kind} if kind else {})}
    if not kind:
        constants.pop("kind", None)
    body = {
        "columns": by_name,
        "extra": extra,
        "ignore": ignore,
        "constants": constants,
        "default_country": country or None,
        "values": {n: w for n, w in base.get("values", {}).items() if n in by_name or n in FLAT_FIELDS},
    }
    return ColumnMapping.from_dict(body)


@dataclass(frozen=True, slots=True)
class PreviewCell:
    """What arrived, what it becomes when that differs, and what was found ("", "warn" or "bad")."""

    received: Any
    becomes: Any = None
    level: str = ""


@dataclass(frozen=True, slots=True)
class PreviewRow:
    line: int
    cells: Sequence[PreviewCell]
    problems: Sequence[tuple[str, str]]
    warnings: Sequence[tuple[str, str]]


@dataclass(slots=True)
class Preview:
    """The first rows as the hub would take them; `bad` of `looked_at` would go to quarantine."""

    names: Sequence[str] = ()
    rows: list[PreviewRow] = field(default_factory=list)
    looked_at: int = 0
    bad: int = 0
    wrong: Sequence[str] = ()


def preview(sampled: Sample, mapping: ColumnMapping) -> Preview:
    """Maps and parses the sample; the first 20 rows are shown. What is wrong with the mapping itself is in `wrong`."""
    try:
        mapping.check(sampled.header)
    except MappingError as error:
        return Preview(wrong=[e.detail for e in error.fields], looked_at=0)
    result = Preview(looked_at=len(sampled.rows))
    mapped = [(row, mapping.apply(row.values)[0] if row.values is not None else {}) for row in sampled.rows]
    present = {"kind"} | {name for _, item in mapped for name in item}
    result.names = [n for n in (*FLAT_FIELDS, *LIST_FIELDS, *mapping.extra) if n in present]
    for row, item in mapped:
        shown = _preview_row(row, item, mapping, result.names)
        result.bad += bool(shown.problems)
        if len(result.rows) < PREVIEW:
            result.rows.append(shown)
    return result


def _preview_row(row: files.Row, item: Mapping[str, Any], mapping: ColumnMapping, names: Sequence[str]) -> PreviewRow:
    if row.values is None or row.problems:
        unreadable = [(p.field, p.detail) for p in row.problems]
        return PreviewRow(row.line, [PreviewCell(item.get(n)) for n in names], unreadable, [])
    parsed = canonical.parse(item, default_country=mapping.default_country, declared_extra=mapping.extra)
    becomes = dict(_flat(parsed.canonical))
    bad = {p.field.split("/")[0] for p in parsed.problems}
    told = [w for w in parsed.warnings if w.code != "kind_inferred"]  # the column shows what was found
    odd = {w.field.split("/")[0] for w in told}
    cells = []
    for name in names:
        received, new = item.get(name), becomes.get(name)
        level = "bad" if name in bad else "warn" if name in odd else ""
        cells.append(
            PreviewCell(
                received, new if new is not None and str(new) != str(received) and level != "bad" else None, level
            )
        )
    return PreviewRow(
        row.line, cells, [(p.field, p.detail) for p in parsed.problems], [(w.field, w.detail) for w in told]
    )


def _flat(body: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Flat name -> standard form, for single values and the first of each kind in a list."""
    for name in FLAT_FIELDS:
        if name in body:
            yield name, body[name]
    for entry in (*reversed(body.get("contact_points", ())), *reversed(body.get("identifiers", ()))):
        yield entry["type"], entry["value"]
    for address in body.get("addresses", ())[:1]:
        for part, name in (("line1", "address_line1"), ("line2", "address_line2")):
            if part in address:
                yield name, address[part]
        yield from ((p, address[p]) for p in ("city", "region", "postal_code", "country") if p in address)


def saved_mappings(system: System) -> list[tables.Mapping]:
    """The newest version of every mapping of a system, the last saved first."""
    newest = tables.Mapping.objects.filter(system=system).order_by("name", "-version").distinct("name")
    return sorted(newest, key=lambda m: m.created_at, reverse=True)
