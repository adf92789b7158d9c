"""The verification: is everything that was sealed still there, as it was, and nothing beside it?

One state of the database is gone through in the order of the chain. Each seal has to follow from the one before; its rows are fetched by
their ids, some ten thousand at a time, and the database makes their digests again and returns only those that differ. What has no seal
is counted, and only looked for row by row where the count does not come out."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any, Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import connection, transaction

from apps.events import checkpoints, verifying_chain, verifying_unsealed
from apps.events.sealed import LEAF, Sealed, leaf
from apps.events.sealing import GENESIS, Head, header, prepare, root_of

GROUP: Final = 25
"""Seals whose rows are looked at together."""
KEPT: Final = 1_000
"""Findings of one kind that are kept whole; the others are counted."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is not as it was sealed. `kind`: see docs/how-to/prove-the-history.md; `sequence`: of the seal that shows it."""

    kind: str
    table: str
    id: str
    sequence: int | None
    detail: str


@dataclass(slots=True)
class Report:
    """What was looked at and found. `sealed_until`: when the newest seal was made; `waiting`: rows without a seal that are too young for
    one; `upto`: the last seal whose rows were looked at; `whole`: that is the last there is; `missing`: sealed rows that are gone, by aspect."""

    rows: int = 0
    seals: int = 0
    checkpoints: int = 0
    waiting: int = 0
    sealed_until: datetime | None = None
    signed_upto: int = 0
    upto: int = 0
    whole: bool = True
    counts: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    missing: Counter[str] = field(default_factory=Counter)

    @property
    def broken(self) -> int:
        return self.counts.total()

    def found(self, kind: str, table: str, id: str, sequence: int | None, detail: str) -> None:
        self.counts[kind] += 1
        if self.counts[kind] <= KEPT:
            self.findings.append(Finding(kind, table, id, sequence, detail))


Progress = Callable[[int, int], None]
"""Is told rows done and rows there are."""


