"""HTTP to one target: kept connections to checked addresses, one deadline for a whole call, bounded answers, no redirects, no proxies.

A call ends with a Reply, whatever its status, or with NoReply, which says whether the request may have reached the target."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from http.client import HTTPException
from typing import Any, Final

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from apps.connectors.addresses import Place, Refused, Target, place, reach
from apps.connectors.contract import LONGEST_ANSWER

IDLE_SECONDS: Final = 15.0
"""A connection that was not used for longer is not trusted to be open: many servers close at 20 to 60 seconds."""


class Lost(StrEnum):
    """Why there is no reply."""

    ADDRESS = "address"  # the hub does not call this address
    DNS = "dns"
    TLS = "tls"  # certificate or protocol
    CONNECT = "connect"  # refused, unreachable, too slow to connect
    TIMEOUT = "timeout"  # sent, no whole answer within the deadline
    BROKEN = "broken"  # sent, the connection ended or spoke no HTTP
    TOO_LONG = "too_long"  # sent, the answer is longer than LONGEST_ANSWER


class NoReply(Exception):
    """No usable answer. `sent`: at least a part of the request left."""

    def __init__(self, why: Lost, detail: str) -> None:
        super().__init__(detail)
        self.why = why
        self.detail = detail

    @property
    def sent(self) -> bool:
        return self.why in (Lost.TIMEOUT, Lost.BROKEN, Lost.TOO_LONG)


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer; header names in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Deadlined:
    """A socket whose every read counts against one deadline, so that an answer of one byte a second ends in time, too."""

    deadline: float | None = None

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        if self.deadline is not None:
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("The whole call took too long.")
            self.settimeout(left)  # type: ignore[attr-defined]  # of the socket this is mixed into
        return super().recv_into(*args, **kwargs)  # type: ignore[misc,no-any-return]  # as above


class _Socket(_Deadlined, socket.socket):
    pass


class _TlsSocket(_Deadlined, ssl.SSLSocket):
    pass


class _Pinned:
    """Connects to a checked address; the name of the target stays in Host, SNI and the check of the certificate."""

    target: Target

    def _new_conn(self) -> socket.socket:
        limit: float = self.timeout  # type: ignore[attr-defined]  # of the connection this is mixed into
        end = time.monotonic() + limit
        failed: OSError = OSError("no address")
        for address in self.target.addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            connected = _Socket(family, socket.SOCK_STREAM)
            try:
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connected.settimeout(max(end - time.monotonic(), 0.001))
                connected.connect((address, self.target.place.port))
            except OSError as error:
                connected.close()
                failed = error
            else:
                connected.settimeout(max(end - time.monotonic(), 0.001))
                return connected
        raise failed


class _Http(_Pinned, HTTPConnection):
    pass


class _Https(_Pinned, HTTPSConnection):
    pass


Connection = _Http | _Https


class Client:
    """Calls to one place. Thread-safe: every call has a connection of its own, kept for the next one."""

    def __init__(
        self, base_url: str, allowed: Collection[str], *, connect_timeout: float = 5.0, authority: str | None = None
    ) -> None:
        """`authority`: PEM text of the certificates that sign the target's, if not the machine's. Raises Refused, ssl.SSLError."""
        self._place: Place = place(base_url)
        self._allowed = frozenset(allowed)
        self._connect_timeout = connect_timeout
        self._context = _context(authority) if self._place.scheme == "https" else None
        self._kept: list[tuple[float, Connection]] = []
        self._lock = threading.Lock()
        self._closed = False

    def call(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None, *, timeout: float) -> Reply:
        """One request and its whole answer within `timeout` seconds; `path` is encoded. Raises NoReply."""
        deadline = time.monotonic() + timeout
        connection = self._taken() or self._connected(deadline)
        try:
            connection.sock.deadline = deadline  # type: ignore[union-attr]  # _new_conn made it, so it is a _Deadlined
            connection.timeout = max(deadline - time.monotonic(), 0.001)
            connection.request(method, path, body=body, headers=headers, preload_content=False)
            reply, reusable = _read(connection.getresponse())
        except NoReply:
            connection.close()
            raise
        except TimeoutError as error:
            connection.close()
            raise NoReply(Lost.TIMEOUT, f"No whole answer within {timeout:g} s.") from error
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            connection.close()
            raise _broken(error, timeout) from error
        except BaseException:
            connection.close()
            raise
        self._keep(connection) if reusable else connection.close()
        return reply

    def close(self) -> None:
        with self._lock:
            self._closed = True
            kept, self._kept = self._kept, []
        for _, connection in kept:
            connection.close()

    def _taken(self) -> Connection | None:
        """A kept connection that is still open, the one used last first."""
        while True:
            with self._lock:
                if not self._kept:
                    return None
                since, connection = self._kept.pop()
            if time.monotonic() - since <= IDLE_SECONDS and connection.is_connected:
                return connection
            connection.close()

    def _keep(self, connection: Connection) -> None:
        with self._lock:
            if not self._closed:
                self._kept.append((time.monotonic(), connection))
                return
        connection.close()

    def _connected(self, deadline: float) -> Connection:
        """A new connection to a freshly checked address. Raises NoReply; nothing was sent then."""
        limit = min(self._connect_timeout, max(deadline - time.monotonic(), 0.001))
        try:
            target = reach(self._place, self._allowed, timeout=limit)
        except Refused as error:
            raise NoReply(Lost.DNS if error.code == "dns" else Lost.ADDRESS, error.detail) from error
        limit = min(self._connect_timeout, max(deadline - time.monotonic(), 0.001))
        connection: Connection
        if self._context is None:
            connection = _Http(self._place.host, self._place.port, timeout=limit)
        else:
            connection = _Https(self._place.host, self._place.port, timeout=limit, ssl_context=self._context)
        connection.target = target
        try:
            connection.connect()
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
            connection.close()
            raise NoReply(Lost.CONNECT, "The connection ended while it was being secured.") from error
        except ssl.SSLError as error:
            connection.close()
            why = getattr(error, "verify_message", None) or error.reason or "the connection cannot be secured"
            raise NoReply(Lost.TLS, f"The target cannot prove who it is: {why}.") from error
        except (OSError, HTTPError) as error:
            connection.close()
            raise NoReply(Lost.CONNECT, f"No connection to {self._place.host}: {_reason(error)}.") from error
        return connection


def _context(authority: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority)
    context.sslsocket_class = _TlsSocket
    return context


def _read(response: BaseHTTPResponse) -> tuple[Reply, bool]:
    """The whole answer, and whether the connection can be used again. Raises NoReply when it is too long."""
    length = response.headers.get("Content-Length", "")
    if length.isdigit() and int(length) > LONGEST_ANSWER:
        raise NoReply(Lost.TOO_LONG, f"The answer has {length} bytes, more than {LONGEST_ANSWER}.")
    body = response.read(LONGEST_ANSWER + 1)
    if len(body) > LONGEST_ANSWER:
        raise NoReply(Lost.TOO_LONG, f"The answer has more than {LONGEST_ANSWER} bytes.")
    closing = response.headers.get("Connection", "").casefold() == "close" or response.version < 11
    with contextlib.suppress(HTTPError):
        response.release_conn()
    return Reply(response.status, response.headers, body), not closing


def _broken(error: Exception, timeout: float) -> NoReply:
    """What broke after the request began to leave; urllib3 wraps a time-out of the body in errors of its own."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, TimeoutError):
            return NoReply(Lost.TIMEOUT, f"No whole answer within {timeout:g} s.")
        inner = inner.__cause__ or inner.__context__
    return NoReply(Lost.BROKEN, f"The connection broke before the answer was whole: {_reason(error)}.")


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or type(error).__name__)
