"""A folder on an SFTP server whose key is known."""

from __future__ import annotations

import contextlib
import errno
import io
import secrets
import socket
import stat
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_ssh_private_key,
)
from paramiko.ssh_exception import IncompatiblePeer

from apps.connectors.addresses import Place, Refused, reach
from apps.connectors.contract import Trouble
from apps.connectors.systems.files.document import FileDocument
from apps.connectors.systems.files.folders import PART, FolderError, Listed, is_whole, other_content

BLOCK: Final = 32_768


class SftpFolder:
    """One connection, kept between calls and made anew after an error; one call at a time."""

    def __init__(self, document: FileDocument, credentials: Mapping[str, str], allowed: Collection[str]) -> None:
        assert document.host is not None
        assert document.host_key is not None
        self._folder = document.folder
        self._place = Place("sftp", document.host.casefold(), document.port)
        self._host_key = document.host_key
        self._connect_timeout = document.connect_timeout
        self._credentials = credentials
        self._allowed = frozenset(allowed)
        self._lock = threading.Lock()
        self._transport: paramiko.Transport | None = None
        self._client: paramiko.SFTPClient | None = None

    def put(self, part: str, name: str, data: bytes, *, timeout: float) -> bool:
        with self._session(timeout, name) as (client, left):
            place = self._made(client, part)
            whole, begun = f"{place}/{name}", f"{place}/{name}.{secrets.token_hex(4)}{PART}"
            if _same(client, whole, data, left):
                return False
            try:
                with client.open(begun, "wx") as file:
                    file.set_pipelined(True)
                    for start in range(0, len(data), BLOCK):
                        left()
                        file.write(data[start : start + BLOCK])
                if client.stat(begun).st_size != len(data):
                    raise OSError(errno.EIO, "not written whole")
                client.rename(begun, whole)
            except BaseException as error:
                with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
                    client.remove(begun)
                # The protocol's rename fails where the name is taken, which somebody may have done just now.
                if isinstance(error, OSError) and _same(client, whole, data, left):
                    return False
                raise
            return True

    def files(self, part: str, *, timeout: float) -> list[Listed]:
        with self._session(timeout, part) as (client, _):
            entries = client.listdir_attr(self._made(client, part))
        found = [
            Listed(entry.filename, f"{entry.st_size}-{entry.st_mtime}", entry.st_size or 0)
            for entry in entries
            if entry.st_mode is not None and stat.S_ISREG(entry.st_mode) and is_whole(entry.filename)
            # A server may name anything; what is no plain name is no file of this folder.
            if "/" not in entry.filename
        ]
        return sorted(found, key=lambda file: file.name)

    def copy(self, part: str, name: str, into: Path, *, timeout: float) -> None:
        with (
            self._session(timeout, name) as (client, left),
            client.open(f"{self._made(client, part)}/{name}", "rb") as file,
            into.open("wb") as copy,
        ):
            file.prefetch()
            while block := file.read(BLOCK):
                left()
                copy.write(block)

    def move(self, part: str, name: str, to: str, *, timeout: float) -> None:
        with self._session(timeout, name) as (client, _):
            source, target = f"{self._made(client, part)}/{name}", f"{self._made(client, to)}/{name}"
            try:
                client.stat(target)
            except FileNotFoundError:
                client.rename(source, target)
            else:
                client.rename(source, f"{target}.{secrets.token_hex(4)}")

    def probe(self, *, timeout: float) -> None:
        with self._session(timeout, self._folder) as (client, _):
            client.listdir_attr(self._folder)

    def close(self) -> None:
        with self._lock:
            self._drop()

    # ── the connection ──────────────────────────────────────────────────────────────────────────────────────────────
    @contextlib.contextmanager
    def _session(self, timeout: float, what: str) -> Iterator[tuple[paramiko.SFTPClient, _Left]]:
        """The connection for one call and the watch over its time; errors of the server as FolderErrors."""
        deadline = time.monotonic() + timeout
        if not self._lock.acquire(timeout=timeout):
            raise FolderError(Trouble.TRANSIENT, "busy", "The connection was busy with other calls for too long.")
        try:
            try:
                client = self._open(deadline)
                left = _Left(client, deadline)
                left()
                yield client, left
            except (FileNotFoundError, PermissionError) as error:
                raise FolderError(Trouble.CONFIG, "no_access", f"{what}: {error.strerror or error}.") from error
            except (TimeoutError, EOFError, OSError, paramiko.SSHException) as error:
                self._drop()
                detail = f"The server did not do it: {getattr(error, 'strerror', None) or type(error).__name__}."
                raise FolderError(Trouble.TRANSIENT, "sftp", detail) from error
            except BaseException:
                self._drop()
                raise
        finally:
            self._lock.release()

    def _open(self, deadline: float) -> paramiko.SFTPClient:
        if self._client is not None and self._transport is not None and self._transport.is_active():
            return self._client
        self._drop()
        limit = min(self._connect_timeout, max(deadline - time.monotonic(), 0.001))
        self._transport = transport = paramiko.Transport(self._socket(limit))
        transport.banner_timeout = transport.auth_timeout = limit
        kind, expected = self._host_key
        try:
            transport.get_security_options().key_types = _algorithms(kind)
            transport.start_client(timeout=limit)
        except (paramiko.SSHException, ValueError) as error:
            if isinstance(error, IncompatiblePeer | ValueError):
                raise self._strange("has no key of the type we know") from error
            raise
        if transport.get_remote_server_key().asbytes() != expected:
            raise self._strange("shows another key than the one we know")
        self._log_in(transport)
        client = paramiko.SFTPClient.from_transport(transport)
        if client is None:
            raise FolderError(Trouble.CONFIG, "no_sftp", f"{self._place.host} offers no SFTP.")
        self._client = client
        return client

    def _log_in(self, transport: paramiko.Transport) -> None:
        known = self._credentials
        name = known.get("username", "")
        try:
            if known.get("private_key"):
                transport.auth_publickey(name, _private_key(known["private_key"]))
            else:
                transport.auth_password(name, known.get("password", ""), fallback=False)
        except paramiko.AuthenticationException as error:
            raise FolderError(Trouble.AUTH, "login", f"{self._place.host} does not let us in.") from error

    def _socket(self, limit: float) -> socket.socket:
        """A connection to a checked address. Raises FolderError."""
        try:
            target = reach(self._place, self._allowed, timeout=limit)
        except Refused as error:
            trouble = Trouble.TRANSIENT if error.code == "dns" else Trouble.CONFIG
            raise FolderError(trouble, error.code, error.detail) from error
        failed: OSError = OSError("no address")
        for address in target.addresses:
            try:
                connected = socket.create_connection((address, self._place.port), limit)
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return connected
            except OSError as error:
                failed = error
        detail = f"No connection to {self._place.host}: {failed.strerror or failed}."
        raise FolderError(Trouble.TRANSIENT, "no_connection", detail) from failed

    def _strange(self, what: str) -> FolderError:
        detail = f"{self._place.host} {what}: either it was set up anew, or somebody is between us."
        return FolderError(Trouble.CONFIG, "host_key", detail)

    def _drop(self) -> None:
        client, transport = self._client, self._transport
        self._client = self._transport = None
        for one in (client, transport):
            if one is not None:
                with contextlib.suppress(Exception):  # whatever closing a broken connection may raise
                    one.close()

    def _made(self, client: paramiko.SFTPClient, part: str) -> str:
        place = f"{self._folder}/{part}"
        try:
            client.stat(place)
        except FileNotFoundError:
            client.mkdir(place, 0o750)
        return place


