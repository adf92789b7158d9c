"""The billing system, in the manner of Stripe: form-encoded customers, idempotency keys, metadata, events to poll."""

import hashlib
import json
import re
import secrets
import string
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

from apps.connectors.sandbox import fields, kind
from apps.connectors.sandbox.fields import Field, number_of
from apps.connectors.sandbox.forms import bracketed
from apps.connectors.sandbox.kind import Answer, Kind, Request, Route
from apps.connectors.sandbox.moments import iso
from apps.connectors.sandbox.store import Change, Row

CUSTOMERS: Final = "/v1/customers"
LETTERS: Final = string.ascii_letters + string.digits
PAGE: Final = 100
SECOND: Final = 1_000_000
QUERY: Final = re.compile(
    r"""\s*metadata\[(?:'mdm_key'|"mdm_key")\]\s*:\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\s*"""
)
TYPES: Final = {"create": "created", "load": "created", "delete": "deleted"}


class Billing(Kind):
    name = "billing"
    id_name = "id"
    key_field = "metadata.mdm_key"
    modified_name = "updated"
    status_name = "status"
    changed_name = "phone"
    basic = True
    keeps_after = True
    unique_keys = False
    declared: ClassVar = {
        "id": Field(read_only=True),
        "object": Field(read_only=True),
        "name": Field(longest=256),
        "email": Field(longest=512),
        "phone": Field(longest=60),
        "business_name": Field(longest=150),
        "individual_name": Field(longest=150),
        "tax_id": Field(longest=60),
        "currency": Field(longest=3),
        "preferred_locales": Field("list"),
        "payment_terms": Field(longest=40),
        "credit_limit": Field("number"),
        "status": Field(choices=("active", "inactive", "suspended", "closed", "prospect")),
        "address": Field(
            "object",
            parts={name: Field() for name in ("line1", "line2", "city", "state", "postal_code", "country")},
        ),
        "metadata": Field("object", longest=500, free=True),
        "created": Field(read_only=True),
        "updated": Field(read_only=True),
        "deleted": Field(read_only=True),
    }
    words: ClassVar = {
        kind.AUTH: (401, "invalid_api_key"),
        kind.LIMIT: (429, "rate_limit"),
        kind.DOWN: (503, "service_unavailable"),
        kind.BROKEN: (500, "internal_error"),
        kind.DENIED: (403, "more_permissions_required"),
        kind.NOT_FOUND: (404, "resource_missing"),
        kind.NO_METHOD: (405, "method_not_allowed"),
        kind.BAD_BODY: (400, "parameter_invalid"),
        kind.BAD_PARAMETER: (400, "parameter_invalid"),
        kind.MEDIA: (415, "media_type_unsupported"),
        kind.DUPLICATE: (400, "resource_already_exists"),
        kind.GONE: (404, "resource_missing"),
        "key_in_use": (409, "idempotency_key_in_use"),
        "key_reused": (400, "idempotency_key_reused"),
        fields.UNKNOWN: (400, "parameter_unknown"),
        fields.READ_ONLY: (400, "parameter_unknown"),
        fields.TOO_LONG: (400, "parameter_invalid_string_length"),
        fields.WRONG_TYPE: (400, "parameter_invalid_type"),
        fields.NOT_IN_LIST: (400, "parameter_invalid_enum"),
    }

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._running: set[str] = set()
        self._running_lock = threading.Lock()

    def routes(self) -> list[Route]:
        return [
            Route("POST", CUSTOMERS, self._create),
            Route("GET", CUSTOMERS, self._list),
            Route("GET", f"{CUSTOMERS}/search", self._search),
            Route("POST", f"{CUSTOMERS}/([^/]+)", self._update),
            Route("GET", f"{CUSTOMERS}/([^/]+)", self._read),
            Route("DELETE", f"{CUSTOMERS}/([^/]+)", self._delete),
            Route("GET", "/v1/events", self._events),
            Route("GET", "/v1/account", self._account),
        ]

    def new_id(self) -> str:
        return "cus_" + "".join(secrets.choice(LETTERS) for _ in range(14))

    @staticmethod
    def key_of(values: Mapping[str, Any]) -> str | None:
        return (values.get("metadata") or {}).get("mdm_key")

    @staticmethod
    def version_of(values: Mapping[str, Any]) -> Any:
        return (values.get("metadata") or {}).get("mdm_version")

    def waits(self, request: Request) -> bool:
        return request.method == "POST"

    def title(self, values: Mapping[str, Any]) -> str:
        return values.get("business_name") or values.get("individual_name") or values.get("name") or ""

    def show(self, row: Row) -> dict[str, Any]:
        shown = {name: row.fields.get(name) for name, known in self.declared.items() if not known.read_only}
        address = row.fields.get("address") or {}
        shown["address"] = {part: address.get(part) for part in self.declared["address"].parts}
        shown["metadata"] = row.fields.get("metadata") or {}
        shown["preferred_locales"] = row.fields.get("preferred_locales") or []
        marks = {"created": row.created // SECOND, "updated": iso(row.modified)}
        return {"id": row.id, "object": "customer", **shown, **marks} | ({"deleted": True} if row.deleted else {})

    # ── errors ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def error(self, status: int, word: str, sentence: str, names: Sequence[str] = ()) -> Answer:
        body = {"type": _type(status, word), "code": word, "message": sentence}
        if names:
            head, *parts = names[0].split(".")
            body["param"] = head + "".join(f"[{part}]" for part in parts)
        return Answer(status, {"error": body})

    def failed_inside(self) -> Answer:
        return Answer(200, self.trouble(kind.BROKEN).body)

    # ── addresses ───────────────────────────────────────────────────────────────────────────────────────────────────
    def _create(self, request: Request, parts: list[str]) -> Answer:
        values = self._values(request)

        def effect() -> Answer:
            return Answer(200, self.view(self.add(values, request.writer)))

        return self._once(request, values, effect)

    def _update(self, request: Request, parts: list[str]) -> Answer:
        values = self._values(request)

        def effect() -> Answer:
            return Answer(200, self.view(self.change(parts[0], values, request.writer, clash=request.clash)))

        return self._once(request, values, effect)

    def _read(self, request: Request, parts: list[str]) -> Answer:
        row = self.store.get(parts[0])
        if row is None:
            raise self.refused(kind.NOT_FOUND, f"No such customer: {parts[0]!r}", ["id"])
        return Answer(200, _grave(row) if row.deleted else self.view(row))

    def _delete(self, request: Request, parts: list[str]) -> Answer:
        return Answer(200, _grave(self.remove(parts[0], request.writer, clash=request.clash)))

    def _search(self, request: Request, parts: list[str]) -> Answer:
        match = QUERY.fullmatch(request.query.get("query", ""))
        if match is None:
            raise self.refused(kind.BAD_PARAMETER, "Only metadata['mdm_key']:'…' can be searched.", ["query"])
        rows = self.store.all_by_key(re.sub(r"\\(.)", r"\1", match[1] if match[1] is not None else match[2]))
        seen = time.time_ns() // 1000 - self.faults.switches.search_lag_ms * 1000
        data = [self.view(row) for row in rows if row.created <= seen]
        return Answer(200, {"object": "search_result", "url": f"{CUSTOMERS}/search", "data": data, "has_more": False})

    def _list(self, request: Request, parts: list[str]) -> Answer:
        limit = self.number(request, "limit", 10, PAGE)
        after = None
        if start := request.query.get("starting_after"):
            after = self.store.get(start)
            if after is None:
                raise self.refused(kind.NOT_FOUND, f"No such customer: {start!r}", ["starting_after"])
        rows = self.store.living(after, limit=limit + 1)
        data = [self.view(row) for row in rows[:limit]]
        return Answer(200, {"object": "list", "url": CUSTOMERS, "data": data, "has_more": len(rows) > limit})

    def _events(self, request: Request, parts: list[str]) -> Answer:
        limit = self.number(request, "limit", PAGE, PAGE)
        after = request.query.get("after", "")
        if after and not re.fullmatch(r"evt_\d{1,18}", after, re.ASCII):
            raise self.refused(kind.NOT_FOUND, f"No such event: {after[:60]!r}", ["after"])
        changes = self.store.changes(after_seq=int(after[4:]) if after else 0, limit=limit + 1)
        data = [self._event(change) for change in changes[:limit]]
        return Answer(200, {"object": "list", "url": "/v1/events", "data": data, "has_more": len(changes) > limit})

    def _event(self, change: Change) -> dict[str, Any]:
        row = Row(change.id, None, change.who, change.after or {}, created=change.created, modified=change.at)
        row.deleted = change.op == "delete"
        return {
            "id": f"evt_{change.seq:012d}",
            "object": "event",
            "type": f"customer.{TYPES.get(change.op, 'updated')}",
            "created": change.at // SECOND,
            "data": {"object": self.view(row)},
            "request": {"id": change.correlation or None, "idempotency_key": change.request_key or None},
        }

    def _account(self, request: Request, parts: list[str]) -> Answer:
        return Answer(200, {"id": "acct_sandbox", "object": "account"})

    # ── bodies ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def _values(self, request: Request) -> dict[str, Any]:
        media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media == "application/json":
            return self.checked(self.json_body(request))
        if media not in ("application/x-www-form-urlencoded", "") or (not media and request.body):
            raise self.refused(kind.MEDIA, "The body must be form-encoded, or application/json.")
        try:
            values = bracketed(request.body.decode())
        except ValueError as error:
            raise self.refused(kind.BAD_BODY, str(error)) from None
        return self.checked({name: _typed(value, self.declared.get(name)) for name, value in values.items()})

    # ── once and only once ──────────────────────────────────────────────────────────────────────────────────────────
    def _once(self, request: Request, values: dict[str, Any], effect: Callable[[], Answer]) -> Answer:
        """The effect, or with a known Idempotency-Key the answer that it had; effect and kept answer are one transaction."""
        key = request.writer.request_key
        if not key:
            self.faults.wait(request.method)
            with self.store.turn():
                return effect()
        with self._running_lock:
            if key in self._running:
                raise self.refused("key_in_use", "There is currently another request in progress with this key.")
            self._running.add(key)
        try:
            whole = json.dumps([request.method, request.path, values], sort_keys=True)
            mark = hashlib.sha256(whole.encode()).hexdigest()
            if replay := self._replay(key, mark):
                return replay
            self.faults.wait(request.method)
            with self.store.turn():
                answer = effect()
                self.store.keep_answer(key, mark, answer.status, json.dumps(answer.body, ensure_ascii=False))
                return answer
        finally:
            with self._running_lock:
                self._running.discard(key)

    def _replay(self, key: str, mark: str) -> Answer | None:
        since = time.time_ns() // 1000 - int(self.faults.switches.idempotency_seconds * SECOND)
        kept = self.store.kept_answer(key, not_before=since)
        if kept is None:
            return None
        if kept[0] != mark:
            sentence = (
                "Keys for idempotent requests can only be used with the same parameters they were first used with."
            )
            raise self.refused("key_reused", sentence)
        self.count("repeats")
        return Answer(kept[1], json.loads(kept[2]), {"Idempotent-Replayed": "true"})


def _grave(row: Row) -> dict[str, Any]:
    return {"id": row.id, "object": "customer", "deleted": True}


def _type(status: int, word: str) -> str:
    if word == "idempotency_key_reused":
        return "idempotency_error"
    if status == 429:
        return "rate_limit_error"
    return "api_error" if status >= 500 else "invalid_request_error"


def _typed(value: Any, known: Field | None) -> Any:
    """A form has only text: '' empties, numbers are read; what cannot be read is left for the check to name."""
    if known is None or not isinstance(value, str):
        return value
    if value == "":
        return None
    return number_of(value) if known.type == "number" else value
