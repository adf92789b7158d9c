"""Folders in which files appear whole or not at all: what the file adapter needs of one, and a folder of this machine."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from apps.connectors.contract import Trouble

PART: Final = ".part"
"""The end of the name of a file that is not whole yet; whoever reads leaves such files alone."""


class FolderError(Exception):
    """A folder or its server did not do what it should; `trouble` says who can mend it."""

    def __init__(self, trouble: Trouble, code: str, detail: str) -> None:
        super().__init__(detail)
        self.trouble = trouble
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Listed:
    """A file in a folder; `stamp` differs when its content does."""

    name: str
    stamp: str
    size: int


class Folder(Protocol):
    """`part` is a folder inside, made when it is missing. All methods raise FolderError; `timeout` in seconds."""

    def put(self, part: str, name: str, data: bytes, *, timeout: float) -> bool:
        """Makes the file, whole from the first moment; False when it is there already with the same content."""
        ...

    def files(self, part: str, *, timeout: float) -> list[Listed]:
        """The whole files, by name."""
        ...

    def copy(self, part: str, name: str, into: Path, *, timeout: float) -> None: ...

    def move(self, part: str, name: str, to: str, *, timeout: float) -> None:
        """Into another folder; a file of that name there is never lost."""
        ...

    def probe(self, *, timeout: float) -> None: ...

    def close(self) -> None: ...


class LocalFolder:
    """A folder of this machine, inside one that the administrator allows by name."""

    def __init__(self, folder: str, allowed: Collection[str]) -> None:
        self._folder = Path(folder)
        self._allowed = [Path(entry) for entry in allowed if entry.startswith("/")]

    def put(self, part: str, name: str, data: bytes, *, timeout: float) -> bool:
        with _told(name):
            place = self._made(part)
            whole, begun = place / name, place / f"{name}.{secrets.token_hex(4)}{PART}"
            if _same(whole, data):
                return False
            try:
                _write(begun, data)
                # A link fails where the name is taken, a rename would not.
                os.link(begun, whole)
            except FileExistsError:
                return not _same(whole, data)
            finally:
                begun.unlink(missing_ok=True)
            _settle(place)
            return True

    def files(self, part: str, *, timeout: float) -> list[Listed]:
        with _told(part):
            found = []
            for entry in os.scandir(self._made(part)):
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode) and is_whole(entry.name):
                    stamp = f"{status.st_size}-{status.st_mtime_ns}"
                    found.append(Listed(entry.name, stamp, status.st_size))
            return sorted(found, key=lambda file: file.name)

    def copy(self, part: str, name: str, into: Path, *, timeout: float) -> None:
        with _told(name):
            source = os.open(self._made(part) / name, os.O_RDONLY | os.O_NOFOLLOW)
            with os.fdopen(source, "rb") as file, into.open("wb") as copy:
                while block := file.read(1 << 20):
                    copy.write(block)

    def move(self, part: str, name: str, to: str, *, timeout: float) -> None:
        with _told(name):
            source, target = self._made(part) / name, self._made(to) / name
            while True:
                try:
                    os.link(source, target, follow_symlinks=False)
                    break
                except FileExistsError:
                    if target.samefile(source):
                        break  # an earlier move that was cut short
                    target = target.with_name(f"{name}.{secrets.token_hex(4)}")
            source.unlink()

    def probe(self, *, timeout: float) -> None:
        with _told(str(self._folder)):
            if not os.access(self._made("."), os.R_OK | os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, "not writable")

    def close(self) -> None:
        return None

    def _made(self, part: str) -> Path:
        """The folder inside, made when it is missing; its real place, with all links followed, is inside an allowed one."""
        real = self._folder.resolve()
        if not any(real.is_relative_to(entry.resolve()) for entry in self._allowed):
            detail = f"The folder {self._folder} is not open to the hub; an administrator has to allow it."
            raise FolderError(Trouble.CONFIG, "closed_folder", detail)
        place = real / part
        place.mkdir(mode=0o750, exist_ok=True)
        if not place.resolve().is_relative_to(real):
            raise FolderError(Trouble.CONFIG, "closed_folder", f"{place} leads out of its folder.")
        return place


def is_whole(name: str) -> bool:
    return not name.endswith(PART) and not name.startswith(".")


def _write(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _settle(folder: Path) -> None:
    """The new name is on the disk, too, not the content alone."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _same(path: Path, data: bytes) -> bool:
    """Whether the file is there with this content. Raises FolderError when it is there with another one."""
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        return False
    if found != data:
        raise other_content(path.name)
    return True


def other_content(name: str) -> FolderError:
    return FolderError(Trouble.FATAL, "other_content", f"{name} is there already with other content.")


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Errors of the system as FolderErrors: what a person has to mend, and what may pass."""
    try:
        yield
    except (FileNotFoundError, FileExistsError, PermissionError, NotADirectoryError, IsADirectoryError) as error:
        raise FolderError(Trouble.CONFIG, "no_access", f"{what}: {error.strerror}.") from error
    except OSError as error:
        trouble = Trouble.CONFIG if error.errno in (errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP) else Trouble.TRANSIENT
        raise FolderError(trouble, "no_access", f"{what}: {error.strerror}.") from error
