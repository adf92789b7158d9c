"""The four servers as a set: which command starts each, on which port, with which key.

Rule: ports, keys and webhook secrets are made once and kept in HOME/sandbox, for its owner alone, so that addresses and credentials
are the same at the next start."""

import json
import os
import secrets
import socket
import sys
from base64 import b64encode
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

KINDS: Final = ("crm", "erp", "billing", "support")
FOLDER: Final = "sandbox"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server is and how to get in. `keys_file` holds key and webhook secret, `data` its records."""

    kind: str
    port: int
    key: str
    webhook_secret: str
    keys_file: Path
    data: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def places(home: Path) -> dict[str, Place]:
    """The four by kind; what is missing is made. `home` is the hub's own folder."""
    folder = home / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    found: dict[str, Place] = {}
    for kind in KINDS:
        found[kind] = _place(folder, kind, taken={place.port for place in found.values()})
    return found


def commands(home: Path, webhook: Callable[[str], str] | None = None) -> list[tuple[str, list[str]]]:
    """(name, command line) of each server, to be run in the project's folder. With `webhook` (kind -> address) every server
    tells its address of each change; it signs with the `webhook_secret` of its place."""
    found = []
    for kind, place in places(home).items():
        words = [
            sys.executable,
            "-m",
            "apps.connectors.sandbox",
            kind,
            "--port",
            str(place.port),
            "--data",
            str(place.data),
        ]
        words += ["--keys-file", str(place.keys_file)]
        if webhook is not None:
            words += ["--webhook", webhook(kind)]
        found.append((f"sandbox-{kind}", words))
    return found


def _place(folder: Path, kind: str, *, taken: Collection[int]) -> Place:
    path = folder / f"{kind}.json"
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    if not kept:
        kept = {
            "port": _free_port(taken),
            "key": secrets.token_urlsafe(24),
            "webhook_secret": "whsec_" + b64encode(secrets.token_bytes(32)).decode(),
        }
        _write_private(path, json.dumps(kept, indent=1))
    return Place(kind, kept["port"], kept["key"], kept["webhook_secret"], path, folder / f"{kind}.db")


def _free_port(taken: Collection[int]) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in taken:
            return port


def _write_private(path: Path, text: str) -> None:
    """Whole or not at all, readable by its owner alone from the first byte on."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    part.replace(path)
