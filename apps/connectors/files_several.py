"""Several files as one table, for what looks at all their records together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from apps.connectors.files_columns import read_columns
from apps.connectors.files_row import FileProblem


@dataclass(frozen=True)
class SeveralFiles:
    """`table`: text columns under canonical names, record_id (distinct) and system always among them; `taken`: by file, canonical name ->
    columns of the file."""

    table: pa.Table
    taken: Mapping[str, Mapping[str, Sequence[str]]]
    warnings: list[str]


def read_several(paths: Sequence[Path], named: Mapping[str, Sequence[str]] | None = None) -> SeveralFiles:
    """Read files as `read_columns` does each. Where no column says the system, it is called like the file; ids that several files share
    are written file:id. Raises FileProblem, also for a file that is not there, and for an id that stands in one file twice while the
    ids are not distinct."""
    tables, warnings, taken = [], list[str](), {}
    for path in paths:
        if not path.is_file():
            raise FileProblem("no_file", f"There is no file {path}.")
        found = read_columns(path, named)
        table = found.table
        if "system" not in table.column_names:
            table = table.append_column("system", pa.repeat(path.stem, table.num_rows))
        tables.append(table)
        warnings += found.warnings
        taken[path.name] = {name: list(columns) for name, columns in found.taken.items()}
    whole = pa.concat_tables(tables, promote_options="default")
    return SeveralFiles(_distinct_ids(whole, tables, paths, warnings), taken, warnings)


def _distinct_ids(whole: pa.Table, tables: Sequence[pa.Table], paths: Sequence[Path], warnings: list[str]) -> pa.Table:
    ids = whole.column("record_id")
    if len(ids.unique()) == len(ids):
        return whole
    for table, path in zip(tables, paths, strict=True):
        counts = table.column("record_id").value_counts()
        twice = counts.filter(pc.greater(pc.struct_field(counts, 1), 1))
        if len(twice):
            raise FileProblem("duplicate_id", f"{path.name}: record_id {twice[0][0]} stands there more than once.")
    prefixes = pa.chunked_array([pa.repeat(f"{path.stem}:", t.num_rows) for t, path in zip(tables, paths, strict=True)])
    warnings.append("several files use the same record ids: they are written file:record_id")
    place = whole.column_names.index("record_id")
    return whole.set_column(place, "record_id", pc.binary_join_element_wise(prefixes, ids.cast(pa.string()), ""))
