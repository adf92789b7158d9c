"""HTTP/1.1 with keep-alive; one thread per connection, one write per answer, no log of requests."""

import json
import os
import socket
import struct
import sys
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from apps.connectors.sandbox.control import Control
from apps.connectors.sandbox.kind import Answer, Request
from apps.connectors.sandbox.pages import Pages
from apps.connectors.sandbox.service import ConnectionReset, Service

LONGEST_BODY: Final = 5_000_000
LONGEST_LOAD: Final = 500_000_000
PIECES: Final = 20
PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}


class Server(ThreadingHTTPServer):
    """Serves one Service, its control addresses and its pages."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], service: Service) -> None:
        super().__init__(address, Handler)
        self.service, self.control, self.pages = service, Control(service), Pages(service)

    @property
    def url(self) -> str:
        host, port = self.server_address[0], self.server_address[1]
        return f"http://{host!s}:{port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is not an error of ours; anything else is shown."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self._body(headers, LONGEST_LOAD if parts.path == "/_load" else LONGEST_BODY)
        if body is None:
            return
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        request = Request(self.command, parts.path, query, headers, body)
        if parts.path.startswith("/_"):
            self._send(self.server.control.answer(request))
        elif parts.path == "/" or parts.path.startswith("/records/"):
            self._send(self.server.pages.answer(request))
        else:
            self._serve_data(request)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def _serve_data(self, request: Request) -> None:
        try:
            answer = self.server.service.answer(request)
        except ConnectionReset:
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())
            return
        if answer.lost:
            self.close_connection = True
        else:
            self._send(answer)

    def _body(self, headers: dict[str, str], longest: int) -> bytes | None:
        """The request's body; None when it was refused, which ends the connection."""
        text = headers.get("content-length", "0")
        if "transfer-encoding" in headers or not (text.isascii() and text.isdigit()):
            self.close_connection = True
            self._send(Answer(411, b"Content-Length is needed.\n", media="text/plain"))
            return None
        if int(text) > longest:
            self.close_connection = True
            self._send(Answer(413, b"The body is too long.\n", media="text/plain"))
            return None
        body = self.rfile.read(int(text))
        if len(body) < int(text):
            self.close_connection = True
            return None
        return body

    def _send(self, answer: Answer) -> None:
        body = answer.body
        if body is None:
            body = b""
        elif not isinstance(body, bytes):
            body = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        lines = [f"HTTP/1.1 {answer.status} {PHRASES.get(answer.status, '')}", f"Date: {self.date_time_string()}"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        if answer.status != 204:
            lines += [f"Content-Type: {answer.media}", f"Content-Length: {len(body)}"]
        if self.close_connection:
            lines.append("Connection: close")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        if not answer.over_seconds or not body:
            self.wfile.write(head + body)
            return
        self.wfile.write(head)
        step = max(len(body) // PIECES, 1)
        for start in range(0, len(body), step):
            time.sleep(answer.over_seconds * step / len(body))
            self.wfile.write(body[start : start + step])

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are counted, not logged."""
