"""CSV and TSV: rows of a file whose header names the columns.

A quote that is never closed would swallow the rest of the file. It is noticed (the end of the file or a bound comes
inside quotes, or a record of several lines has the wrong number of cells), the line it stands on becomes a bad row, and
reading goes on with the next line.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from json.encoder import encode_basestring
from pathlib import Path
from typing import Final

from apps.common.pointers import shown
from apps.connectors.files_row import MAX_COLUMNS, MAX_RECORD, FileProblem, Row, RowReader, bad_row, dump
from apps.connectors.files_text import UNDECODABLE, Lines, LongLine, detect
from apps.customers.canonical import Problem
from apps.customers.canonical_text import Notes, tidy

csv.field_size_limit(MAX_RECORD)

_DELIMITERS: Final = (",", ";", "\t", "|")
_MAX_LINES: Final = 500  # of one record: more line breaks in one customer's data are a quote left open
_SAMPLE: Final = 65_536


class _OpenQuote(Exception):  # a state of reading, handled where it is raised
    """A record grew beyond what any record is."""


class _Feed:
    """The lines for csv.reader, remembering those of the record being read so that they can be read again."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._again: deque[str | LongLine] = deque()
        self._size = 0
        self.taken: list[str] = []  # lines of the record being read
        self.ended = False  # the file ended while a record was being read
        self.number = lines.number  # of the last line given out

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._next_line()
        if isinstance(line, LongLine):
            if self.taken:  # an open quote led here: the lines before are read again, then this one
                self._again.appendleft(line)
                raise _OpenQuote
            self.number += 1
            raise line
        if not line:
            self.ended = bool(self.taken)
            raise StopIteration
        self.number += 1
        self._size += len(line)
        self.taken.append(line)
        if len(self.taken) > _MAX_LINES or self._size > MAX_RECORD:
            raise _OpenQuote
        return line

    def _next_line(self) -> str | LongLine:
        try:
            return self._lines.next_line()
        except LongLine as error:
            return error

    def begin(self) -> None:
        self.taken = []
        self._size = 0
        self.ended = False

    def give_back(self) -> str:
        """Keeps the first line of the record, gives the others out again."""
        first, *others = self.taken
        self._again.extendleft(reversed(others))
        self.number -= len(others)
        self.begin()
        return first