class _Left:
    """Gives each step what is left of a call's time. Raises TimeoutError when nothing is."""

    def __init__(self, client: paramiko.SFTPClient, deadline: float) -> None:
        self._client = client
        self._deadline = deadline

    def __call__(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        channel = self._client.get_channel()
        if channel is not None:
            channel.settimeout(left)


def _same(client: paramiko.SFTPClient, path: str, data: bytes, left: _Left) -> bool:
    """Whether the file is there with this content. Raises FolderError when it is there with another one."""
    name = path.rpartition("/")[2]
    try:
        if client.stat(path).st_size != len(data):
            raise other_content(name)
        with client.open(path, "rb") as file:
            found = 0
            while block := file.read(BLOCK):
                left()
                if data[found : found + len(block)] != block:
                    raise other_content(name)
                found += len(block)
    except FileNotFoundError:
        return False
    return True


def _algorithms(kind: str) -> tuple[str, ...]:
    """How a key of this type may sign: an RSA key with SHA-2 only."""
    return ("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,)


def _private_key(text: str) -> paramiko.PKey:
    """A key without a password, in OpenSSH's or in PEM form. Raises FolderError.

    cryptography reads it: of OpenSSH's ECDSA keys, paramiko itself takes only some."""
    data = text.strip().encode() + b"\n"
    load = load_ssh_private_key if b"BEGIN OPENSSH" in data else load_pem_private_key
    try:
        key = load(data, password=None)
        if isinstance(key, rsa.RSAPrivateKey):
            return paramiko.RSAKey(key=key)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return paramiko.ECDSAKey(vals=(key, key.public_key()))
        plain = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        return paramiko.Ed25519Key.from_private_key(io.StringIO(plain.decode()))
    except (paramiko.SSHException, UnsupportedAlgorithm, ValueError, TypeError, AttributeError) as error:
        raise FolderError(Trouble.AUTH, "bad_key", "The credential private_key is no key that can be read.") from error
