"""Parquet files, one row group after the other, in batches."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from apps.connectors.files_csv import named_columns
from apps.connectors.files_row import FileProblem, Row, RowReader, bad_row, dump
from apps.customers.canonical import Problem

_BATCH: Final = 1_000
# What pyarrow raises for damaged data; ArrowException derives from Exception, the others stand beside it.
_DAMAGED: Final = (OSError, ValueError, TypeError, KeyError, NotImplementedError, OverflowError, MemoryError)


class ParquetReader(RowReader):
    """Rows of a Parquet file; `position` is the number of rows read, `line` the row's number."""

    format = "parquet"

    def __init__(self, path: Path, position: int = 0) -> None:
        import pyarrow as arrow  # 80 ms and 50 MB, on first need only
        from pyarrow import parquet

        super().__init__(path)
        self._damaged = (*_DAMAGED, arrow.ArrowException)
        try:
            # Buffered reading keeps one page per column in memory instead of whole columns.
            self._file = parquet.ParquetFile(path, buffer_size=2**16, pre_buffer=False)
            names = list(self._file.schema_arrow.names)
            self._total = self._file.metadata.num_rows
        except self._damaged as error:
            raise FileProblem("bad_parquet", f"The file is no readable Parquet file: {_first_line(error)}") from None
        try:
            if not self._total:
                raise FileProblem("header_only", "The file has columns and no rows.")
            self.header = named_columns(names, self.warnings)
            self._plain = [_is_plain(str(field.type)) for field in self._file.schema_arrow]
        except BaseException:
            self.close()
            raise
        self.position = position

    @property
    def bytes_read(self) -> int:
        return self.size * self.position // int(self._total)

    def close(self) -> None:
        self._file.close()

    def _read(self) -> Iterator[tuple[Row, int]]:
        start = self.position
        done = 0  # rows before the group
        for group in range(self._file.num_row_groups):
            rows = self._file.metadata.row_group(group).num_rows
            if done + rows > start:
                yield from self._group(group, done, max(0, start - done))
            done += rows

    def _group(self, group: int, done: int, skip: int) -> Iterator[tuple[Row, int]]:
        rows = self._file.metadata.row_group(group).num_rows
        at = 0
        try:
            for batch in self._file.iter_batches(batch_size=_BATCH, row_groups=[group], use_threads=False):
                if at + batch.num_rows > skip:
                    for line, cells in enumerate(self._cells(batch), start=done + at + 1):
                        if line > done + skip:
                            yield self._row(line, cells), line
                at += batch.num_rows
        except self._damaged as error:
            if at < rows:
                detail = f"Rows {done + at + 1} to {done + rows} cannot be read: {_first_line(error)}"
                yield bad_row(done + at + 1, "", "bad_parquet", detail), done + rows

    def _cells(self, batch: Any) -> Iterator[tuple[Any, ...]]:
        """The values of each row, as JSON has them."""
        columns = [
            column.to_pylist() if plain and _decodes(column) else [_cell(value) for value in column]
            for column, plain in zip(batch.columns, self._plain, strict=True)
        ]
        return zip(*columns, strict=True)

    def _row(self, line: int, cells: tuple[Any, ...]) -> Row:
        bad = [name for name, cell in zip(self.header, cells, strict=True) if isinstance(cell, _Unreadable)]
        values = dict(zip(self.header, cells, strict=True))
        if not bad:
            return Row(line, values, dump(values))
        shown = {name: str(cell) if isinstance(cell, _Unreadable) else cell for name, cell in values.items()}
        problems = tuple(Problem(name, "undecodable_bytes", f"{name} holds bytes that are no UTF-8.") for name in bad)
        return Row(line, None, dump(shown), problems)


class _Unreadable(str):
    """A value whose bytes are no text, shown with backslashes."""

    __slots__ = ()


def _is_plain(kind: str) -> bool:
    """Whether values of an Arrow type are already what JSON has."""
    return kind.startswith(("string", "large_string", "int", "uint", "bool", "null"))


def _decodes(column: Any) -> bool:
    try:
        column.validate(full=True)
    except _DAMAGED:  # the cells are then looked at one by one
        return False
    return True


def _cell(scalar: Any) -> Any:
    """One Arrow value as JSON has it."""
    try:
        return _json(scalar.as_py())
    except UnicodeDecodeError:
        return _Unreadable(bytes(scalar.as_buffer()).decode("utf-8", "backslashreplace"))
    except (ValueError, OverflowError, TypeError):
        return _Unreadable(str(scalar))


def _json(value: Any) -> Any:
    if isinstance(value, float):
        # NaN is how data frames write "nothing".
        return value if math.isfinite(value) else None if math.isnan(value) else str(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal | timedelta):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, dict):
        return {str(key): _json(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_json(entry) for entry in value]
    return value


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
