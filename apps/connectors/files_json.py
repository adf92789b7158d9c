"""JSON files: one object per line (NDJSON), or one array of objects."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from apps.common.pointers import shown
from apps.common.strict_json import JsonProblem, end_of_value, strict_json
from apps.connectors.files_row import MAX_RECORD, FileProblem, Row, RowReader, bad_row, safe
from apps.connectors.files_text import UNDECODABLE, Lines, LongLine, detect
from apps.customers.canonical import Problem

_AHEAD_ROWS: Final = 500
_AHEAD_SIZE: Final = 2**21
_CHUNK: Final = 2**18
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_QUOTE: Final = re.compile(r'(?<!\\)"')
_NEXT_OBJECT: Final = re.compile(r"\}\s*,\s*(?=\{)")
_AFTER_VALUE: Final = re.compile(r"\s*[,\]]")


class _JsonReader(RowReader):
    """What both forms share: encoding, and a header made of the keys of the first records."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        found = detect(path)
        self.encoding = found.name
        self.warnings.extend(found.warnings)
        self._check_bytes = found.has_undecodable
        self._lines = Lines(path, found.name)

    @property
    def bytes_read(self) -> int:
        return self._lines.bytes_read

    def close(self) -> None:
        self._lines.close()

    def _look_ahead(self) -> None:
        """Reads some records to know the columns; raises FileProblem when there are none."""
        keys: dict[str, None] = {}
        size = 0
        for row, position in self._read():
            self._ahead.append((row, position))
            keys.update(dict.fromkeys(row.values or ()))
            size += len(row.raw)
            if len(self._ahead) == _AHEAD_ROWS or size > _AHEAD_SIZE:
                break
        if not self._ahead:
            raise FileProblem("empty_file", "The file holds no records.")
        self.header = tuple(keys)

    def _row(self, line: int, text: str) -> Row:
        if self._check_bytes and UNDECODABLE.search(text):
            detail = f"Line {line} holds bytes that are no characters in {self.encoding}; send it in UTF-8."
            return bad_row(line, text, "undecodable_bytes", detail)
        try:
            value: Any = strict_json(text)
        except JsonProblem as problem:
            return Row(line, None, safe(text), (Problem(problem.pointer[1:], problem.code, problem.detail),))
        if not isinstance(value, dict):
            return bad_row(line, text, "not_an_object", f"A record is a JSON object, not {shown(value)}.")
        return Row(line, value, safe(text))


class NdjsonReader(_JsonReader):
    """Rows of a file with one JSON object per line; `position` is the number of lines read."""

    format = "ndjson"

    def __init__(self, path: Path, position: int = 0) -> None:
        super().__init__(path)
        try:
            self._look_ahead()
            if position:
                self._ahead = []
                self._lines.close()
                self._lines = Lines(path, str(self.encoding))
                self._lines.skip(position)
                self.position = position
        except BaseException:
            self.close()
            raise

    def _read(self) -> Iterator[tuple[Row, int]]:
        lines = self._lines
        while True:
            try:
                line = lines.next_line()
            except LongLine as error:
                detail = f"Line {lines.number} is longer than {MAX_RECORD} characters."
                yield bad_row(lines.number, error.start, "line_too_long", detail), lines.number
                continue
            if not line:
                return
            text = line.strip()
            if text:
                yield self._row(lines.number, text), lines.number


class JsonArrayReader(_JsonReader):
    """Rows of one JSON array, object by object; `position` is the number of elements read."""

    format = "json"

    def __init__(self, path: Path, position: int = 0) -> None:
        super().__init__(path)
        self._decode = json.JSONDecoder().raw_decode
        self._start()
        try:
            self._look_ahead()
            if position:
                self._ahead = []
                self._lines.close()
                self._lines = Lines(path, str(self.encoding))
                self._start()
                rows = self._read()
                while self._count < position and next(rows, None):
                    pass
                self.position = position
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        self._buffer = ""
        self._at = 0  # place in the buffer
        self._line = 1  # line of that place
        self._count = 0
        self._ended = False  # the file has been read to its end
        self._closed = False  # so has the array

    def _read(self) -> Iterator[tuple[Row, int]]:
        if self._closed:
            return
        if not self._count and self._next_mark() == "[":
            self._move(self._at + 1)
        while True:
            mark = self._next_mark()
            if mark == ",":
                self._move(self._at + 1)
                continue
            if mark in {"", "]"}:
                yield from self._end(mark)
                return
            line = self._line
            text = self._element()
            self._count += 1
            if len(text) > MAX_RECORD:
                detail = f"The record on line {line} is longer than {MAX_RECORD} characters."
                yield bad_row(line, text[:1000], "line_too_long", detail), self._count
            else:
                yield self._row(line, text), self._count

    def _end(self, mark: str) -> Iterator[tuple[Row, int]]:
        """After the last element: nothing, or a row that tells what is wrong with the end of the file."""
        line, rest = self._line, ""
        self._closed = True
        if mark:
            self._move(self._at + 1)
            if self._next_mark():
                line, rest = self._line, self._buffer[self._at : self._at + 1000]
                self._move(len(self._buffer))
                while self._fill():
                    self._move(len(self._buffer))
        if rest or not mark:
            detail = (
                "Text follows after the end of the array."
                if mark
                else "The array is not closed; the file may be cut off."
            )
            self._count += 1
            yield bad_row(line, rest, "bad_json", f"Line {line}: {detail}"), self._count

    def _fill(self, characters: int = _CHUNK) -> bool:
        more = "" if self._ended else self._lines.read(characters)
        self._ended = not more
        self._buffer = self._buffer[self._at :] + more
        self._at = 0
        return bool(more)

    def _move(self, to: int) -> None:
        self._line += self._buffer.count("\n", self._at, to)
        self._at = to

    def _next_mark(self) -> str:
        """The next character that is no white space, "" at the end of the file."""
        while True:
            found = _SPACE.match(self._buffer, self._at)
            self._move(found.end() if found else self._at)
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._fill():
                return ""

    def _element(self) -> str:
        """The text of the element that begins here, right or wrong; moves behind it."""
        while True:
            end = self._end_of_element()
            if (
                end is None
                and len(self._buffer) - self._at <= MAX_RECORD
                and self._fill(max(_CHUNK, len(self._buffer)))
            ):
                continue
            if end is None:
                end = self._next_start()
            text = self._buffer[self._at : end]
            self._move(end)
            return text.strip()

    def _end_of_element(self) -> int | None:
        """Where the element ends in the buffer; None when more of the file is needed or its brackets do not match."""
        try:
            end = self._decode(self._buffer, self._at)[1]
            # A number or word at the end of the buffer may go on.
            if end < len(self._buffer) or self._ended:
                return end
        except (ValueError, RecursionError):
            pass
        else:
            return None
        found = end_of_value(self._buffer, self._at) if self._buffer[self._at] in "{[" else None
        if found is None or not _AFTER_VALUE.match(self._buffer, found):
            return None
        # With a quote left open, what looks like text and what looks like brackets have changed places.
        quotes = len(_QUOTE.findall(self._buffer, self._at, found))
        return found if quotes % 2 == 0 else None

    def _next_start(self) -> int:
        """Where the next object seems to begin after an element that has no end of its own."""
        found = _NEXT_OBJECT.search(self._buffer, self._at)
        if found:
            return found.start() + 1
        comma = self._buffer.find(",", self._at)
        if self._buffer[self._at] not in '{["' and comma > 0:
            return comma
        return len(self._buffer)
