"""Links to records that the hub itself made or writes to: what confirms them, and what of that which arrives is only an echo."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from apps.common import seal
from apps.common.ids import array, uuid7
from apps.common.jsontext import json_text, json_value
from apps.common.rowset import rowset
from apps.connectors import locks
from apps.connectors.planning_echo import own_values
from apps.customers import canonical
from apps.customers.receive import Incoming


@dataclass(frozen=True, slots=True)
class Made:
    """A record that a create has made in a target: `record` is the one it follows, `values` what the target holds of it."""

    delivery: UUID
    system: int
    code: str
    record: UUID
    customer: UUID
    version: int
    external_id: str
    values: Mapping[str, Any]
    etag: str
    correlation_id: UUID


def confirm_creates(made: Sequence[Made]) -> None:
    """Keeps the target's own ids: a source record that says nothing by itself and follows the one it was made for, with its Link.

    An id that is linked already (it came in before the answer did) takes the acknowledgement."""
    if not made:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, coalesce(follows_id, id), customer_id, kind FROM source_record WHERE id = ANY(%s::uuid[]) ORDER BY id FOR NO KEY UPDATE",
            (array({m.record for m in made}),),
        )
        followed = {row[0]: row[1:] for row in cursor.fetchall()}
        rows = [_new_record(m, *followed[m.record]) for m in sorted(made, key=lambda m: (m.system, m.external_id))]
        new = rowset("made_record", _MADE, rows)
        for statement in (_RECORDS, _LINKS, _MEMBERSHIPS, _LOOKUP, _CONFIRM):
            cursor.execute(statement.format(made=new.source), new.params)


_MADE = {
    "id": "uuid", "link": "uuid", "membership": "uuid", "delivery": "uuid", "system": "int", "code": "text", "external_id": "text",
    "kind": "text", "raw": "text", "salt": "bytea", "raw_digest": "bytea", "canonical": "jsonb", "digest": "bytea", "follows": "uuid",
    "customer": "uuid", "told": "uuid", "version": "int", "sent": "jsonb", "etag": "text", "correlation": "uuid",
}  # fmt: skip


def _new_record(made: Made, follows: UUID, customer: UUID, kind: str) -> tuple[Any, ...]:
    body = {"kind": kind}
    text, salt = json_text(body), seal.new_salt()
    return (
        uuid7(), uuid7(), uuid7(), made.delivery, made.system, made.code, made.external_id, kind, text, seal.bytes_text(salt),
        seal.bytes_text(seal.digest(made.external_id.encode(), salt, text.encode())), text,
        seal.bytes_text(canonical.content_digest(body, deleted=False)), follows, customer, made.customer, made.version,
        json_text(dict(made.values)), made.etag, made.correlation_id,
    )  # fmt: skip


_RECORDS = (
    "INSERT INTO source_record (id, system_id, external_id, kind, raw, raw_salt, raw_digest, canonical, content_digest, version,"
    " received_at, changed_at, deleted, state, attempts, last_error, customer_id, customer_active, correlation_id, quiet, follows_id)"
    " SELECT id, system, external_id, kind, raw, salt, raw_digest, canonical, digest, 1, clock_timestamp(), clock_timestamp(), false,"
    " 'built', 0, '', customer, true, correlation, false, follows FROM {made} ON CONFLICT (system_id, external_id) DO NOTHING"
)
_LINKS = (
    "INSERT INTO link (id, system_id, external_id, source_record_id, state, created_at)"
    " SELECT link, system, external_id, id, 'active', clock_timestamp() FROM {made}"
    " WHERE EXISTS (SELECT 1 FROM source_record s WHERE s.id = i.id) ON CONFLICT (system_id, external_id) DO NOTHING"
)
_MEMBERSHIPS = (
    "INSERT INTO membership (id, source_record_id, customer_id, since, action, actor, reason, correlation_id)"
    " SELECT membership, id, customer, clock_timestamp(), 'created', 'hub:deliver', 'made in the target', correlation"
    " FROM {made} WHERE EXISTS (SELECT 1 FROM source_record s WHERE s.id = i.id)"
)
_LOOKUP = (
    "INSERT INTO lookup_key (kind, value, customer_id) SELECT 'external', code || ':' || external_id, customer"
    " FROM {made} WHERE EXISTS (SELECT 1 FROM source_record s WHERE s.id = i.id) ON CONFLICT DO NOTHING"
)
# A create that the target has told of itself is confirmed already: by the time its own answer comes the record may hold newer values.
_CONFIRM = (
    "WITH l AS ("
    " UPDATE link l SET last_sent = l.last_sent || i.sent, acknowledged_customer = i.told, acknowledged_at = clock_timestamp(),"
    " acknowledged_version = CASE WHEN l.acknowledged_customer = i.told THEN greatest(l.acknowledged_version, i.version) ELSE i.version END,"
    " etag = i.etag, disposition = 'there', state = 'active'"
    " FROM {made} WHERE l.system_id = i.system AND l.external_id = i.external_id"
    "  AND NOT EXISTS (SELECT 1 FROM delivery k WHERE k.id = i.delivery AND k.link_id = l.id) RETURNING l.id, i.delivery)"
    " UPDATE delivery d SET link_id = l.id FROM l WHERE d.id = l.delivery"
)


@dataclass(slots=True)
class Echoes:
    """What the hub had told the target of the records that arrive. `changed`: by external id, sent fields the far side has changed
    since; `folded`: ids whose deletion there is the hub's own merge; `rested`: ids whose status there is the hub's own doing;
    `going`: values the hub is telling right now; `since`: ids, with version, that have acknowledged something since they were read."""

    system: int
    sent: dict[str, dict[str, Any]] = field(default_factory=dict)
    folded: set[str] = field(default_factory=set)
    rested: set[str] = field(default_factory=set)
    going: dict[str, dict[str, Any]] = field(default_factory=dict)
    version: dict[str, int] = field(default_factory=dict)
    since: set[str] = field(default_factory=set)
    outdated: set[str] = field(default_factory=set)
    changed: dict[str, list[str]] = field(default_factory=dict)

    def listen(self, incoming: Incoming, version: int | None) -> None:
        """From now on `incoming` says only what the far side says by itself. `version`: the one it shows as written last.

        What was read before the hub's last word there says nothing: the record will be read again, for that word changed it."""
        sent = self.sent.get(incoming.external_id)
        if not incoming.deleted and self._is_outdated(incoming.external_id, version):
            self.outdated.add(incoming.external_id)
            incoming.merge = lambda stored: (dict(stored), canonical.content_digest(dict(stored), deleted=False))
        elif incoming.deleted and incoming.external_id in self.folded:
            incoming.deleted = False
            incoming.merge = lambda stored: (dict(stored), canonical.content_digest(dict(stored), deleted=False))
        elif (sent is not None or incoming.external_id in self.rested) and not incoming.deleted:
            before, arrived = incoming.merge, incoming.canonical
            told, going = {**(sent or {})}, self.going.get(incoming.external_id, {})
            if incoming.external_id in self.rested:
                told["status"] = arrived.get("status")

            def merge(stored: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
                whole = before(stored)[0] if before is not None else arrived
                own, changed = own_values(whole, stored, told, going)
                if changed:
                    self.changed[incoming.external_id] = changed
                return own, canonical.content_digest(own, deleted=False)

            incoming.merge = merge

    def _is_outdated(self, external_id: str, version: int | None) -> bool:
        if version is not None and external_id in self.version:
            return version < self.version[external_id]
        return version is None and external_id in self.since

    def note(self, taken: Mapping[str, str]) -> list[UUID]:
        """With the records received (`taken`: external id -> outcome): what the far side changed is no longer held because the hub
        sent it. Returns the customers to be planned again, for the owner of a field has the last word."""
        changed = {i: names for i, names in self.changed.items() if taken.get(i) != "stale"}
        if not changed:
            return []
        told = json_text([{"i": id_, "n": names} for id_, names in sorted(changed.items())])
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE link l SET last_sent = l.last_sent - c.n FROM jsonb_to_recordset(%s::jsonb) AS c(i text, n text[]), source_record s"
                " WHERE l.system_id = %s AND l.external_id = c.i AND s.id = l.source_record_id RETURNING s.customer_id",
                (told, self.system),
            )
            return [row[0] for row in cursor.fetchall() if row[0]]


