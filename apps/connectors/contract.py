"""What an adapter is: the one shape in which the hub speaks to other systems.

An adapter only carries bytes and says what the answer meant; it never retries, never sleeps, never decides what comes next and
keeps no state but its connections. The driver (deliver.py) owns attempts, order, limits and the breaker."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol

LONGEST_ANSWER: Final = 1_000_000
"""Bytes of an answer that are read; a longer one is an error of the target."""
KEPT_TEXT: Final = 4_000
"""Characters of a request and of an answer that an attempt keeps, redacted."""


class Op(StrEnum):
    """What a target is told about one record."""

    CREATE = "create"
    UPDATE = "update"
    DEACTIVATE = "deactivate"
    REACTIVATE = "reactivate"
    MERGE = "merge"


class Trouble(StrEnum):
    """Why a call did not do what it should; each says who can mend it, and so what happens next."""

    TRANSIENT = "transient"
    """The target had nothing of it (refused connection, 5xx that says so): try again later."""
    THROTTLED = "throttled"
    """Too many calls; no attempt is burned, nobody calls before `retry_after`."""
    AUTH = "auth"
    """The credentials are refused: every call would fail, so the connection is paused."""
    CONFLICT = "conflict"
    """The record changed there since we last saw it: read it, take it in, plan again."""
    VALIDATION = "validation"
    """The target does not accept these values: a person has to mend them."""
    NOT_FOUND = "not_found"
    """The record is not there any more."""
    DUPLICATE = "duplicate"
    """The target already has a record with our key, or one it takes for the same."""
    CONFIG = "config"
    """Address, mapping or permission is wrong: an administrator has to mend the connection."""
    UNCERTAIN = "uncertain"
    """The request left, no usable answer came: it may have been carried out."""
    PING_PONG = "ping_pong"
    """The hub's own word, no adapter's: the far side puts the value back each time; a person has to find out who."""
    FATAL = "fatal"
    """Anything else that trying again will not mend."""


UNKNOWN_OUTCOME: Final = "unknown_outcome"
"""The code of a create of which the target cannot be asked whether it was carried out."""
RETRIED: Final = frozenset({Trouble.TRANSIENT, Trouble.UNCERTAIN, Trouble.CONFLICT, Trouble.THROTTLED})
HURTS: Final = frozenset({Trouble.TRANSIENT, Trouble.UNCERTAIN})
"""What the breaker counts as a failure of the target."""


class Can(StrEnum):
    """What a target is able to do; the planner and the driver read it, nobody tries what is not declared."""

    CREATE = "create"
    UPDATE = "update"
    DEACTIVATE = "deactivate"
    MERGE = "merge"
    FIND = "find"  # by our key
    READ = "read"  # by its own id
    UPSERT = "upsert"  # a create by our key may be repeated
    REPLAY = "replay"  # a create with an idempotency key may be repeated, for `replay_hours`
    ETAG = "etag"  # an update says which version it is based on
    CHANGES = "changes"  # what changed since a cursor
    LIST = "list"  # all ids, deleted and merged ones marked or missing
    BATCH = "batch"  # many writes in one go (files)


@dataclass(frozen=True, slots=True)
class Write:
    """One thing to tell a target. `fields`: native names and values; of an update only what differs.

    `hub_key` is the unique key under which the target keeps what the hub made; `external_id` its own id, once known;
    `losers`: own ids of the records that a merge folds into `external_id`."""

    op: Op
    hub_key: str
    idempotency_key: str
    correlation_id: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    external_id: str | None = None
    etag: str | None = None
    losers: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class FarRecord:
    """A record as the target has it; `values` are native. `changed_at`: ISO 8601, if the target says."""

    external_id: str
    values: Mapping[str, Any] = field(default_factory=dict)
    hub_key: str | None = None
    etag: str | None = None
    deleted: bool = False
    merged_into: str | None = None
    changed_at: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one call. `trouble` is None when it did what it should; then `record` is what the target now holds, if it said so.

    `code` is the target's own word for an error, `detail` a sentence for people; `request` and `response` are redacted texts of
    KEPT_TEXT characters or fewer; `retry_after` in seconds; `ms` how long the call took."""

    trouble: Trouble | None = None
    code: str = ""
    detail: str = ""
    status: int | None = None
    external_id: str | None = None
    etag: str | None = None
    record: FarRecord | None = None
    retry_after: float | None = None
    request: str = ""
    response: str = ""
    ms: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """Part of what a target lists; `cursor` goes on after it, `more` says whether to ask at once. `trouble`: nothing was read."""

    records: Sequence[FarRecord] = ()
    cursor: Mapping[str, Any] = field(default_factory=dict)
    more: bool = False
    answer: Answer = field(default_factory=Answer)


class Adapter(Protocol):
    """One connection's way to its target. Methods never raise for what the target does: they answer with a Trouble.

    Thread-safe: the driver calls `write` from several threads at once. `timeout` is in seconds for a whole call."""

    can: frozenset[Can]
    replay_hours: float

    def write(self, write: Write, *, timeout: float) -> Answer: ...

    def write_all(self, writes: Sequence[Write], *, timeout: float) -> Sequence[Answer]:
        """Only with Can.BATCH; one answer each, in order."""
        ...

    def find(self, hub_key: str, *, timeout: float) -> Answer:
        """By our key; without a trouble and without `external_id`: it is not there."""
        ...

    def read(self, external_id: str, *, timeout: float) -> Answer: ...

    def changes(self, cursor: Mapping[str, Any], *, limit: int, timeout: float) -> Page: ...

    def list(self, cursor: Mapping[str, Any], *, limit: int, timeout: float) -> Page: ...

    def probe(self, *, timeout: float) -> Answer:
        """A cheap read that shows whether the target is there and lets us in."""
        ...

    def close(self) -> None: ...
