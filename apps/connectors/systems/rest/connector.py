"""The REST adapter: a target that is told in a document, without code of its own."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from apps.common.errors import FieldError
from apps.common.jsontext import json_text
from apps.connectors.contract import Answer, Can, FarRecord, Op, Page, Trouble, Write
from apps.connectors.redact import Redactor
from apps.connectors.systems.rest.classify import Verdict, judged, lost
from apps.connectors.systems.rest.client import Client, NoReply, Reply
from apps.connectors.systems.rest.document import Operation, RestDocument, problems
from apps.connectors.systems.rest.login import Login, NoLogin
from apps.connectors.systems.rest.pointers import ABSENT, Pointer, at, first, folded, wrapped
from apps.connectors.systems.rest.templates import NoValue, Words, form, in_body, in_header, in_path, in_query

_FALSE: Final = (ABSENT, None, False, "", 0)
_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class _Call:
    """One request as it leaves; `shown` is what of it may be kept, `hidden` the values that must not be."""

    operation: Operation
    path: str
    headers: Mapping[str, str]
    body: bytes | None
    shown: str
    hidden: frozenset[str]


class RestAdapter:
    """See contract.Adapter."""

    def __init__(self, document: RestDocument, credentials: Mapping[str, str], allowed: Collection[str]) -> None:
        self.can: frozenset[Can] = document.can
        self.replay_hours: float = document.replay_hours
        self._document = document
        self._base = "/" + document.base_url.partition("://")[2].partition("/")[2]
        self._base = self._base.rstrip("/")
        self._login = Login(document, credentials, allowed)
        self._secrets: set[str] = set()
        self._redactor = Redactor(document.sensitive)
        self._client = Client(
            document.base_url, allowed, connect_timeout=document.connect_timeout, authority=document.certificates
        )

    @classmethod
    def make(cls, document: Mapping[str, Any], credentials: Mapping[str, str], allowed: Collection[str]) -> Self:
        """An adapter for a whole document. Raises DocumentError."""
        return cls(RestDocument.read(document), credentials, allowed)

    @staticmethod
    def problems(document: Mapping[str, Any]) -> list[FieldError]:
        """What is wrong with a document, but for its mapping."""
        return list(problems(document))

    # ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def write(self, write: Write, *, timeout: float) -> Answer:
        operation = self._document.operations.get(write.op)
        if operation is None:
            return _cannot(write.op)
        if operation.etag_needed and not write.etag:
            detail = (
                "The target wants to know which version is changed, and we do not know it: it has to be read first."
            )
            return Answer(Trouble.CONFLICT, "etag_unknown", detail, external_id=write.external_id)
        if write.op is Op.MERGE and operation.each_loser:
            return self._merge_each(operation, write, timeout)
        return self._write(operation, write, _words(write), timeout)

    def write_all(self, writes: Sequence[Write], *, timeout: float) -> Sequence[Answer]:
        return [self.write(write, timeout=timeout) for write in writes]

    def _merge_each(self, operation: Operation, write: Write, timeout: float) -> Answer:
        """One call for every loser; the first that does not do what it should ends it."""
        end = time.monotonic() + timeout
        answer = Answer(external_id=write.external_id, etag=write.etag)
        for loser in write.losers:
            words = _words(write) | {"loser": loser}
            answer = self._write(operation, write, words, max(end - time.monotonic(), 0.001))
            if answer.trouble is not None:
                return answer
        return answer

    def _write(self, operation: Operation, write: Write, words: Words, timeout: float) -> Answer:
        try:
            body = folded(write.fields, in_body(operation.body, words))
            if operation.etag_body and write.etag:
                body = folded(body, in_body(operation.etag_body, words))
            call = self._call(operation, words, body)
        except NoValue as error:
            return _no_value(operation, error)
        answer, verdict, reply = self._ask(call, timeout)
        if verdict.trouble is not None or reply is None:
            return answer
        return self._written(operation, write, answer, verdict, reply)

    def _written(self, operation: Operation, write: Write, answer: Answer, verdict: Verdict, reply: Reply) -> Answer:
        """What a write that did what it should says of the record."""
        record = None if operation.record is None else self._record(at(verdict.body, operation.record), reply.headers)
        said = first(verdict.body, operation.id)
        external_id = record.external_id if record else write.external_id if said in (ABSENT, "") else str(said)
        etag = record.etag if record else reply.headers.get("ETag")
        if external_id is None:
            detail = (
                "The target says that it made the record, but not under which id: it has to be looked for by our key."
            )
            return replace(answer, trouble=Trouble.UNCERTAIN, code="no_id", detail=detail)
        return replace(answer, external_id=external_id, etag=etag, record=record)

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def find(self, hub_key: str, *, timeout: float) -> Answer:
        answer = self._one("find", {"hub_key": hub_key}, timeout)
        return replace(answer, trouble=None, code="", detail="") if answer.trouble is Trouble.NOT_FOUND else answer

    def read(self, external_id: str, *, timeout: float) -> Answer:
        return self._one("read", {"external_id": external_id}, timeout)

    def _one(self, name: str, words: Words, timeout: float) -> Answer:
        operation = self._document.operations.get(name)
        if operation is None:
            return _cannot(name)
        try:
            call = self._call(operation, words, None)
        except NoValue as error:
            return _no_value(operation, error)
        answer, verdict, reply = self._ask(call, timeout)
        if verdict.trouble is not None or reply is None:
            return answer
        place = operation.record or ()
        record = self._record(at(verdict.body, place), reply.headers)
        if record is None:
            if name == "find" and place and at(verdict.body, place[:-1]) == []:
                return replace(answer, trouble=Trouble.NOT_FOUND)
            detail = "The answer has no record where the document says it stands."
            return replace(answer, trouble=Trouble.CONFIG, code="no_record", detail=detail)
        return replace(answer, external_id=record.external_id, etag=record.etag, record=record)

    def changes(self, cursor: Mapping[str, Any], *, limit: int, timeout: float) -> Page:
        return self._page("changes", cursor, limit, timeout)

    def list(self, cursor: Mapping[str, Any], *, limit: int, timeout: float) -> Page:
        return self._page("list", cursor, limit, timeout)

    def _page(self, name: str, cursor: Mapping[str, Any], limit: int, timeout: float) -> Page:
        operation = self._document.operations.get(name)
        if operation is None:
            return Page(cursor=cursor, answer=_cannot(name))
        limit = max(1, min(limit, operation.most))
        try:
            call = self._call(
                operation, {"limit": limit} | {f"cursor.{key}": value for key, value in cursor.items()}, None
            )
        except NoValue as error:
            return Page(cursor=cursor, answer=_no_value(operation, error))
        answer, verdict, reply = self._ask(call, timeout, is_page=True)
        if verdict.trouble is not None or reply is None:
            return Page(cursor=cursor, answer=answer)
        entries = at(verdict.body, operation.records)
        if not isinstance(entries, list):
            detail = "The answer has no list where the document says it stands."
            return Page(cursor=cursor, answer=replace(answer, trouble=Trouble.CONFIG, code="no_list", detail=detail))
        found = [self._record(at(entry, operation.item), {}) for entry in entries]
        answer = replace(answer, response=f"{reply.status} with {len(entries)} records")
        return Page(
            records=[record for record in found if record is not None],
            cursor=_moved(cursor, operation, verdict.body, entries),
            more=bool(entries) and _has_more(operation, verdict.body, len(entries) >= limit),
            answer=answer,
        )

    def probe(self, *, timeout: float) -> Answer:
        operation = self._document.operations.get("probe")
        if operation is None:
            return _cannot("probe")
        return self._ask(self._call(operation, {}, None), timeout)[0]

    def close(self) -> None:
        self._client.close()
        self._login.close()

    # ── one call ────────────────────────────────────────────────────────────────────────────────────────────────────
    def _call(self, operation: Operation, words: Words, fields: Mapping[str, Any] | None) -> _Call:
        """The request of an operation. Raises NoValue."""
        path = self._base + in_path(operation.path, words)
        query = in_query(operation.query, words)
        path = f"{path}?{query}" if query else path
        headers = {"Accept": _JSON, "User-Agent": "mdmhub", **self._document.headers}
        headers |= {name: in_header(text, words) for name, text in operation.headers.items()}
        if words.get("correlation_id"):
            headers["X-Correlation-ID"] = in_header("{correlation_id}", words)
        if operation.idempotency_header:
            headers[operation.idempotency_header] = in_header("{idempotency_key}", words)
        if operation.etag_header and words.get("etag"):
            headers[operation.etag_header] = in_header("{etag}", words)
        has_body = fields is not None and operation.method not in ("GET", "DELETE")
        wanted = wrapped(fields, operation.envelope) if has_body else None
        body: bytes | None = None
        if wanted is not None:
            body = form(wanted) if self._document.form else json_text(wanted).encode()
            headers["Content-Type"] = _FORM if self._document.form else _JSON
        shown = self._redactor.request(operation.method, path, wanted)
        return _Call(operation, path, headers, body, shown, frozenset(self._redactor.hidden(wanted)))

    def _ask(self, call: _Call, timeout: float, *, is_page: bool = False) -> tuple[Answer, Verdict, Reply | None]:
        """The call carried out and judged; a log-in that ended is renewed once, as nothing was done with the old one."""
        begun = time.monotonic()
        end = begun + timeout
        reply: Reply | None = None
        operation = call.operation
        try:
            headers = self._login.headers(timeout)
            reply = self._send(call, headers, end)
            if reply.status == 401 and self._login.renews:
                self._login.forget(headers)
                reply = self._send(call, self._login.headers(max(end - time.monotonic(), 0.001)), end)
            verdict = judged(reply, operation, self._document)
        except NoLogin as error:
            verdict = Verdict(error.trouble, error.code, error.detail)
        except NoReply as error:
            verdict = lost(error, operation)
        response = "" if reply is None or (is_page and verdict.trouble is None) else self._kept(call, reply)
        answer = Answer(
            trouble=verdict.trouble,
            code=self._clean(call, verdict.code, 100),
            detail=self._clean(call, verdict.detail, 1000),
            status=reply.status if reply else None,
            retry_after=verdict.retry_after,
            request=self._clean(call, call.shown),
            response=response,
            ms=round((time.monotonic() - begun) * 1000),
        )
        return answer, verdict, reply

    def _send(self, call: _Call, login: Mapping[str, str], end: float) -> Reply:
        headers = {**call.headers, **login}
        left = max(end - time.monotonic(), 0.001)
        return self._client.call(call.operation.method, call.path, headers, call.body, timeout=left)

    def _kept(self, call: _Call, reply: Reply) -> str:
        return f"{reply.status}\n{self._clean(call, reply.body.decode('utf-8', 'replace'))}".rstrip()

    def _clean(self, call: _Call, text: str, limit: int = 3_900) -> str:
        """A text as it may be kept: tokens come and go, so the redactor follows them."""
        secrets = self._login.secrets()
        if secrets != self._secrets:
            self._redactor, self._secrets = Redactor(self._document.sensitive, secrets), secrets
        return self._redactor.text(text, call.hidden, limit) if text else text

    def _record(self, found: Any, headers: Mapping[str, str]) -> FarRecord | None:
        """A record of an answer, or None where there is none."""
        if not isinstance(found, Mapping):
            return None
        said = {name: first(found, places) for name, places in self._document.record.items()}
        if said["id"] in (ABSENT, ""):
            return None
        etag = said.get("etag", ABSENT)
        return FarRecord(
            external_id=str(said["id"]),
            values=found,
            hub_key=_text(said.get("hub_key", ABSENT)),
            etag=_text(etag) if etag is not ABSENT else headers.get("ETag"),
            deleted=said.get("deleted", ABSENT) not in _FALSE,
            merged_into=_text(said.get("merged_into", ABSENT)),
            changed_at=_text(said.get("changed_at", ABSENT)),
        )


def _words(write: Write) -> dict[str, Any]:
    return {
        "external_id": write.external_id,
        "hub_key": write.hub_key,
        "etag": write.etag,
        "idempotency_key": write.idempotency_key,
        "correlation_id": write.correlation_id,
        "losers": list(write.losers),
    }


def _moved(cursor: Mapping[str, Any], operation: Operation, body: Any, entries: Sequence[Any]) -> dict[str, Any]:
    """The cursor after a page; what an answer does not say stays as it was."""
    moved = dict(cursor)
    places: list[tuple[str, Any, Pointer]] = [(word, body, place) for word, place in operation.next.items()]
    if entries:
        places += [(word, entries[-1], place) for word, place in operation.last.items()]
    for word, value, place in places:
        found = at(value, place)
        if found not in (ABSENT, None, ""):
            moved[word] = found
    return moved


def _has_more(operation: Operation, body: Any, full: bool) -> bool:  # noqa: FBT001 - a truth about the page
    if operation.more is not None:
        return at(body, operation.more) not in _FALSE
    if operation.done is not None:
        return at(body, operation.done) in _FALSE
    return full


def _text(value: Any) -> str | None:
    return None if value in (ABSENT, None, "") else str(value)


def _cannot(what: str) -> Answer:
    return Answer(Trouble.CONFIG, "cannot", f"The document does not say how to {what} at this target.")


def _no_value(operation: Operation, error: NoValue) -> Answer:
    detail = f"{operation.name} at this target needs {error}, which is not known or cannot stand in an address."
    return Answer(Trouble.CONFIG, "no_value", detail)
