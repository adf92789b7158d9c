"""What the REST adapter reads in the document of a connection, checked as a whole before anything is called.

[connection]
base_url = "https://…"          # every path below stands after it
body = "json"                   # or "form": address[city]=x
connect_timeout = 5             # seconds
in_flight = 4                   # calls at a time
per_second = 50                 # calls; left out: no limit of ours
headers = { … }                 # sent with every call
sensitive = ["Iban__c"]         # names whose values are masked where calls are kept
certificates = "-----BEGIN …"   # who signs the target's certificate, if the machine does not know
[auth]
kind = "bearer"                 # none, bearer (credential token), basic (username, password), header (token, under `name`),
                                # oauth2 (client_id, client_secret; `token_url`, `scope`, `send` = body or basic)
[record]                        # where things stand in one record, as JSON pointers; a list: the first that is there
id = "/Id"                      # needed
hub_key = "/MDM_Key__c"
etag = "/@odata.etag"
changed_at = "/SystemModstamp"
deleted = "/IsDeleted"          # anything but false, null, 0, "" means deleted
merged_into = "/MasterRecordId"
[errors]
code = ["/error/code"]
message = ["/error/message"]
field = ["/error/target"]       # the name of the field, or an object whose first key it is
failed = ["/error"]             # a 2xx answer in which something stands here failed all the same
success = ["/success"]          # and so did one in which this is false
[errors.codes]                  # the target's word = what it means (contract.Trouble)
REQUEST_LIMIT_EXCEEDED = "throttled"
[errors.statuses]               # likewise for a status, where the usual reading is wrong
409 = "duplicate"
[operations.create]             # create, update, deactivate, reactivate, merge, find, read, changes, list, probe
method = "POST"
path = "/customers/{external_id}"   # words: external_id hub_key loser etag limit idempotency_key correlation_id cursor.…
query = { … }                   # an entry whose word has no value is left out
headers = { … }
body = { mdmkey = "{hub_key}" } # fixed parts; "{losers}" becomes a list
envelope = "/contact"           # where the record's fields stand in the request
record = "/contact"             # where the record stands in the answer, if it does
id = "/id"                      # where the id stands in an answer without a record
repeat = "upsert"               # of create: what sending it twice does: upsert, idempotency or none
idempotency_header = "Idempotency-Key"
replay_hours = 24               # how long the target knows such a key
etag_header = "If-Match"        # of update and the like
etag_body = { … }               # fixed parts sent only when the etag is known
etag_needed = true              # nothing is sent as long as it is not
each_loser = true               # of merge: one call for every loser, under {loser}
records = "/records"            # of changes and list: where the list stands
item = "/data/object"           # where the record stands in an entry of it
next = { after = "/next" }      # word of the cursor = its new value in the answer
last = { after = "/modified" }  # or in the last entry of the list
more = "/has_more"              # whether there is more at once; or done = "/done"; neither: when the page is full
most = 500                      # records of a page
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from apps.common.errors import FieldError
from apps.common.pointers import shown
from apps.connectors.addresses import Refused, place
from apps.connectors.contract import Can, Trouble
from apps.connectors.documents import COMMON, COUNT, DocumentError, section_errors, sensitive_names, table
from apps.connectors.mapping_checks import Shape, is_scalar, is_table_of, is_text, is_texts, near
from apps.connectors.systems.rest.pointers import Pointer, pointer
from apps.connectors.systems.rest.templates import words_of

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
READS: Final = ("find", "read", "changes", "list", "probe")
WRITES: Final = ("create", "update", "deactivate", "reactivate", "merge")
AUTH_KINDS: Final = {
    "none": (),
    "bearer": ("token",),
    "basic": ("username", "password"),
    "header": ("token",),
    "oauth2": ("client_id", "client_secret"),
}
"""Kind of log-in -> the credentials it needs."""
REPEATS: Final = ("upsert", "idempotency", "none")
WORDS: Final = frozenset(
    {"external_id", "hub_key", "loser", "losers", "etag", "limit", "idempotency_key", "correlation_id"}
)


def _is_object(value: object) -> bool:
    return isinstance(value, Mapping)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_pointer(value: object) -> bool:
    return isinstance(value, str) and (not value or value.startswith("/"))


def _is_pointers(value: object) -> bool:
    return _is_pointer(value) or (isinstance(value, list | tuple) and all(map(_is_pointer, value)))


def _is_one_of(*words: str) -> Shape:
    return lambda value: value in words


_POINTER: Final = ("a JSON pointer, such as /data/id", _is_pointer)
_POINTERS: Final = ("a JSON pointer, such as /data/id, or a list of them", _is_pointers)
_TEXTS: Final = ("a table of text = text", is_table_of(is_scalar))
_TROUBLES: Final = (f"a table whose values are {', '.join(Trouble)}", is_table_of(_is_one_of(*Trouble)))

CONNECTION: Final = COMMON | {
    "base_url": ("text", is_text),
    "body": ("json or form", _is_one_of("json", "form")),
    "connect_timeout": COUNT,
    "headers": _TEXTS,
    "sensitive": ("a list of names", is_texts),
    "certificates": ("text", is_text),
}
AUTH: Final[Mapping[str, tuple[str, Shape]]] = {
    "kind": (", ".join(AUTH_KINDS), _is_one_of(*AUTH_KINDS)),
    "name": ("text", is_text),
    "token_url": ("text", is_text),
    "scope": ("text", is_text),
    "send": ("body or basic", _is_one_of("body", "basic")),
}
RECORD: Final = dict.fromkeys(("id", "hub_key", "etag", "changed_at", "deleted", "merged_into"), _POINTERS)
ERRORS: Final = dict.fromkeys(("code", "message", "field", "failed", "success"), _POINTERS) | dict.fromkeys(
    ("codes", "statuses"), _TROUBLES
)
OPERATION: Final[Mapping[str, tuple[str, Shape]]] = {
    "method": (f"one of {', '.join(METHODS)}", _is_one_of(*METHODS)),
    "path": ("a path that begins with /", lambda value: isinstance(value, str) and value.startswith("/")),
    "query": _TEXTS,
    "headers": _TEXTS,
    "body": ("a table", _is_object),
    "envelope": _POINTER,
    "record": _POINTER,
    "id": _POINTERS,
    "repeat": (", ".join(REPEATS), _is_one_of(*REPEATS)),
    "idempotency_header": ("text", is_text),
    "replay_hours": COUNT,
    "etag_header": ("text", is_text),
    "etag_body": ("a table", _is_object),
    "etag_needed": ("true or false", _is_flag),
    "each_loser": ("true or false", _is_flag),
    "records": _POINTER,
    "item": _POINTER,
    "next": ("a table of word = JSON pointer", is_table_of(_is_pointer)),
    "last": ("a table of word = JSON pointer", is_table_of(_is_pointer)),
    "more": _POINTER,
    "done": _POINTER,
    "most": COUNT,
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing the target can be asked; the module's docstring says what each entry means."""

    name: str
    method: str
    path: str
    query: Mapping[str, Any]
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    envelope: Pointer
    record: Pointer | None
    id: tuple[Pointer, ...]
    repeat: str
    idempotency_header: str
    replay_hours: float
    etag_header: str
    etag_body: Mapping[str, Any]
    etag_needed: bool
    each_loser: bool
    records: Pointer
    item: Pointer
    next: Mapping[str, Pointer]
    last: Mapping[str, Pointer]
    more: Pointer | None
    done: Pointer | None
    most: int

    @property
    def writes(self) -> bool:
        return self.name in WRITES

    @classmethod
    def read(cls, name: str, entry: Mapping[str, Any]) -> Self:
        answers = {"read": "", "find": ""}.get(name)
        return cls(
            name=name,
            method=entry["method"],
            path=entry["path"],
            query=entry.get("query", {}),
            headers={key: str(value) for key, value in entry.get("headers", {}).items()},
            body=entry.get("body", {}),
            envelope=pointer(entry.get("envelope", "")),
            record=_optional(entry.get("record", answers)),
            id=_pointers(entry.get("id", ())),
            repeat=entry.get("repeat", "none"),
            idempotency_header=entry.get("idempotency_header", ""),
            replay_hours=float(entry.get("replay_hours", 24)),
            etag_header=entry.get("etag_header", ""),
            etag_body=entry.get("etag_body", {}),
            etag_needed=entry.get("etag_needed", False),
            each_loser=entry.get("each_loser", False),
            records=pointer(entry.get("records", "")),
            item=pointer(entry.get("item", "")),
            next={word: pointer(text) for word, text in entry.get("next", {}).items()},
            last={word: pointer(text) for word, text in entry.get("last", {}).items()},
            more=_optional(entry.get("more")),
            done=_optional(entry.get("done")),
            most=int(entry.get("most", 500)),
        )


