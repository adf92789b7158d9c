"""What every reader of files gives: rows one by one, each with its line, its values and what is wrong with it."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from apps.common.errors import Rejected
from apps.customers.canonical import Problem

# Characters of one record as it stands in the file; a field of 10 MB still passes (and is refused later, by name).
MAX_RECORD: Final = 12 * 2**20
MAX_COLUMNS: Final = 5_000

_UNSAFE: Final = re.compile("[\0\ud800-\udfff]")

dump: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a file.

    `line` counts from 1 (lines of text files, rows of Parquet); `values` is None when the record cannot be read;
    `raw` is the record as received: its line, or JSON of its values by column; never a NUL or lone surrogate in it.
    """

    line: int
    values: dict[str, Any] | None
    raw: str
    problems: tuple[Problem, ...] = ()


class FileProblem(Rejected):
    """The file as a whole cannot be read; raised before the first row."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class RowReader(ABC):
    """Iterates the rows of one file once, in flat memory; bad rows are rows with problems, never exceptions.

    `position` says how far reading has come: given to `open_rows` again, reading goes on after the last row given out.
    `bytes_read` of `size` is for progress only. `warnings` tells what had to be guessed about the file.
    """

    format: str
    header: tuple[str, ...] = ()
    encoding: str | None = None
    delimiter: str | None = None

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = path.stat().st_size
        self.position = 0
        self.warnings: list[Problem] = []
        self._ahead: list[tuple[Row, int]] = []  # rows read while opening, each with the position after it

    def __iter__(self) -> Iterator[Row]:
        ahead, self._ahead = self._ahead, []
        for row, position in ahead:
            self.position = position
            yield row
        for row, position in self._read():
            self.position = position
            yield row

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    @abstractmethod
    def bytes_read(self) -> int: ...

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def _read(self) -> Iterator[tuple[Row, int]]:
        """Every further row with the position after it."""


def bad_row(line: int, raw: str, code: str, detail: str, *fields: str) -> Row:
    """An unreadable row with one problem, or one per field."""
    return Row(line, None, safe(raw), tuple(Problem(field, code, detail) for field in fields or ("",)))


def safe(text: str) -> str:
    """Text any database column takes: bytes that were no characters as \\xNN, lone surrogates and NUL as \\uNNNN."""
    return _UNSAFE.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC00 <= code <= 0xDCFF else f"\\u{code:04x}"
