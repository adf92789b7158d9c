"""What the four kinds of server have in common: requests, answers, the verbs on records, and the shape of errors that each fills in."""

import json
import re
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final
from urllib.parse import unquote

from apps.connectors.sandbox import fields
from apps.connectors.sandbox.faults import Faults
from apps.connectors.sandbox.fields import Declared, Fault
from apps.connectors.sandbox.store import Row, Store, Writer

AUTH: Final = "auth"
LIMIT: Final = "limit"
DOWN: Final = "down"
BROKEN: Final = "broken"
DENIED: Final = "denied"
NOT_FOUND: Final = "not_found"
NO_METHOD: Final = "no_method"
BAD_BODY: Final = "bad_body"
BAD_PARAMETER: Final = "bad_parameter"
MEDIA: Final = "media"
DUPLICATE: Final = "duplicate"
STALE: Final = "stale"
GONE: Final = "gone"

SENTENCES: Final = {
    AUTH: "The key is missing or wrong.",
    LIMIT: "Too many requests; come back later.",
    DOWN: "The service is not available at the moment.",
    BROKEN: "Something went wrong on our side.",
    DENIED: "This key may not change anything.",
    NOT_FOUND: "There is no such record or address.",
    NO_METHOD: "This address does not take this method.",
}
SOMEBODY: Final = Writer("somebody")


@dataclass(slots=True)
class Request:
    """One call. Header names are in lower case; `clash`: somebody edits the record right before it is written."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    who: str = ""
    clash: bool = False

    @property
    def writer(self) -> Writer:
        headers = self.headers
        return Writer(
            self.who, headers.get("x-correlation-id", "")[:200], headers.get("idempotency-key", "")
        )  # fmt: skip


@dataclass(slots=True)
class Answer:
    """`body` is JSON-able, or bytes of the given `media`; None is no body at all."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    media: str = "application/json"
    lost: bool = False
    """The connection is closed instead of sending it."""
    over_seconds: float = 0
    """How long the body takes on its way."""


