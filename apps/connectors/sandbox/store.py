"""What a server keeps: records, the history of their changes, answers kept by idempotency key. SQLite on disk, one guarded connection.

Rule: everything that looks before it writes does both inside `with store.turn():`, so that two requests never cross. Moments are integers,
microseconds since 1970, and no two changes of a store have the same."""

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TABLES = """
CREATE TABLE IF NOT EXISTS record (
    id TEXT PRIMARY KEY, key TEXT, created INTEGER NOT NULL, modified INTEGER NOT NULL UNIQUE, version INTEGER NOT NULL,
    deleted INTEGER NOT NULL, merged_into TEXT, writer TEXT NOT NULL, fields TEXT NOT NULL, search TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS change (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, created INTEGER NOT NULL, at INTEGER NOT NULL, op TEXT NOT NULL, who TEXT NOT NULL,
    correlation TEXT NOT NULL, request_key TEXT NOT NULL, hub_version TEXT, changed TEXT NOT NULL, after TEXT);
CREATE INDEX IF NOT EXISTS change_id ON change (id, seq);
CREATE TABLE IF NOT EXISTS kept_answer (
    key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL, at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""
COLUMNS = "id, key, writer, fields, created, modified, version, deleted, merged_into"
NOTED = "SELECT seq, id, created, at, op, who, correlation, request_key, hub_version, changed, after FROM change"
PUT = (
    "INSERT INTO record (id, key, created, modified, version, deleted, merged_into, writer, fields, search)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET key = excluded.key, modified = excluded.modified,"
    " version = excluded.version, deleted = excluded.deleted, merged_into = excluded.merged_into, writer = excluded.writer,"
    " fields = excluded.fields, search = excluded.search"
)
NOTE = (
    "INSERT INTO change (id, created, at, op, who, correlation, request_key, hub_version, changed, after)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


@dataclass(frozen=True, slots=True)
class Writer:
    """Who changes something: a name, the correlation id and the idempotency key of the request ('' if none)."""

    who: str
    correlation: str = ""
    request_key: str = ""


@dataclass(slots=True)
class Row:
    """One record: `fields` are native names and values, nested where the kind nests; the rest is the server's own."""

    id: str
    key: str | None
    writer: str
    fields: dict[str, Any]
    created: int = 0
    modified: int = 0
    version: int = 0
    deleted: bool = False
    merged_into: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the history. `changed`: field -> [before, after], nested names dotted; `after`: all fields then, if kept."""

    seq: int
    id: str
    created: int
    at: int
    op: str
    who: str
    correlation: str
    request_key: str
    hub_version: str | None
    changed: dict[str, list[Any]]
    after: dict[str, Any] | None


@dataclass
class Store:
    """The records of one server. With `keeps_after` each change keeps
    the whole record of that moment; fields in `unique` can be looked up by `having`; with
    `unique_keys` no two living records have the same key; `on_change` hears the ids of what changed, after it is written."""

    path: Path
    keeps_after: bool = False
    unique: tuple[str, ...] = ()
    unique_keys: bool = True
    on_change: Callable[[list[str]], None] = lambda ids: None
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _touched: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, cached_statements=256)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(TABLES)
        self._db.execute(
            f"CREATE {'UNIQUE' if self.unique_keys else ''} INDEX IF NOT EXISTS record_key ON record (key)"
            " WHERE key IS NOT NULL AND NOT deleted"
        )
        for name in self.unique:
            self._db.execute(
                f"CREATE INDEX IF NOT EXISTS record_{name} ON record (json_extract(fields, '$.{name}')) WHERE NOT deleted"
            )
        self._last: int = self._db.execute("SELECT coalesce(max(modified), 0) FROM record").fetchone()[0]
        self._depth = 0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One transaction, nobody else's at the same time; may be entered again inside. An error undoes all of it."""
        with self._lock:
            if self._depth:
                yield
                return
            self._depth, self._touched = 1, []
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            finally:
                self._depth = 0
            touched = self._touched
        if touched:
            self.on_change(touched)

    def tick(self) -> int:
        """The moment of a new change: now, and later than every one before."""
        self._last = max(time.time_ns() // 1000, self._last + 1)
        return self._last

    def next_number(self, name: str, first: int) -> int:
        with self.turn():
            found = self._db.execute(
                "INSERT INTO counter VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
                (name, first),
            ).fetchone()
        return int(found[0])

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def get(self, record_id: str) -> Row | None:
        return next(self._rows("WHERE id = ?", (record_id,)), None)

    def by_key(self, key: str) -> Row | None:
        """The living record with this key; a deleted one frees its key."""
        return next(iter(self.all_by_key(key)), None)

    def all_by_key(self, key: str) -> list[Row]:
        """Living records with this key, oldest first."""
        return list(self._rows("WHERE key = ? AND NOT deleted ORDER BY created", (key,)))

    def having(self, name: str, value: Any) -> Row | None:
        """The living record whose field `name`, one of `unique`, is `value`."""
        return next(self._rows(f"WHERE json_extract(fields, '$.{name}') = ? AND NOT deleted", (value,)), None)

    def after(self, moment: int, record_id: str = "", *, limit: int) -> list[Row]:
        """Records in order of their last change, deleted ones too, from behind (moment, id) on."""
        return list(
            self._rows("WHERE (modified, id) > (?, ?) ORDER BY modified, id LIMIT ?", (moment, record_id, limit))
        )

    def living(self, after: Row | None, *, limit: int) -> list[Row]:
        """Records that are not deleted, oldest first."""
        start = (after.created, after.id) if after else (-1, "")
        return list(
            self._rows("WHERE NOT deleted AND (created, id) > (?, ?) ORDER BY created, id LIMIT ?", (*start, limit))
        )

    def holding(self, text: str, *, offset: int, limit: int) -> list[Row]:
        """Records that hold `text` somewhere, last changed first."""
        rest = "WHERE instr(search, ?) ORDER BY modified DESC LIMIT ? OFFSET ?"
        return list(self._rows(rest, (text.casefold(), limit, offset)))

    def count(self, text: str = "") -> int:
        with self._lock:
            found = self._db.execute("SELECT count(*) FROM record WHERE instr(search, ?)", (text.casefold(),))
            return int(found.fetchone()[0])

    def changes(self, *, after_seq: int = 0, record_id: str | None = None, limit: int = -1) -> list[Change]:
        """The history, oldest first: of one record, or of all."""
        where = "seq > ?"
        values: list[Any] = [after_seq]
        if record_id is not None:
            where += " AND id = ?"
            values.append(record_id)
        with self._lock:
            found = self._db.execute(f"{NOTED} WHERE {where} ORDER BY seq LIMIT ?", (*values, limit)).fetchall()
        return [_change(row) for row in found]

    def _rows(self, rest: str, values: tuple[Any, ...]) -> Iterator[Row]:
        with self._lock:
            found = self._db.execute(f"SELECT {COLUMNS} FROM record {rest}", values).fetchall()  # noqa: S608  (constants)
        for row in found:
            yield _row(row)

    # ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def write(
        self, row: Row, op: str, writer: Writer, changed: Mapping[str, list[Any]], hub_version: Any = None
    ) -> Row:
        """Keeps `row` as it now is, with a new moment and version, and notes the change, with the hub's version if the writer sent one.
        Inside a turn."""
        row.modified, row.version, row.writer = self.tick(), row.version + 1, writer.who
        if row.version == 1:
            row.created = row.modified
        self._put([row])
        self._db.execute(
            NOTE,
            (row.id, row.created, row.modified, op, writer.who, writer.correlation, writer.request_key,
             None if hub_version is None else str(hub_version), _text(changed), self._after(row)),
        )  # fmt: skip
        self._touched.append(row.id)
        return row

    def load(self, rows: list[Row], writer: Writer) -> None:
        """Keeps many records as they come, in place of those with the same ids. A `modified` of 0 means now; one that is taken moves on
        by a microsecond, so that a load may bring its own past."""
        with self.turn():
            for row in sorted(rows, key=lambda row: row.modified):
                row.modified = row.modified or self.tick()
                while self._db.execute("SELECT 1 FROM record WHERE modified = ?", (row.modified,)).fetchone():
                    row.modified += 1
                row.created = row.created or row.modified
                self._put([row])
            notes = (
                (row.id, row.created, row.modified, "load", writer.who, "", "", None, "{}", self._after(row))
                for row in sorted(rows, key=lambda row: row.modified)
            )
            self._db.executemany(NOTE, notes)
            self._last = max(self._last, max((row.modified for row in rows), default=0))
            self._touched.extend(row.id for row in rows)

    def empty(self) -> None:
        """Forgets every record, its history and the kept answers."""
        with self.turn():
            for table in ("record", "change", "kept_answer", "counter"):
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608  (constants)

    def _put(self, rows: Iterable[Row]) -> None:
        self._db.executemany(
            PUT,
            ((row.id, row.key, row.created, row.modified, row.version, row.deleted, row.merged_into, row.writer,
              _text(row.fields), _search(row)) for row in rows),
        )  # fmt: skip

    def _after(self, row: Row) -> str | None:
        return _text(row.fields) if self.keeps_after else None

    # ── answers kept by idempotency key ─────────────────────────────────────────────────────────────────────────────
    def kept_answer(self, key: str, *, not_before: int) -> tuple[str, int, str] | None:
        """(fingerprint, status, body) kept under `key` since `not_before`; older ones are forgotten here."""
        with self.turn():
            self._db.execute("DELETE FROM kept_answer WHERE key = ? AND at < ?", (key, not_before))
            found = self._db.execute(
                "SELECT fingerprint, status, body FROM kept_answer WHERE key = ?", (key,)
            ).fetchone()
        return found and (found[0], found[1], found[2])

    def keep_answer(self, key: str, fingerprint: str, status: int, body: str) -> None:
        now = time.time_ns() // 1000
        self._db.execute(
            "INSERT OR REPLACE INTO kept_answer VALUES (?, ?, ?, ?, ?)", (key, fingerprint, status, body, now)
        )

    def close(self) -> None:
        with self._lock:
            self._db.close()


def _row(kept: tuple[Any, ...]) -> Row:
    """In the order of COLUMNS."""
    record_id, key, writer, values, created, modified, version, deleted, merged_into = kept
    row = Row(record_id, key, writer, json.loads(values), created, modified, version)
    row.deleted, row.merged_into = bool(deleted), merged_into
    return row


def _change(noted: tuple[Any, ...]) -> Change:
    """In the order of NOTED."""
    seq, record_id, created, at, op, who, correlation, request_key, hub_version, changed, after = noted
    return Change(
        seq, record_id, created, at, op, who, correlation, request_key, hub_version,
        json.loads(changed), json.loads(after) if after else None,
    )  # fmt: skip


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _search(row: Row) -> str:
    return " ".join([row.id, *(text for text in _texts(row.fields))]).casefold()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
    elif value is not None:
        yield str(value)