def echoes_of(system: int, external_ids: Sequence[str], read_at: datetime | None = None) -> Echoes:
    """What the hub has told these records, if anything, and is telling them: two queries. `read_at`: when they were read there."""
    found = Echoes(system)
    with connection.cursor() as cursor:
        # What is on its way first: what is acknowledged between the two readings then shows twice, never not at all.
        cursor.execute(_GOING, (system, list(external_ids)))
        found.going = {external_id: json_value(values) for external_id, values in cursor.fetchall()}
        cursor.execute(
            "SELECT external_id, last_sent::text, disposition, acknowledged_version, acknowledged_at >= %s FROM link WHERE system_id = %s"
            " AND external_id = ANY(%s) AND (last_sent <> '{}'::jsonb OR disposition IN ('merged', 'deactivated')"
            "  OR acknowledged_at IS NOT NULL) ORDER BY id FOR NO KEY UPDATE",
            (read_at, system, list(external_ids)),
        )
        for external_id, sent, disposition, version, since in cursor.fetchall():
            found.sent[external_id] = json_value(sent)
            if disposition == "merged":
                found.folded.add(external_id)
            elif disposition == "deactivated":
                found.rested.add(external_id)
            if version is not None:
                found.version[external_id] = version
            if since:
                found.since.add(external_id)
        for external_id in found.going:
            found.sent.setdefault(external_id, {})
    return found


