"""HUB_HOME: the folder that holds keys, logs, state and (mostly) the embedded servers, closed to other local users.

Servers refuse to run as root, and an unprivileged account cannot reach into a folder such as /root. So when the hub
runs as root the servers' folder is HUB_HOME if everybody may pass through its parents, else one below /var/lib;
no parent folder's permissions are ever changed.
"""

import fcntl
import hashlib
import json
import os
import secrets
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mdmhub.env import Misconfigured

NOBODY = 65534
"""The account the servers run as when the hub runs as root; it needs no entry in the user table."""

SYSTEM_STATE = Path("/var/lib/mdmhub")
SOCKET_PATH_LIMIT = 107
"""Longest path of a Unix socket on Linux, in bytes."""


def is_root() -> bool:
    return os.geteuid() == 0


def passable(folder: Path) -> bool:
    """Whether every local user may pass through `folder` and all its parents."""
    return all(stat.S_IMODE(part.stat().st_mode) & stat.S_IXOTH for part in (folder, *folder.parents))


@dataclass(frozen=True)
class Home:
    """One hub's folder on this machine. Creating the object touches nothing; `prepare` makes the folder."""

    path: Path

    @property
    def keys(self) -> Path:
        return self.path / "keys"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def state_file(self) -> Path:
        return self.path / "servers.json"

    @property
    def tag(self) -> str:
        """Short name of this hub, different for every folder on the machine."""
        return hashlib.sha256(str(self.path).encode()).hexdigest()[:12]

    def prepare(self) -> "Home":
        """Make the folder (0700; as root 0710 with the servers' group, so that they can pass) or check that it is ours."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = self.path.stat().st_uid
        if owner != os.geteuid():
            raise Misconfigured(
                f"{self.path} belongs to user id {owner}, this process runs as {os.geteuid()}. "
                "Run as that user, or set HUB_HOME to a folder of your own."
            )
        _close(self.path)
        for private in (self.keys, self.logs):
            private.mkdir(mode=0o700, exist_ok=True)
        return self

    def state(self) -> dict[str, Any]:
        """What is remembered of the servers: folder ("." is the home itself), ports, passwords; made at first use."""
        try:
            return dict(json.loads(self.state_file.read_text()))
        except FileNotFoundError:
            with self.lock():
                pass
            return dict(json.loads(self.state_file.read_text()))

    def remember(self, **changes: Any) -> None:
        """Change the state; the caller holds the lock."""
        self._write_state({**self.state(), **changes})

    def _first_state(self) -> dict[str, Any]:
        outside = is_root() and not passable(self.path.parent)
        names = ("postgres", "valkey")
        return {
            "folder": str(SYSTEM_STATE / self.tag) if outside else ".",
            **{f"{name}_password": secrets.token_urlsafe(24) for name in names},
            **{f"{name}_port": port for name, port in zip(names, free_ports(len(names)), strict=True)},
        }

    def _write_state(self, state: dict[str, Any]) -> None:
        write_private(self.state_file, json.dumps(state, indent=1))

    def servers_folder(self) -> Path:
        """Where the embedded servers live; remembered, so that it stays when a parent's permissions change."""
        return self.path / str(self.state()["folder"])

    def make_server_folder(self, name: str) -> Path:
        """Make the folder of one server (0700, owned by the account that runs it), if it is not there."""
        outer = self.servers_folder()
        if not outer.is_dir():
            outer.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
            outer.mkdir(mode=0o700, exist_ok=True)
            _close(outer)
        folder = outer / name
        if not folder.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)
            if is_root():
                os.chown(folder, NOBODY, NOBODY)
        return folder

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One process at a time starts, stops or makes things; the lock goes with its holder, so it is never stale.

        It is not re-entrant. Whoever holds it may rely on the state being there.
        """
        self.prepare()
        handle = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if not self.state_file.exists():
                self._write_state(self._first_state())
            yield
        finally:
            os.close(handle)


def _close(folder: Path) -> None:
    """Only this account passes; as root, the servers' account too."""
    mode = 0o710 if is_root() else 0o700
    if is_root() and folder.stat().st_gid != NOBODY:
        os.chown(folder, -1, NOBODY)
    if stat.S_IMODE(folder.stat().st_mode) != mode:
        folder.chmod(mode)


def free_ports(count: int) -> list[int]:
    """Loopback ports nobody listens on now, all different."""
    probes = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def write_private(path: Path, text: str, owner: int | None = None) -> None:
    """Write a file only its owner can read, all at once: a reader sees the old text or the new one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if owner is not None and is_root():
        os.chown(draft, owner, owner)
    draft.replace(path)
