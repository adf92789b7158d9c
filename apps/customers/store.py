"""The one write path of golden records.

Rows go by COPY into temporary tables and from there in sets: INSERT, UPDATE … FROM, history by INSERT … SELECT, one event per
version, look-up keys and search text. The caller holds the locks and the transaction (identity.py, golden.py)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.db import connection

from apps.common import seal
from apps.common.act import Act
from apps.common.errors import Conflict
from apps.common.ids import array, uuid7
from apps.common.jsontext import json_text
from apps.common.rowset import Rowset, rowset
from apps.customers.survivorship import PARTS, SCALARS
from apps.customers.survivorship_lineage import pack

DERIVED = ("kind", *SCALARS, *PARTS, "extra", "held", "lineage")
COLUMNS = (
    "id",
    "active",
    "replaced_by",
    "retired_reason",
    "version",
    *DERIVED,
    "policy_hash",
    "member_count",
    "released",
)
_TYPES = {
    "id": "uuid", "active": "boolean", "replaced_by": "uuid", "version": "integer", "birth_date": "date",
    "credit_limit": "numeric", "member_count": "integer", "released": "boolean",
    **dict.fromkeys((*PARTS, "extra", "held", "lineage"), "jsonb"),
}  # fmt: skip
_INCOMING = {
    **{name: _TYPES.get(name, "text") for name in COLUMNS},
    "history_id": "uuid", "event_id": "uuid", "event": "text", "body": "jsonb", "history_salt": "bytea", "event_salt": "bytea",
}  # fmt: skip
_JSON = frozenset((*PARTS, "extra", "held", "lineage"))
SNAPSHOT = (*COLUMNS, "created_at", "updated_at")
_SALTS = ("history_salt", "event_salt")  # made here: the database would ask the system for each


@dataclass(slots=True)
class CustomerRow:
    """One customer as it shall stand. `version` is the version read (0: not there yet); the write makes it version + 1.

    `values` holds effective values by attribute, JSON-able; `event` is the type of the event, `body` what it tells; `also`: names that
    its sources have for it and the golden record has not."""

    id: UUID
    values: dict[str, Any]
    held: dict[str, Any]
    lineage: dict[str, Any]
    member_count: int
    policy_hash: str
    version: int = 0
    active: bool = True
    replaced_by: UUID | None = None
    retired_reason: str = ""
    released: bool = True
    event: str = "customer.created"
    body: dict[str, Any] = field(default_factory=dict)
    external_keys: Sequence[str] = ()
    also: Sequence[str] = ()


@dataclass(slots=True)
class Move:
    """A source record goes to `customer`; `left` is the customer it belonged to, if any; `ends`: it has reached the end of the pipeline."""

    record: UUID
    customer: UUID
    left: UUID | None
    action: str
    ends: bool = True


def write(
    *, rows: Sequence[CustomerRow], moves: Sequence[Move], act: Act, model_version: int | None = None,
    unchanged: Sequence[CustomerRow] = (),
) -> None:  # fmt: skip
    """Writes customers and memberships in one go; raises Conflict if a customer moved on since it was read. Of those `unchanged` only
    what they are found by may differ."""
    if unchanged:
        _write_search(unchanged)
    if not rows and not moves:
        return
    retired = [r for r in rows if not r.active]
    redirects = bool(retired) or any(move.left for move in moves)
    source = rowset("incoming_customer", _INCOMING, [_flat(row) for row in rows], as_table=redirects)
    if any(not r.version for r in rows):
        _insert_new(source)
    _update("i.active", sum(1 for r in rows if r.active and r.version), source)
    if moves:
        _move(moves, act, model_version)
    _update("NOT i.active", len(retired), source)
    if redirects:
        _redirect(rows, moves, act)
    _write_history(source, act)
    _write_events(source, act)
    _write_lookup_keys(rows)
    _write_search(rows)


def _flat(row: CustomerRow) -> list[Any]:
    derived: list[Any] = []
    for name in DERIVED:
        if name == "held":
            value: Any = row.held
        elif name == "lineage":
            value = pack(row.lineage)
        else:
            value = row.values.get(name)
            if value is None and name in _JSON:
                value = [] if name in PARTS else {}
        derived.append(json_text(value) if name in _JSON else value)
    head = [row.id, row.active, row.replaced_by, row.retired_reason, row.version + 1]
    tail = [
        row.policy_hash,
        row.member_count,
        row.released,
        uuid7(),
        uuid7(),
        row.event,
        json_text(row.body),
        seal.salt_text(),
        seal.salt_text(),
    ]
    return head + derived + tail


def _insert_new(source: Rowset) -> None:
    names = ", ".join(COLUMNS)
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH t AS MATERIALIZED (SELECT clock_timestamp() AS now)"  # one moment for all of them
            f" INSERT INTO customer ({names}, created_at, updated_at) SELECT {names}, t.now, t.now FROM {source.source}, t"
            " WHERE version = 1 ORDER BY id",
            source.params,
        )


def _update(condition: str, expected: int, source: Rowset) -> None:
    """Fenced by the version that was read; time never stands still within one customer."""
    if not expected:
        return
    assignments = ", ".join(f"{n} = i.{n}" for n in COLUMNS if n != "id")
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE customer c SET {assignments},"
            " updated_at = greatest(clock_timestamp(), c.updated_at + interval '1 microsecond')"
            f" FROM {source.source} WHERE c.id = i.id AND c.version = i.version - 1 AND {condition}",
            source.params,
        )
        if cursor.rowcount != expected:
            raise Conflict("A customer changed while it was being rebuilt; read it again.")


def _move(moves: Sequence[Move], act: Act, model_version: int | None) -> None:
    told = json_text(
        [{"i": uuid7().hex, "r": m.record.hex, "c": m.customer.hex, "a": m.action, "e": m.ends} for m in moves]
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE source_record s SET customer_id = m.c, state = CASE WHEN e THEN 'built' ELSE s.state END,"
            " due_at = CASE WHEN NOT e THEN s.due_at END, attempts = CASE WHEN e THEN 0 ELSE s.attempts END,"
            " last_error = CASE WHEN e THEN '' ELSE s.last_error END"
            " FROM jsonb_to_recordset(%s::jsonb) AS m(r uuid, c uuid, e boolean) WHERE s.id = m.r",
            (told,),
        )
        left = [m.record for m in moves if m.left]
        moment = None
        if left:
            cursor.execute(
                "SELECT greatest(clock_timestamp(), max(since) + interval '1 microsecond') FROM membership"
                " WHERE until IS NULL AND source_record_id = ANY(%s::uuid[])",
                (array(left),),
            )
            moment = cursor.fetchone()[0]
            cursor.execute(
                "UPDATE membership SET until = %s WHERE source_record_id = ANY(%s::uuid[]) AND until IS NULL",
                (moment, array(left)),
            )
        cursor.execute(
            "INSERT INTO membership (id, source_record_id, customer_id, since, action, actor, reason, model_version, correlation_id)"
            " SELECT i, r, c, coalesce(%s::timestamptz, clock_timestamp()), a, %s, %s, %s::int, %s::uuid"
            " FROM jsonb_to_recordset(%s::jsonb) AS m(i uuid, r uuid, c uuid, a text)",
            (moment, act.actor, act.reason, model_version, act.correlation_id, told),
        )


def _redirect(rows: Sequence[CustomerRow], moves: Sequence[Move], act: Act) -> None:
    """A retired id leads to an active customer in one hop, for ever.

    Ids that led to a customer which retires follow it; ids whose last members left the customer they led to go along with them,
    so that an unmerge brings them back too. Each of them gets a version of its own: what an id resolves to is news."""
    retired = {r.id: r.replaced_by for r in rows if not r.active and r.replaced_by}
    reopened = [r.id for r in rows if r.body.get("reactivated")]
    left = {m.left for m in moves if m.left} - retired.keys()
    with connection.cursor() as cursor:
        if reopened:
            cursor.execute(_CLOSE_REDIRECTS, (array(reopened),))
        followers = _followers(cursor, retired, left)
        hops = {id_: successor for id_, successor in retired.items() if successor} | followers
        if not hops:
            return
        told = json_text(
            [
                {
                    "i": uuid7().hex,
                    "r": r.hex,
                    "s": s.hex,
                    "h": uuid7().hex,
                    "e": uuid7().hex,
                    "hs": seal.salt_text(),
                    "es": seal.salt_text(),
                }
                for r, s in hops.items()
            ]
        )
        if followers:
            cursor.execute(_CLOSE_REDIRECTS, (array(followers),))
            cursor.execute(_MOVE_FOLLOWERS, (told, array(followers)))
            cursor.execute(_TELL_FOLLOWERS, (told, array(followers)))
        cursor.execute(
            "INSERT INTO redirect (id, retired_id, successor_id, since, reason, actor, correlation_id)"
            " SELECT i, r, s, clock_timestamp(), %s, %s, %s::uuid FROM jsonb_to_recordset(%s::jsonb) AS t(i uuid, r uuid, s uuid)",
            (act.reason, act.actor, act.correlation_id, told),
        )


_CLOSE_REDIRECTS = (
    "UPDATE redirect SET until = greatest(clock_timestamp(), since + interval '1 microsecond')"
    " WHERE retired_id = ANY(%s::uuid[]) AND until IS NULL"
)
_MOVE_FOLLOWERS = (
    "UPDATE customer c SET replaced_by = t.s, version = c.version + 1,"
    " updated_at = greatest(clock_timestamp(), c.updated_at + interval '1 microsecond')"
    " FROM jsonb_to_recordset(%s::jsonb) AS t(r uuid, s uuid) WHERE c.id = t.r AND c.id = ANY(%s::uuid[])"
)
_TELL_FOLLOWERS = (
    f"INSERT INTO incoming_customer ({', '.join(COLUMNS)}, history_id, event_id, event, body, {', '.join(_SALTS)})"
    f" SELECT {', '.join(f'c.{n}' for n in COLUMNS)}, t.h, t.e, 'customer.retired', jsonb_build_object('replaced_by', c.replaced_by),"
    " t.hs, t.es"
    " FROM jsonb_to_recordset(%s::jsonb) AS t(r uuid, h uuid, e uuid, hs bytea, es bytea) JOIN customer c ON c.id = t.r WHERE c.id = ANY(%s::uuid[])"
)


def _followers(cursor: Any, retired: Mapping[UUID, UUID | None], left: Iterable[UUID]) -> dict[UUID, UUID]:
    """Retired ids whose hop has to change, with where it leads from now on."""
    found: dict[UUID, UUID] = {}
    if retired:
        cursor.execute(
            "SELECT retired_id, successor_id FROM redirect WHERE until IS NULL AND successor_id = ANY(%s::uuid[])",
            (array(retired),),
        )
        found = {id_: successor for id_, gone in cursor.fetchall() if (successor := retired[gone])}
    if left:
        cursor.execute(
            "SELECT DISTINCT ON (r.retired_id) r.retired_id, r.successor_id, s.customer_id FROM redirect r"
            " JOIN LATERAL (SELECT max(l.until) AS until FROM membership l WHERE l.customer_id = r.retired_id) e ON true"
            " JOIN membership m ON m.customer_id = r.retired_id AND m.until = e.until"
            " JOIN source_record s ON s.id = m.source_record_id AND s.follows_id IS NULL"
            " WHERE r.until IS NULL AND r.successor_id = ANY(%s::uuid[])"
            " GROUP BY r.retired_id, r.successor_id, s.customer_id ORDER BY r.retired_id, count(*) DESC, s.customer_id = r.successor_id DESC,"
            " s.customer_id",
            (array(left),),
        )
        found |= {id_: home for id_, successor, home in cursor.fetchall() if home != successor}
    return found


def _write_history(source: Rowset, act: Act) -> None:
    names = ", ".join(SNAPSHOT)
    values = ", ".join(f"c.{n}" for n in SNAPSHOT)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO historical_customer ({names}, history_id, history_date, history_type, history_change_reason,"
            " history_user_id, actor, correlation_id, salt, digest)"
            f" SELECT {values}, i.history_id, c.updated_at, CASE WHEN i.version = 1 THEN '+' ELSE '~' END, %s, %s, %s, %s, i.history_salt,"
            f" sealed_digest(c.id::text || c.version::text, i.history_salt, ROW({values})::text)"
            f" FROM {source.source} JOIN customer c ON c.id = i.id",
            (act.reason[:100] or None, act.user_id, act.actor, act.correlation_id, *source.params),
        )


def _write_events(source: Rowset, act: Act) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO event (id, type, subject_id, version, occurred_at, actor, correlation_id, quiet, body, salt, digest)"
            " SELECT i.event_id, i.event, c.id, c.version, c.updated_at, %s, %s, %s, i.body, i.event_salt,"
            " sealed_digest(i.event || c.id::text || c.version::text, i.event_salt, i.body::text)"
            f" FROM {source.source} JOIN customer c ON c.id = i.id",
            (act.actor, act.correlation_id, act.quiet, *source.params),
        )


def lookup_keys(row: CustomerRow) -> set[tuple[str, str]]:
    """(kind, value) of every exact way to find the customer; a retired one is found through its redirect."""
    if not row.active:
        return set()
    keys = {("external", key) for key in row.external_keys}
    keys.update((p["type"], p["value"]) for p in row.values.get("contact_points", ()) if p.get("value"))
    keys.update((p["type"], p["value"]) for p in row.values.get("identifiers", ()) if p.get("value"))
    return keys


def _write_lookup_keys(rows: Sequence[CustomerRow]) -> None:
    """Only what differs is written: most keys of a customer stay the same for ever."""
    standing = [row.id for row in rows if row.version]
    wanted = {(row.id, *key) for row in rows for key in lookup_keys(row)}
    with connection.cursor() as cursor:
        if standing:
            cursor.execute(
                "SELECT customer_id, kind, value FROM lookup_key WHERE customer_id = ANY(%s::uuid[])",
                (array(standing),),
            )
            known = set(cursor.fetchall())
            gone, wanted = known - wanted, wanted - known
            if gone:
                cursor.execute(
                    f"DELETE FROM lookup_key k USING {_KEYS} WHERE k.kind = i.k AND k.value = i.v AND k.customer_id = i.c",
                    (_keys_text(gone),),
                )
        if wanted:
            cursor.execute(
                f"INSERT INTO lookup_key (kind, value, customer_id) SELECT k, v, c FROM {_KEYS}", (_keys_text(wanted),)
            )


_KEYS = "jsonb_to_recordset(%s::jsonb) AS i(k text, v text, c uuid)"


def _keys_text(keys: Iterable[tuple[UUID, str, str]]) -> str:
    return json_text(
        [{"k": kind, "v": value, "c": customer.hex} for customer, kind, value in sorted(keys, key=itemgetter(1, 2))]
    )


def _search_texts(row: CustomerRow) -> dict[str, str]:
    """`names` and `words` (everything): what is matched with tolerance for typing errors, and what is matched by whole words."""
    v = row.values
    golden = [str(v[n]) for n in ("name", "organization_name", "family_name") if v.get(n)]
    names = " ".join(dict.fromkeys([*golden, *(n["value"] for n in v.get("names", ())), *row.also]))
    words = [names, v.get("website") or ""]
    words += [p["value"] for part in ("contact_points", "identifiers") for p in v.get(part, ()) if p.get("value")]
    words += [a[n] for a in v.get("addresses", ()) for n in ("line1", "city", "postal_code", "country") if a.get(n)]
    return {"names": names, "words": " ".join(words).replace("<", " ")}  # text search takes <…> for markup and drops it


def _write_search(rows: Iterable[CustomerRow]) -> None:
    active = json_text([{"i": row.id.hex, **_search_texts(row)} for row in rows if row.active])
    gone = [row.id for row in rows if not row.active]
    with connection.cursor() as cursor:
        if gone:
            cursor.execute("DELETE FROM customer_search WHERE customer_id = ANY(%s)", (gone,))
        if active != "[]":
            cursor.execute(
                "INSERT INTO customer_search (customer_id, names, document)"
                " SELECT i, lower(unaccent(names)), to_tsvector('simple', unaccent(words))"
                " FROM jsonb_to_recordset(%s::jsonb) AS t(i uuid, names text, words text)"
                " ON CONFLICT (customer_id) DO UPDATE SET names = excluded.names, document = excluded.document"
                " WHERE customer_search.names <> excluded.names OR customer_search.document <> excluded.document",
                (active,),
            )
