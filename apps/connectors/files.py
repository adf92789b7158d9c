"""Files in: CSV, TSV, NDJSON, JSON arrays and Parquet as rows, in flat memory, however bad they are.

A bad record is a Row with problems and never stops the rest. What concerns the file as a whole (empty, header only,
columns named twice, an archive) raises FileProblem before the first row.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Final

from apps.common.strict_json import JsonProblem, strict_json
from apps.connectors.files_csv import CsvReader
from apps.connectors.files_json import JsonArrayReader, NdjsonReader
from apps.connectors.files_parquet import ParquetReader
from apps.connectors.files_row import FileProblem, Row, RowReader
from apps.connectors.files_text import Lines, LongLine, detect

__all__ = ["FORMATS", "FileProblem", "JsonProblem", "Row", "RowReader", "format_of", "open_rows", "strict_json"]

FORMATS: Final = ("csv", "tsv", "ndjson", "json", "parquet")
_BY_SUFFIX: Final = {".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".ndjson": "ndjson", ".jsonl": "ndjson"}
# First bytes of what is often sent instead of data, and what to do about it.
_FOREIGN: Final = (
    (b"PK\x03\x04", "The file is a zip archive or an Excel workbook; save the sheet as CSV in UTF-8."),
    (b"\xd0\xcf\x11\xe0", "The file is an old Excel workbook; save the sheet as CSV in UTF-8."),
    (b"\x1f\x8b", "The file is compressed with gzip; unpack it first."),
    (b"%PDF", "The file is a PDF document; save the data as CSV in UTF-8."),
)


def open_rows(path: str | PathLike[str], *, format: str | None = None, position: int = 0) -> RowReader:
    """A reader of the file's rows; `position` goes on where an earlier reader of the same file stood.

    The format is found from suffix and content unless given. Raises FileProblem, and OSError when there is no file.
    """
    place = Path(path)
    if format is not None and format not in FORMATS:
        raise FileProblem("unknown_format", f"{format!r} is not a format read here; use one of {', '.join(FORMATS)}.")
    kind = format or format_of(place)
    if kind == "parquet":
        return ParquetReader(place, position)
    if kind == "ndjson":
        return NdjsonReader(place, position)
    if kind == "json":
        return JsonArrayReader(place, position)
    return CsvReader(place, kind, position)


def format_of(path: Path) -> str:
    """One of FORMATS, by content where it is unmistakable, else by suffix, else CSV. Raises FileProblem."""
    with path.open("rb") as file:
        start = file.read(4)
    if start == b"PAR1":
        return "parquet"
    for mark, detail in _FOREIGN:
        if start.startswith(mark):
            raise FileProblem("foreign_format", detail)
    by_suffix = _BY_SUFFIX.get(path.suffix.lower())
    if path.suffix.lower() == ".parquet":
        raise FileProblem("bad_parquet", "The file is no Parquet file: its first bytes are not PAR1.")
    if by_suffix in {"csv", "tsv"}:
        return by_suffix
    first = _first_line(path)
    if first.startswith("["):
        return "json"
    if not first.startswith("{"):
        return "json" if path.suffix.lower() == ".json" else by_suffix or "csv"
    if first.rstrip() == "{":
        raise FileProblem("one_object", "The file is one JSON object; send an array of objects or one object per line.")
    return "ndjson"


def _first_line(path: Path) -> str:
    """The first line with content, without the white space before it."""
    lines = Lines(path, detect(path).name)
    try:
        while line := lines.next_line():
            if line.strip():
                return line.lstrip()
    except LongLine as error:
        return error.start.lstrip()
    finally:
        lines.close()
    return ""