@dataclass(frozen=True, slots=True)
class RestDocument:
    """A checked document of the REST adapter."""

    base_url: str
    form: bool
    connect_timeout: float
    headers: Mapping[str, str]
    sensitive: frozenset[str]
    certificates: str | None
    auth: Mapping[str, str]
    record: Mapping[str, tuple[Pointer, ...]]
    errors: Mapping[str, tuple[Pointer, ...]]
    codes: Mapping[str, Trouble]
    statuses: Mapping[int, Trouble]
    operations: Mapping[str, Operation]

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """The document from plain data. Raises DocumentError."""
        errors = list(problems(document))
        if errors:
            raise DocumentError(errors)
        connection, told = table(document, "connection"), table(document, "errors")
        return cls(
            base_url=connection["base_url"].rstrip("/"),
            form=connection.get("body") == "form",
            connect_timeout=float(connection.get("connect_timeout", 5)),
            headers={name: str(value) for name, value in connection.get("headers", {}).items()},
            sensitive=frozenset(sensitive_names(document)),
            certificates=connection.get("certificates"),
            auth={"kind": "none", **table(document, "auth")},
            record={name: _pointers(value) for name, value in table(document, "record").items()},
            errors={name: _pointers(told.get(name, ())) for name in ("code", "message", "field", "failed", "success")},
            codes={str(word): Trouble(trouble) for word, trouble in told.get("codes", {}).items()},
            statuses={int(status): Trouble(trouble) for status, trouble in told.get("statuses", {}).items()},
            operations={name: Operation.read(name, entry) for name, entry in document["operations"].items()},
        )

    @property
    def can(self) -> frozenset[Can]:
        found = {Can(name) for name in self.operations if name in Can._value2member_map_}
        create, update = self.operations.get("create"), self.operations.get("update")
        if create and create.repeat == "upsert":
            found.add(Can.UPSERT)
        if create and create.repeat == "idempotency":
            found.add(Can.REPLAY)
        if update and (update.etag_header or update.etag_body):
            found.add(Can.ETAG)
        return frozenset(found)

    @property
    def replay_hours(self) -> float:
        create = self.operations.get("create")
        return create.replay_hours if create and create.repeat == "idempotency" else 0.0