class CsvReader(RowReader):
    """Rows of a CSV or TSV file; `position` is the number of lines read."""

    def __init__(self, path: Path, kind: str, position: int = 0) -> None:
        super().__init__(path)
        self.format = kind
        found = detect(path)
        self.encoding = found.name
        self.warnings.extend(found.warnings)
        self._check_bytes = found.has_undecodable
        self._lines = Lines(path, found.name)
        try:
            self._open(kind, position)
        except BaseException:
            self.close()
            raise

    def _open(self, kind: str, position: int) -> None:
        separator, skipped = self._dialect(kind)
        self.delimiter = separator
        self._lines.skip(skipped)
        self._feed = _Feed(self._lines)
        self.header = self._read_header()
        self.header_lines = self._feed.number  # up to and with the header
        if position > self._feed.number:
            self._lines.skip(position)
            self._feed = _Feed(self._lines)
            self.position = position
            return
        self._ahead = [first] if (first := next(self._read(), None)) else []
        if not self._ahead:
            raise FileProblem("header_only", "The file has a header and no records below it.")

    @property
    def bytes_read(self) -> int:
        return self._lines.bytes_read

    def close(self) -> None:
        self._lines.close()

    def _dialect(self, kind: str) -> tuple[str, int]:
        """Delimiter, and the number of lines before the header (Excel's "sep=;")."""
        lines = Lines(self.path, str(self.encoding))
        try:
            sample = lines.read(_SAMPLE)
        finally:
            lines.close()
        first = sample.split("\n", 1)[0].strip("\r\ufeff ")
        if first[:4].lower() == "sep=" and len(first) == 5:
            return first[4], 1
        if kind == "tsv":
            return "\t", 0
        if len(sample) == _SAMPLE:
            sample = (
                sample[: max(sample.rfind("\n"), sample.rfind("\r"))] if "\n" in sample or "\r" in sample else sample
            )
        return max(_DELIMITERS, key=lambda mark: _fit(sample, mark)), 0

    def _read_header(self) -> tuple[str, ...]:
        """The names of the columns; what names nothing usable is a problem of the file."""
        cells: list[str] = []
        try:
            reader = csv.reader(self._feed, delimiter=str(self.delimiter), strict=True)
            while not cells or (len(cells) == 1 and not cells[0].strip()):
                self._feed.begin()
                cells = next(reader)
        except StopIteration:
            raise FileProblem("empty_file", "The file is empty; it needs a header and at least one record.") from None
        except (_OpenQuote, LongLine, csv.Error):
            raise FileProblem(
                "bad_header", "The header cannot be read: a quote is left open or it is too long."
            ) from None
        return named_columns(cells, self.warnings)

    def _read(self) -> Iterator[tuple[Row, int]]:
        feed, header, width = self._feed, self.header, len(self.header)
        reader = csv.reader(feed, delimiter=str(self.delimiter), strict=True)
        keys = [f"{encode_basestring(name)}:" for name in header]
        while True:
            feed.begin()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except LongLine as error:
                detail = f"Line {feed.number} is longer than {MAX_RECORD} characters."
                yield bad_row(feed.number, error.start, "line_too_long", detail), feed.number
                continue
            except (_OpenQuote, csv.Error):
                yield self._bad_quote(), feed.number
                continue
            if len(feed.taken) > 1 and len(cells) != width:
                yield self._bad_quote(), feed.number
                continue
            if not cells or (not cells[0] and not any(cell.strip() for cell in cells)):
                continue  # a line without any content is no record
            line = feed.number - len(feed.taken) + 1
            if len(cells) != width and any(cells[width:] or [" "]):
                detail = f"Line {line} has {len(cells)} cells where the header has {width} columns."
                yield bad_row(line, "".join(feed.taken).rstrip("\r\n"), "ragged_row", detail), feed.number
            elif self._check_bytes and UNDECODABLE.search("".join(feed.taken)):
                yield self._undecodable(line, cells), feed.number
            else:
                # JSON of the values, at half the price of an encoder that must ask each value's type.
                raw = ",".join([key + encode_basestring(cell) for key, cell in zip(keys, cells, strict=False)])
                yield Row(line, dict(zip(header, cells, strict=False)), f"{{{raw}}}"), feed.number

    def _bad_quote(self) -> Row:
        """The first line of a record whose quotes are wrong; its other lines are read again."""
        feed = self._feed
        line = feed.number - len(feed.taken) + 1
        is_open = len(feed.taken) > 1 or feed.ended
        first = feed.give_back().rstrip("\r\n")
        if is_open:
            detail = f"Line {line} opens a quote that is not closed where a cell ends; close it, or double it."
            return bad_row(line, first, "open_quote", detail)
        detail = f"Line {line} goes on behind a closing quote; double the quotes that belong to the text."
        return bad_row(line, first, "bad_quote", detail)

    def _undecodable(self, line: int, cells: list[str]) -> Row:
        fields = [name for name, cell in zip(self.header, cells, strict=False) if UNDECODABLE.search(cell)]
        raw = dump(dict(zip(self.header, cells, strict=False)))
        detail = f"Line {line} holds bytes that are no characters in {self.encoding}; send it in UTF-8."
        return bad_row(line, raw, "undecodable_bytes", detail, *fields)


def _fit(sample: str, delimiter: str) -> tuple[bool, float, int]:
    """How well a delimiter fits: it splits the header, the rows have the header's width, many columns."""
    rows = csv.reader(sample.splitlines(keepends=True), delimiter=delimiter)
    widths: list[int] = []
    try:
        for cells in rows:
            if cells:
                widths.append(len(cells))
            if len(widths) == 20:
                break
    except csv.Error:
        pass
    if not widths or widths[0] < 2:
        return False, 0.0, 0
    return True, widths.count(widths[0]) / len(widths), widths[0]


def named_columns(cells: list[str], warnings: list[Problem]) -> tuple[str, ...]:
    """Clean and distinct column names; a blank one is called by its place. Raises FileProblem."""
    if len(cells) > MAX_COLUMNS:
        raise FileProblem("too_many_columns", f"The file has {len(cells)} columns; at most {MAX_COLUMNS} are read.")
    while len(cells) > 1 and not cells[-1].strip():
        cells = cells[:-1]  # delimiters at the end of the header are left-overs of spreadsheets
    notes = Notes()
    names: list[str] = []
    for at, cell in enumerate(cells, start=1):
        name = tidy(cell.removeprefix("\ufeff"), f"column {at}", notes)
        if name is None or UNDECODABLE.search(cell) or len(name) > 200:
            raise FileProblem("bad_header", f"The name of column {at} ({shown(cell)}) cannot be read.")
        if not name:
            warnings.append(Problem(f"column {at}", "unnamed_column", f"Column {at} has no name in the header."))
        names.append(name or f"column {at}")
    if not any(cell.strip() for cell in cells):
        raise FileProblem("no_columns", "The header names no column.")
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        listed = ", ".join(shown(name) for name in twice[:10])
        raise FileProblem(
            "duplicate_header", f"The header names {listed} more than once; give every column its own name."
        )
    return tuple(names)
