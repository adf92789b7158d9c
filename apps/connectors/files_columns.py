"""A whole file as columns of texts under canonical names, for what looks at many records at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from apps.connectors.files import format_of, open_rows
from apps.connectors.files_csv import CsvReader
from apps.connectors.files_row import FileProblem
from apps.connectors.guess import SURE, guess
from apps.customers.canonical import FLAT_FIELDS

KNOWN: Final = frozenset((*FLAT_FIELDS, "system"))
_SAMPLE: Final = 200
_MOST_TOLD: Final = 5


@dataclass(frozen=True)
class FileColumns:
    """`table`: text columns under canonical names, record_id always among them; `taken`: canonical name -> columns of the file."""

    table: pa.Table
    taken: Mapping[str, Sequence[str]]
    warnings: list[str] = field(default_factory=list)


def read_columns(path: Path, named: Mapping[str, Sequence[str]] | None = None) -> FileColumns:
    """Read CSV, NDJSON, JSON or Parquet. `named`: canonical name -> columns of the file, joined by a space; what it does not name is
    taken by its own canonical name, or by what its header and values most likely mean.

    Raises FileProblem, also for a column that is named and not there. A line that cannot be read is left out and counted."""
    warnings: list[str] = []
    table = _read(path, warnings)
    taken = _taken(table, named or {})
    columns = {name: _joined([_text(table.column(one)) for one in own]) for name, own in taken.items()}
    if "record_id" not in columns:
        warnings.append(f"{path.name}: no column is the record's id; records are called by their line")
        columns["record_id"] = pa.chunked_array([pa.array(range(1, table.num_rows + 1)).cast(pa.string())])
    return FileColumns(pa.table(columns), taken, warnings)


def read_named(path: Path, names: Sequence[str]) -> pa.Table:
    """Read columns of a file under their own names, as texts. Raises FileProblem, also for a column that is not there."""
    table = _read(path, [])
    for name in names:
        if name not in table.column_names:
            raise FileProblem(
                "unknown_column", f"{path.name} has no column {name}; it has {', '.join(table.column_names)}."
            )
    return pa.table({name: _text(table.column(name)) for name in names})


def _read(path: Path, warnings: list[str]) -> pa.Table:
    kind = format_of(path)
    if kind == "parquet":
        return _parquet(path)
    try:
        return _csv(path, kind, warnings) if kind in ("csv", "tsv") else _json(path, warnings)
    except FileProblem as problem:
        if problem.code not in ("header_only", "empty_file"):
            raise
        warnings.append(f"{path.name}: {problem}")
        return pa.table({"record_id": pa.array([], pa.string())})


def _parquet(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise FileProblem("bad_parquet", f"The Parquet file cannot be read: {error}") from error


def _csv(path: Path, kind: str, warnings: list[str]) -> pa.Table:
    with CsvReader(path, kind) as reader:
        header, delimiter, encoding = list(reader.header), str(reader.delimiter), str(reader.encoding)
        first = reader.header_lines
    bad: list[int] = []

    def refuse(row: arrow_csv.InvalidRow) -> str:
        bad.append(row.number or 0)
        return "skip"

    options = arrow_csv.ReadOptions(column_names=header, skip_rows=first, encoding=encoding, use_threads=True)
    parsing = arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=refuse)
    types = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=True, null_values=[""], check_utf8=True
    )
    try:
        table = arrow_csv.read_csv(path, options, parsing, types)
    except pa.ArrowInvalid as error:
        raise FileProblem("bad_csv", f"The file cannot be read as columns: {error}") from error
    if bad:
        lines = ", ".join(map(str, sorted(filter(None, bad))[:_MOST_TOLD]))
        warnings.append(
            f"{path.name}: {len(bad)} lines have another number of cells than the header and were left out ({lines})"
        )
    return table


def _json(path: Path, warnings: list[str]) -> pa.Table:
    rows: list[Mapping[str, Any]] = []
    bad: list[int] = []
    with open_rows(path) as reader:
        for row in reader:
            if row.values is None or row.problems:
                bad.append(row.line)
            else:
                rows.append(row.values)
    if bad:
        lines = ", ".join(map(str, bad[:_MOST_TOLD]))
        warnings.append(f"{path.name}: {len(bad)} records cannot be read and were left out (lines {lines})")
    names = dict.fromkeys(name for values in rows for name in values)
    return pa.table({name: pa.array([_plain(values.get(name)) for values in rows], pa.string()) for name in names})


def _plain(value: Any) -> str | None:
    return None if value is None or isinstance(value, dict | list) else value if isinstance(value, str) else str(value)


def _text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_string(values.type):
        return values
    if pa.types.is_timestamp(values.type):
        values = values.cast(pa.date32())
    if pa.types.is_dictionary(values.type) or pa.types.is_large_string(values.type):
        return values.cast(pa.string())
    if pa.types.is_nested(values.type):
        return pa.chunked_array([pa.nulls(len(values), pa.string())])
    return pc.cast(values, pa.string())


def _joined(columns: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    if len(columns) == 1:
        return columns[0]
    return pc.binary_join_element_wise(*columns, " ", null_handling="skip")


def _taken(table: pa.Table, named: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    for name, columns in named.items():
        if name not in KNOWN:
            raise FileProblem(
                "unknown_field", f"{name} is not a field known here; known are {', '.join(sorted(KNOWN))}."
            )
        for column in columns:
            if column not in table.column_names:
                raise FileProblem(
                    "unknown_column", f"The file has no column {column}; it has {', '.join(table.column_names)}."
                )
    taken = {name: tuple(columns) for name, columns in named.items()}
    used = {column for columns in taken.values() for column in columns}
    taken |= {name: (name,) for name in table.column_names if name in KNOWN and name not in taken and name not in used}
    used |= {column for columns in taken.values() for column in columns}
    rest = [name for name in table.column_names if name not in used]
    sample = table.select(rest).slice(0, _SAMPLE)
    rows = pa.table({name: _text(sample.column(name)) for name in rest}).to_pylist()
    for column, found in guess(rest, rows).items():
        if found.canonical and found.confidence >= SURE and found.canonical not in taken:
            taken[found.canonical] = (column,)
    return taken