class Refused(Exception):
    """Ends a request with this answer; whatever the turn had written is undone."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


Handler = Callable[[Request, list[str]], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """`path` is a regular expression over the whole path; its groups reach the handler decoded."""

    method: str
    path: str
    handler: Handler


class Kind(ABC):
    """One kind of system. Sub-classes say the names, the fields, the addresses and how errors look."""

    name: ClassVar[str]
    id_name: ClassVar[str]
    key_field: ClassVar[str]
    """The field that holds the unique key of whoever made the record; dotted where nested."""
    declared: ClassVar[Declared]
    modified_name: ClassVar[str]
    status_name: ClassVar[str]
    changed_name: ClassVar[str]
    """The field of the record that a person changes in the clash."""
    words: ClassVar[Mapping[str, tuple[int, str]]]
    """What went wrong -> (status, the kind's own word)."""
    basic: ClassVar[bool] = False
    keeps_after: ClassVar[bool] = False
    unique: ClassVar[tuple[str, ...]] = ()
    unique_keys: ClassVar[bool] = True
    merges: ClassVar[bool] = False

    def __init__(self, store: Store, faults: Faults) -> None:
        self.store, self.faults = store, faults
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._routes = [(route.method, re.compile(route.path), route.handler) for route in self.routes()]

    # ── what sub-classes say ────────────────────────────────────────────────────────────────────────────────────────
    @abstractmethod
    def routes(self) -> list[Route]: ...

    @abstractmethod
    def new_id(self) -> str: ...

    @staticmethod
    @abstractmethod
    def key_of(values: Mapping[str, Any]) -> str | None: ...

    @staticmethod
    @abstractmethod
    def version_of(values: Mapping[str, Any]) -> Any: ...

    @abstractmethod
    def show(self, row: Row) -> dict[str, Any]:
        """The whole record with the server's own fields, as the kind shows it."""

    @abstractmethod
    def error(self, status: int, word: str, sentence: str, names: Sequence[str] = ()) -> Answer: ...

    @abstractmethod
    def failed_inside(self) -> Answer:
        """200 that is none."""

    def listed(self, row: Row) -> dict[str, Any]:
        """The record as the kind's list of changes and its webhooks have it."""
        return self.view(row)

    def waits(self, request: Request) -> bool:
        """Whether the handler waits out the latency itself, because something is held meanwhile."""
        return False

    @abstractmethod
    def title(self, values: Mapping[str, Any]) -> str:
        """What people call the record."""

    # ── what all share ──────────────────────────────────────────────────────────────────────────────────────────────
    def view(self, row: Row) -> dict[str, Any]:
        shown = self.show(row)
        if self.faults.switches.status_word:
            shown[self.status_name] = self.faults.switches.status_word
        return shown

    def trouble(self, what: str, sentence: str = "", names: Sequence[str] = ()) -> Answer:
        status, word = self.words[what]
        return self.error(status, word, sentence or SENTENCES[what], names)

    def limited(self) -> Answer:
        """The kind's own way to say that a quota is used up; without Retry-After it says so itself."""
        return self.trouble(LIMIT)

    def refused(self, what: str, sentence: str = "", names: Sequence[str] = ()) -> Refused:
        return Refused(self.trouble(what, sentence, names))

    def bad_fields(self, faults: list[Fault]) -> Answer:
        first = faults[0]
        return self.trouble(first.code, first.detail, [first.name])

    def handle(self, request: Request) -> Answer:
        """The route's answer; a Refused becomes its own."""
        found = False
        for method, pattern, handler in self._routes:
            if match := pattern.fullmatch(request.path):
                found = True
                if method == request.method:
                    try:
                        return handler(request, [unquote(part) for part in match.groups()])
                    except Refused as refused:
                        return refused.answer
        return self.trouble(NO_METHOD if found else NOT_FOUND)

    def count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1

    def json_body(self, request: Request) -> dict[str, Any]:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise self.refused(MEDIA, "The body must be application/json.")
        try:
            body = json.loads(request.body, parse_constant=_no_constant)
            if b"\\u" in request.body:
                json.dumps(body, ensure_ascii=False).encode()  # half a surrogate pair is no text
        except (ValueError, RecursionError) as error:
            raise self.refused(BAD_BODY, f"The body is no JSON: {str(error)[:200]}") from None
        if not isinstance(body, dict):
            raise self.refused(BAD_BODY, "The body must be an object.")
        return body

    def checked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """`values` as they will be kept; refused with everything that is wrong."""
        if faults := list(fields.faults_of(values, self.declared)):
            raise Refused(self.bad_fields(faults))
        return fields.fitted(values, self.declared)

    def living(self, record_id: str) -> Row:
        row = self.store.get(record_id)
        if row is None:
            raise self.refused(NOT_FOUND)
        if row.deleted:
            raise self.refused(GONE, f"The record {record_id} is deleted.")
        return row

    def number(self, request: Request, name: str, usual: int, most: int) -> int:
        text = request.query.get(name, "")
        if not text:
            return usual
        if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
            raise self.refused(BAD_PARAMETER, f"{name} must be a whole number from 1 to {most}.", [name])
        return int(text)

    # ── verbs ───────────────────────────────────────────────────────────────────────────────────────────────────────
    def add(self, values: Mapping[str, Any], writer: Writer) -> Row:
        """Makes a record of checked values. Inside a turn, after the key was looked up."""
        kept = fields.merged({}, {name: value for name, value in values.items() if value is not None})
        row = Row(self.new_id(), self.key_of(kept), writer.who, kept)
        return self.store.write(row, "create", writer, fields.differences({}, kept), self.version_of(values))

    def change(
        self,
        record_id: str,
        values: Mapping[str, Any],
        writer: Writer,
        *,
        clash: bool = False,
        still: Callable[[Row], None] = lambda row: None,
    ) -> Row:
        """Writes checked values over a living record; `still` refuses when the record is not what the caller saw.

        A write that changes nothing is one all the same: it gets a new version, as real systems do it."""
        if clash:
            self.clash(record_id)
        with self.store.turn():
            row = self.living(record_id)
            still(row)
            after = fields.merged(row.fields, values)
            self.keep_unique(after, row)
            changed = fields.differences(row.fields, after)
            row.fields, row.key = after, self.key_of(after)
            if not changed:
                self.count("repeats")
            return self.store.write(row, "update", writer, changed, self.version_of(values))

    def clash(self, record_id: str) -> None:
        """Somebody there edits the record."""
        with self.store.turn():
            row = self.store.get(record_id)
            if row is not None and not row.deleted:
                before = row.fields.get(self.changed_name)
                row.fields[self.changed_name] = f"+49 30 {5_550_000 + row.version}"
                after = {self.changed_name: [before, row.fields[self.changed_name]]}
                self.store.write(row, "edit", SOMEBODY, after)

    def keep_unique(self, values: Mapping[str, Any], row: Row | None = None) -> None:
        """Refuses values whose key, or other unique field, a living record has already. Inside a turn."""
        key = self.key_of(values)
        found = [(self.key_field, self.store.by_key(key))] if key is not None and self.unique_keys else []
        found += [(name, self.store.having(name, values[name])) for name in self.unique if values.get(name) is not None]
        for name, other in found:
            if other is not None and (row is None or other.id != row.id):
                self.count("repeats")
                sentence = f"duplicate value found: {name} duplicates value on record with id: {other.id}"
                raise self.refused(DUPLICATE, sentence, [name])

    def remove(
        self,
        record_id: str,
        writer: Writer,
        *,
        clash: bool = False,
        still: Callable[[Row], None] = lambda row: None,
    ) -> Row:
        if clash:
            self.clash(record_id)
        with self.store.turn():
            row = self.living(record_id)
            still(row)
            row.deleted = True
            return self.store.write(row, "delete", writer, {})

    def fold(self, winner_id: str, loser_ids: Sequence[str], writer: Writer) -> Row:
        """Merges: the losers are deleted and point at the winner, whose fields stay as they are."""
        with self.store.turn():
            winner = self.living(winner_id)
            for loser_id in loser_ids:
                loser = self.living(loser_id)
                if loser.id == winner.id:
                    raise self.refused(BAD_PARAMETER, "A record cannot be merged into itself.")
                loser.deleted, loser.merged_into = True, winner.id
                self.store.write(loser, "merged", writer, {})
            return self.store.write(winner, "merge", writer, {})


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON")
