"""Files of labelled pairs: two record ids and whether they are one customer."""

from pathlib import Path

from apps.connectors.files import open_rows
from apps.connectors.files_row import FileProblem
from apps.matching.labels import COLUMNS, Line


def read_labels(path: Path) -> tuple[list[Line], list[str]]:
    """Read left, right and match from CSV, NDJSON, JSON or Parquet; a line that cannot be read is a sentence, not a failure.

    Raises FileProblem where the file as a whole cannot be read or lacks a column."""
    if not path.is_file():
        raise FileProblem("no_file", f"There is no file {path}.")
    lines, problems = [], []
    with open_rows(path) as reader:
        for row in reader:
            if row.values is None:
                problems.append(f"line {row.line}: {row.problems[0].detail}")
                continue
            lacking = [name for name in COLUMNS if name not in row.values]
            if lacking and reader.format in ("csv", "tsv", "parquet"):
                raise FileProblem(
                    "unknown_column", f"{path.name} has no column {lacking[0]}; it needs left, right, match."
                )
            lines.append(Line(row.line, *(row.values.get(name) for name in COLUMNS)))
    return lines, problems
