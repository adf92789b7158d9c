"""Text files of unknown encoding, line by line in flat memory."""

from __future__ import annotations

import codecs
import io
import re
from pathlib import Path
from typing import Final, NamedTuple

from apps.connectors.files_row import MAX_RECORD, FileProblem
from apps.customers.canonical import Problem

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHUNK: Final = 2**20
# Byte 0xNN that is no character of the encoding is read as U+DCNN; no text can hold these otherwise.
UNDECODABLE: Final = re.compile("[\udc00-\udcff]")
_KEEP_BYTES: Final = "mdmhub.keep-bytes"
_UNDEFINED_IN_CP1252: Final = re.compile("[\udc81\udc8d\udc8f\udc90\udc9d]")


def _keep_bytes(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(_KEEP_BYTES, _keep_bytes)


class Encoding(NamedTuple):
    """Name of the codec, whether bytes that are no characters may occur, and what was guessed."""

    name: str
    has_undecodable: bool
    warnings: tuple[Problem, ...] = ()


def detect(path: Path) -> Encoding:
    """The encoding of a file, after looking at all of it (1 GB/s where it is ASCII).

    A byte order mark decides; else UTF-8, where most of what is not ASCII is valid in it; else Windows-1252 or Latin-1.
    """
    with path.open("rb") as file:
        start = file.read(4096)
        if not start.strip(b"\0 \t\r\n" + codecs.BOM_UTF8):
            raise FileProblem("empty_file", "The file is empty; it needs a header and at least one record.")
        for mark, name in _BOMS:
            if start.startswith(mark):
                return Encoding(name, has_undecodable=True)
        wide = _utf16_without_mark(start)
        if wide:
            detail = f"The file seems to be {wide.upper()} without a byte order mark and was read so."
            return Encoding(wide, has_undecodable=True, warnings=(Problem("", "encoding_guessed", detail),))
        file.seek(0)
        return _utf8_or_western(file)


def _utf16_without_mark(start: bytes) -> str | None:
    half = len(start) // 2
    if half >= 8:
        if start[1::2].count(0) > 0.6 * half and start[::2].count(0) < 0.1 * half:
            return "utf-16-le"
        if start[::2].count(0) > 0.6 * half and start[1::2].count(0) < 0.1 * half:
            return "utf-16-be"
    return None


def _utf8_or_western(file: io.BufferedReader) -> Encoding:
    decoder = codecs.getincrementaldecoder("utf-8")(_KEEP_BYTES)
    good = bad = 0
    undefined = False
    while True:
        chunk = file.read(_CHUNK)
        if chunk.isascii() and chunk and not decoder.getstate()[0]:
            continue
        text = decoder.decode(chunk, final=not chunk)
        wrong = len(UNDECODABLE.findall(text)) if not text.isascii() else 0
        bad += wrong
        good += len(text) - len(text.encode("ascii", "ignore")) - wrong
        undefined = undefined or (wrong > 0 and _UNDEFINED_IN_CP1252.search(text) is not None)
        if not chunk:
            break
    if not bad:
        return Encoding("utf-8", has_undecodable=False)
    if good > bad:
        detail = f"{bad} bytes are no UTF-8, though the rest of the file is; the records that hold them are set aside."
        return Encoding("utf-8", has_undecodable=True, warnings=(Problem("", "undecodable_bytes", detail),))
    name = "latin-1" if undefined else "cp1252"
    detail = f"The file is not UTF-8; it was read as {name}. Save it as UTF-8 if names look wrong."
    return Encoding(name, has_undecodable=True, warnings=(Problem("", "encoding_guessed", detail),))


class LongLine(Exception):  # a line, not an error, until the reader says so
    """A line longer than MAX_RECORD; its rest has been passed over. `start` is what it begins with."""

    def __init__(self, start: str) -> None:
        super().__init__("line too long")
        self.start = start


class Lines:
    """The lines of a text file with their ends (LF, CRLF or CR); `number` is that of the last line given out."""

    def __init__(self, path: Path, encoding: str) -> None:
        self._file = path.open("rb")
        self._text = io.TextIOWrapper(self._file, encoding=encoding, errors=_KEEP_BYTES, newline="")
        self._readline = self._text.readline
        self.number = 0

    def next_line(self) -> str:
        """The next line, "" at the end; raises LongLine."""
        line = self._readline(MAX_RECORD)
        if line:
            self.number += 1
            if len(line) >= MAX_RECORD and line[-1] not in "\r\n":
                self._pass_over()
                raise LongLine(line[:1000])
        return line

    def _pass_over(self) -> None:
        while True:
            rest = self._readline(2**16)
            if not rest or rest[-1] in "\r\n":
                return

    def skip(self, lines: int) -> None:
        while self.number < lines:
            try:
                if not self.next_line():
                    return
            except LongLine:
                continue

    def read(self, characters: int) -> str:
        return self._text.read(characters)

    @property
    def bytes_read(self) -> int:
        return 0 if self._file.closed else self._file.tell()

    def close(self) -> None:
        self._text.close()