def verify(
    *,
    tables: Sequence[Sealed],
    file: Path,
    known: dict[str, Ed25519PublicKey],
    since: datetime | None = None,
    after: int = 0,
    seconds: float | None = None,
    missing: Mapping[str, int] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Verifies the chain whole, and the rows of the seals made from `since` on or after the seal `after`, for `seconds` at the most.

    `missing`: what earlier turns of the same verification missed, by aspect. Raises nothing for what it finds: see Report."""
    lines = checkpoints.read(file, known)  # before the database is looked at: what is signed in them is there by then
    with transaction.atomic(), connection.cursor() as cursor:
        if len(connection.savepoint_ids) == 0 and connection.in_atomic_block:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        prepare(cursor)
        _plan(cursor, by_index=True)
        report = Report(missing=Counter(missing or {}))
        roots = _Chain(tables, report, since, after, seconds, progress).go_through(cursor)
        since_then = checkpoints.read(file, known)[len(lines) :]  # and what the table has, the file has by now
        verifying_chain.hold_against(report, roots, lines, since_then, known)
        _plan(cursor, by_index=False)
        if report.whole:
            for one in tables:
                verifying_unsealed.look(report, one)
    return report


def _plan(cursor: Any, *, by_index: bool) -> None:
    """Rows of a seal are fetched by their ids, however large the table is, or however small it was when it was last counted."""
    for way in ("hashjoin", "mergejoin", "seqscan"):
        cursor.execute(f"SET LOCAL enable_{way} = {'off' if by_index else 'on'}")


@dataclass(slots=True)
class _Edited:
    """A row that differs: what was sealed of it, and what it comes to now."""

    id: UUID
    sequence: int
    sealed: bytes
    now: bytes


class _Chain:
    """The way through all seals in the order of the chain."""

    def __init__(
        self,
        tables: Sequence[Sealed],
        report: Report,
        since: datetime | None,
        after: int,
        seconds: float | None,
        progress: Progress | None,
    ) -> None:
        self.tables = {one.name: one for one in tables}
        self.with_rows = {one.table for one in tables if one.aspect == "row"}
        self.report, self.since, self.after, self.progress = report, since, after, progress
        self.end = None if seconds is None else monotonic() + seconds
        self.groups: dict[tuple[str, tuple[str, ...]], list[tuple[int, bytes]]] = defaultdict(list)
        self.edited: dict[str, list[_Edited]] = defaultdict(list)
        self.columns: dict[str, set[str]] = {}
        self.roots: dict[int, bytes] = {}
        self.total = 0

    def go_through(self, cursor: Any) -> dict[int, bytes]:
        """Every seal and the rows in question; returns the roots by sequence."""
        cursor.execute("SELECT coalesce(sum(count), 0) FROM seal WHERE sequence > %s", (self.after,))
        self.total = int(cursor.fetchone()[0])
        previous, expected = GENESIS, 1
        with connection.chunked_cursor() as stream:
            stream.execute(
                "SELECT sequence, aspect, columns, first, last, count, newest, sealed_at, previous, root, leaves FROM seal ORDER BY sequence"
            )
            while rows := stream.fetchmany(GROUP):
                for row in rows:
                    previous, expected = self._seal(row, previous, expected)
        for key in list(self.groups):
            self._flush(key)
        self._tell_edited()
        self.report.seals = len(self.roots)
        return self.roots

    def _seal(self, row: Sequence[Any], previous: bytes, expected: int) -> tuple[bytes, int]:
        sequence, aspect, columns, first, last, count, newest, at = row[:8]
        before, root, leaves = (bytes(value) for value in row[8:])
        report = self.report
        if sequence != expected:
            gone = f"{expected}" if sequence == expected + 1 else f"{expected} to {sequence - 1}"
            report.found("seal missing", "seal", gone, sequence, f"the chain goes from {expected - 1} to {sequence}")
        elif before != previous:
            report.found("seal altered", "seal", str(sequence), sequence, "it does not follow from the one before")
        head = header(Head(sequence, aspect, columns, first, last, count, newest, at))
        if root != root_of(before, head, leaves) or len(leaves) != count * LEAF:
            report.found("seal altered", "seal", str(sequence), sequence, "its content does not give its root")
        self.roots[sequence] = root
        report.sealed_until = max(at, report.sealed_until or at)
        if sequence > self.after and (self.since is None or at >= self.since):
            self._wanted(sequence, aspect, tuple(columns), leaves)
        return root, sequence + 1

    def _wanted(self, sequence: int, aspect: str, columns: tuple[str, ...], leaves: bytes) -> None:
        if self.end is not None and monotonic() > self.end:
            self.report.whole = False
            return
        if aspect not in self.tables:
            self.report.notices.append(
                f"seal {sequence}: this release does not know {aspect}; its rows were not looked at"
            )
            return
        self.report.upto = sequence
        group = self.groups[aspect, columns]
        group.append((sequence, leaves))
        if len(group) == GROUP:
            self._flush((aspect, columns))

    def _flush(self, key: tuple[str, tuple[str, ...]]) -> None:
        """Looks at the rows of the seals that have gathered."""
        one, columns, group = self.tables[key[0]], key[1], self.groups.pop(key)
        ends: list[tuple[int, int]] = []
        leaves = b"".join(content for _, content in group)
        for sequence, content in group:
            ends.append(((ends[-1][0] if ends else 0) + len(content) // LEAF, sequence))
        gone = set(columns) - self._columns_of(one)
        if gone:
            self.report.found("column gone", one.table, "", group[0][0], f"sealed with {', '.join(sorted(gone))}")
            return
        count = len(leaves) // LEAF
        with connection.cursor() as cursor:
            cursor.execute(_ROWS[bool(one.proof)].format(**_parts(one, columns)), (leaves, count - 1))
            for at, *told in cursor.fetchall():
                self._differs(one, next(number for end, number in ends if at < end), *told)
            if one.again is not None:
                self._again(cursor, one, group, leaves)
        self.report.rows += count
        if self.progress is not None:
            self.progress(self.report.rows, self.total)

    def _again(self, cursor: Any, one: Sealed, group: Sequence[tuple[int, bytes]], leaves: bytes) -> None:
        """What of these rows only a program can prove."""
        columns = ", ".join(f"t.{name}::text" for name in one.reads)
        cursor.execute(
            f"{_UNPACKED} SELECT l.id, {columns} FROM leaves l JOIN {one.table} t ON t.{one.key} = l.id WHERE t.salt IS NOT NULL",
            (leaves, len(leaves) // LEAF - 1),
        )
        for id_, *values in cursor.fetchall():
            if one.again is not None and not one.again(*values):
                sequence = next((number for number, content in group if id_.bytes in content), None)
                said = f"{', '.join(one.reads)} do not agree"
                self.report.found("edited", one.table, one.shown(id_), sequence, said)

    def _differs(self, one: Sealed, sequence: int, id_: UUID, *told: Any) -> None:
        """`told`: the digest that was sealed, whether the row is there and still what the aspect says, its digest now, and the proof."""
        sealed, there, holds, now, proved = told
        shown, report = one.shown(id_), self.report
        if not there or not holds:
            report.missing[one.name] += 1
        if not there:
            if one.aspect == "row" or one.table not in self.with_rows:
                report.found("deleted", one.table, shown, sequence, "the row is not there any more")
        elif not holds:
            report.found("closing altered", one.table, shown, sequence, f"it was {one.aspect}, and is not any more")
        elif bytes(now) != bytes(sealed):
            self.edited[one.name].append(_Edited(id_, sequence, bytes(sealed), bytes(now)))
        elif not proved:
            said = "its payload is not what its digest was made of, nor did anybody answer for its erasure"
            report.found("edited", one.table, shown, sequence, said)

    def _tell_edited(self) -> None:
        """Rows that differ; where one has what was sealed of another, they were swapped."""
        for name, rows in self.edited.items():
            one = self.tables[name]
            owner = {row.sealed: row for row in rows}
            for row in rows:
                other = owner.get(row.now)
                if other is not None:
                    what = f"it holds what was sealed of {one.shown(other.id)}"
                    self.report.found("swapped", one.table, one.shown(row.id), row.sequence, what)
                elif one.aspect != "row":
                    what = f"when or by whom it was {one.aspect} is not what was sealed"
                    self.report.found("closing altered", one.table, one.shown(row.id), row.sequence, what)
                else:
                    self.report.found("edited", one.table, one.shown(row.id), row.sequence, "it is not what was sealed")

    def _columns_of(self, one: Sealed) -> set[str]:
        if one.table not in self.columns:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
                    (one.table,),
                )
                self.columns[one.table] = {name for (name,) in cursor.fetchall()}
        return self.columns[one.table]


_UNPACKED: Final = (
    "WITH leaves AS MATERIALIZED (SELECT i, encode(substring(packed FROM i * 48 + 1 FOR 16), 'hex')::uuid AS id,"
    " substring(packed FROM i * 48 + 17 FOR 32) AS digest FROM (SELECT %s::bytea AS packed) p, generate_series(0, %s::int) i)"
)
_LEAVES = (
    _UNPACKED
    + " SELECT l.i, l.id, l.digest, t.{key} IS NOT NULL, coalesce(({when}), false), {leaf}, {proof} FROM leaves l"
    " LEFT JOIN {table} t ON t.{key} = {row} WHERE t.{key} IS NULL OR NOT coalesce(({when}), false) OR {leaf} <> l.digest"
)
_ROWS: Final = {False: _LEAVES, True: _LEAVES + " OR NOT {proof}"}


def _parts(one: Sealed, columns: Sequence[str]) -> dict[str, str]:
    proof = "true"
    if one.proof:
        proof = f"coalesce(CASE WHEN t.salt IS NOT NULL THEN ({one.proof}) ELSE ({one.erasure}) END, false)"
    return {
        "key": one.key, "when": one.when, "leaf": leaf(columns), "proof": proof, "table": one.table, "row": one.row_of("l.id")
    }  # fmt: skip
