"""How the hub proves who it is to a target: the header that goes with every call, and tokens fetched, kept and renewed."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import quote_plus, urlsplit

import orjson

from apps.connectors.contract import Trouble
from apps.connectors.systems.rest.client import Client, Lost, NoReply
from apps.connectors.systems.rest.document import AUTH_KINDS, RestDocument
from apps.connectors.systems.rest.templates import form

MARGIN_SECONDS: Final = 30.0
"""A token is renewed this long before it ends, so that it does not end under way."""
USUAL_SECONDS: Final = 900.0
"""How long a token is used whose end is not said; a 401 renews it sooner."""


class NoLogin(Exception):
    """No header can be made; nothing was sent to the target."""

    def __init__(self, trouble: Trouble, code: str, detail: str) -> None:
        super().__init__(detail)
        self.trouble = trouble
        self.code = code
        self.detail = detail


class Login:
    """The log-in of one connection. Thread-safe: one token is fetched at a time, for all."""

    def __init__(self, document: RestDocument, credentials: Mapping[str, str], allowed: Collection[str]) -> None:
        self._auth = document.auth
        self._credentials = credentials
        self._missing = [name for name in AUTH_KINDS[self._auth["kind"]] if not credentials.get(name)]
        self._lock = threading.Lock()
        self._token = ""
        self._ends = 0.0
        self._client: Client | None = None
        self._fixed = {} if self._missing else self._headers()
        if self._auth["kind"] == "oauth2":
            self._client = Client(
                self._auth["token_url"],
                allowed,
                connect_timeout=document.connect_timeout,
                authority=document.certificates,
            )

    @property
    def renews(self) -> bool:
        """Whether a refused header can be replaced by a fresh one."""
        return self._client is not None

    def headers(self, timeout: float) -> Mapping[str, str]:
        """The headers of a call. Raises NoLogin."""
        if self._missing:
            raise NoLogin(Trouble.AUTH, "no_credentials", f"The credential {self._missing[0]} is not kept here.")
        if self._client is None:
            return self._fixed
        with self._lock:
            if time.monotonic() >= self._ends:
                self._fetch(self._client, timeout)
            return {"Authorization": f"Bearer {self._token}"}

    def forget(self, headers: Mapping[str, str]) -> None:
        """These headers were refused: the next call gets others, unless somebody has fetched them already."""
        with self._lock:
            if headers.get("Authorization") == f"Bearer {self._token}":
                self._ends = 0.0

    def secrets(self) -> set[str]:
        """Texts that must not be kept anywhere."""
        return {*self._credentials.values(), self._token} - {""}

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def _headers(self) -> dict[str, str]:
        kind, known = self._auth["kind"], self._credentials
        if kind == "bearer":
            return {"Authorization": f"Bearer {known['token']}"}
        if kind == "basic":
            return {"Authorization": f"Basic {_basic(known['username'], known['password'])}"}
        return {self._auth["name"]: known["token"]} if kind == "header" else {}

    def _fetch(self, client: Client, timeout: float) -> None:
        """A new token by the client-credentials grant (RFC 6749, 4.4). Raises NoLogin."""
        body = {"grant_type": "client_credentials"} | (
            {"scope": self._auth["scope"]} if self._auth.get("scope") else {}
        )
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        name, secret = self._credentials["client_id"], self._credentials["client_secret"]
        if self._auth.get("send") == "basic":
            headers["Authorization"] = f"Basic {_basic(quote_plus(name), quote_plus(secret))}"
        else:
            body |= {"client_id": name, "client_secret": secret}
        parts = urlsplit(self._auth["token_url"])
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            reply = client.call("POST", path, headers, form(body), timeout=timeout)
        except NoReply as error:
            trouble = Trouble.CONFIG if error.why in (Lost.ADDRESS, Lost.TLS) else Trouble.TRANSIENT
            raise NoLogin(trouble, f"token_{error.why}", f"No token: {error.detail}") from error
        try:
            found = orjson.loads(reply.body) if reply.body else {}
        except orjson.JSONDecodeError:
            found = {}
        found = found if isinstance(found, dict) else {}
        if reply.status != 200 or not isinstance(found.get("access_token"), str) or not found["access_token"]:
            raise _refused(reply.status, str(found.get("error") or "no_token")[:100])
        seconds = found.get("expires_in")
        lasts = float(seconds) if isinstance(seconds, int | float) else USUAL_SECONDS
        self._token = found["access_token"]
        self._ends = time.monotonic() + max(lasts - MARGIN_SECONDS, lasts / 2)


def _refused(status: int, word: str) -> NoLogin:
    """Why the token was not given: 4xx means us, everything else the server that gives tokens."""
    detail = f"No token: {status} {word}."
    if status == 429 or status >= 500:
        return NoLogin(Trouble.TRANSIENT, word, detail)
    if 200 <= status < 400 or status in (404, 405):
        return NoLogin(Trouble.CONFIG, word, detail)
    return NoLogin(Trouble.AUTH, word, detail)


def _basic(name: str, password: str) -> str:
    return base64.b64encode(f"{name}:{password}".encode()).decode()