_GOING = (
    'SELECT l.external_id, d."values"::text FROM link l JOIN connection c ON c.system_id = l.system_id'
    " JOIN delivery d ON d.connection_id = c.id AND d.record_id = l.source_record_id AND d.state IN ('sending', 'uncertain')"
    " WHERE l.system_id = %s AND l.external_id = ANY(%s)"
)
_UNANSWERED = """
SELECT d.id, c.system_id, y.code, d.record_id, d.customer_id, d.version, d.values::text, d.correlation_id, d.state
FROM delivery d JOIN connection c ON c.id = d.connection_id JOIN system y ON y.id = c.system_id
WHERE d.id IN (
  SELECT DISTINCT ON (x.record_id) x.id FROM delivery x JOIN connection n ON n.id = x.connection_id
  WHERE n.system_id = %s AND x.record_id = ANY(%s::uuid[]) AND x.op = 'create' AND x.link_id IS NULL AND x.state <> 'done'
  ORDER BY x.record_id, x.first_sent_at DESC NULLS LAST, x.id DESC)
ORDER BY d.id FOR UPDATE OF d
"""


def adopt(system: int, keys: Mapping[str, str]) -> dict[UUID, UUID]:
    """Records that carry our key (external id -> key) though no answer told us of them: what a create made before its answer was
    lost, or before it was written down. They are linked before they are received, so that what they say counts as told by the hub.

    Returns the customers to be planned again, with the correlation id of their creates."""
    if not keys:
        return {}
    by_record = {}
    for external_id, key in keys.items():
        try:
            by_record[UUID(key)] = external_id
        except ValueError:
            continue
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT external_id FROM link WHERE system_id = %s AND external_id = ANY(%s)", (system, list(keys))
        )
        linked = {row[0] for row in cursor.fetchall()}
        wanted = {r: i for r, i in by_record.items() if i not in linked}
        if not wanted:
            return {}
        owners = locks.hold_records(wanted)
        cursor.execute(_UNANSWERED, (system, array(wanted)))
        rows = cursor.fetchall()
        confirm_creates([
            Made(id_, sys, code, record, customer, version, wanted[record], json_value(values), "", correlation)
            for id_, sys, code, record, customer, version, values, correlation, _ in rows
        ])  # fmt: skip
        # One that is being told, too: whoever tells it may be dead, and to tell it once more could take newer values back. If not, its
        # answer comes too late and changes nothing.
        settled = [row[0] for row in rows if row[-1] in ("waiting", "sending", "uncertain", "failed")]
        cursor.execute(
            "UPDATE delivery SET state = 'done', finished_at = clock_timestamp(), lease_until = NULL, reason = 'the target told of it'"
            " WHERE id = ANY(%s::uuid[])",
            (array(settled),),
        )
        return {owners[record]: correlation for _, _, _, record, *_, correlation, _ in rows if record in owners}