def problems(document: Mapping[str, Any]) -> Iterable[FieldError]:
    """Everything that is wrong with a document, but for its mapping."""
    known = ("connection", "auth", "record", "errors", "operations", "mapping")
    for key in document:
        if key not in known:
            yield FieldError(key, "unknown_field", f"{shown(key)} is no part of a document{near(key, known)}.")
    yield from section_errors(document, "connection", CONNECTION, ("base_url",))
    yield from section_errors(document, "auth", AUTH)
    yield from section_errors(document, "record", RECORD, ("id",))
    yield from section_errors(document, "errors", ERRORS)
    yield from _address_problems(table(document, "connection"), table(document, "auth"))
    yield from _certificate_problems(table(document, "connection").get("certificates"))
    for status in table(table(document, "errors"), "statuses"):
        if not (str(status).isdecimal() and 100 <= int(status) <= 599):
            yield FieldError("errors.statuses", "unknown_value", f"{shown(status)} is no status of HTTP.")
    operations = document.get("operations", {})
    if not isinstance(operations, Mapping) or not operations:
        yield FieldError("operations", "missing", "The document has no [operations.…] table.")
        return
    for name, entry in operations.items():
        yield from _operation_problems(name, entry)


def _address_problems(connection: Mapping[str, Any], auth: Mapping[str, Any]) -> Iterable[FieldError]:
    urls = {"connection.base_url": connection.get("base_url")}
    if auth.get("kind") == "oauth2":
        urls["auth.token_url"] = auth.get("token_url") or ""
    if auth.get("kind") == "header" and not auth.get("name"):
        yield FieldError("auth.name", "missing", "auth.name, the header that carries the token, is missing.")
    for name, url in urls.items():
        if isinstance(url, str) and (url or name == "auth.token_url"):
            try:
                place(url)
            except Refused as error:
                yield FieldError(name, error.code, f"{name}: {error.detail}")


def _certificate_problems(text: object) -> Iterable[FieldError]:
    if isinstance(text, str):
        try:
            ssl.create_default_context(cadata=text or "none")
        except ssl.SSLError:
            detail = "connection.certificates is no text of certificates in PEM form."
            yield FieldError("connection.certificates", "bad_certificate", detail)


def _operation_problems(name: str, entry: object) -> Iterable[FieldError]:
    at, names = f"operations.{name}", (*WRITES, *READS)
    if name not in names:
        yield FieldError(at, "unknown_field", f"{shown(name)} is no operation{near(name, names)}.")
        return
    if not isinstance(entry, Mapping):
        yield FieldError(at, "wrong_type", f"{at} is a table.")
        return
    errors = section_errors({at: entry}, at, OPERATION, ("method", "path"))
    yield from errors
    if errors:
        return
    cursor = {f"cursor.{word}" for part in ("next", "last") for word in entry.get(part, {})}
    for part in ("path", "query", "headers", "body", "etag_body"):
        for word in words_of(entry.get(part)) - WORDS - cursor:
            detail = f"{{{word}}} in {at}.{part} is no word{near(word, (*WORDS, *cursor))}."
            yield FieldError(f"{at}.{part}", "unknown_value", detail)
    if name == "create" and entry.get("repeat") == "idempotency" and not entry.get("idempotency_header"):
        detail = f"{at}.idempotency_header is missing: repeat is idempotency."
        yield FieldError(f"{at}.idempotency_header", "missing", detail)
    if name in ("changes", "list") and "records" not in entry:
        yield FieldError(f"{at}.records", "missing", f"{at}.records, where the list stands, is missing.")
    if name in ("changes", "list") and not cursor:
        yield FieldError(f"{at}.next", "missing", f"{at} needs next or last, or only its first page is ever read.")


def _pointers(value: Any) -> tuple[Pointer, ...]:
    return (pointer(value),) if isinstance(value, str) else tuple(map(pointer, value))


def _optional(value: str | None) -> Pointer | None:
    return None if value is None else pointer(value)
