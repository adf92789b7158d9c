"""Everything that has happened to some customer ids, in one statement: what, when, under which correlation id, but not yet in words.

A source record counts while it was a member: what it was sent before its first customer is that one's, what it is sent after it has
left is not. What stands in no row of its own (who lifted a pin, which call brought a version that was replaced since) is left open here
and found by `timeline.py` in what was written in the same breath."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db import connection

from apps.common.ids import array
from apps.common.jsontext import json_value
from apps.stewardship.models import Decision

VERSION, RECORD, MEMBER, DECISION, PIN, HOLD, DELIVERY, RELATION, NOTE = KINDS = (
    "version", "record", "member", "decision", "pin", "hold", "delivery", "relation", "note",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that happened. `key` and `number` say which row tells it (a version: the customer and its number); `part` which of the
    several things that a row tells; `customer`: the id it happened to; `correlation_id` None: its row does not know."""

    kind: str
    key: UUID
    number: int
    at: datetime
    actor: str
    correlation_id: UUID | None
    customer: UUID
    body: Mapping[str, Any] = field(default_factory=dict)
    part: str = ""
    reason: str = ""


# `span`: when a record was a member of one of the ids. Payloads are read of the steward's records alone (what is pinned is known by what
# differs); everything else is read when it is shown.
_INDEX = """
WITH member AS MATERIALIZED (
  SELECT m.*, lag(m.customer_id) OVER (PARTITION BY m.source_record_id ORDER BY m.since) AS before
  FROM membership m WHERE m.source_record_id IN (SELECT o.source_record_id FROM membership o WHERE o.customer_id = ANY(%(ids)s::uuid[]))),
span AS MATERIALIZED (
  SELECT source_record_id AS record, customer_id, CASE WHEN before IS NULL THEN '-infinity'::timestamptz ELSE since END AS since,
    coalesce(until, 'infinity'::timestamptz) AS until
  FROM member WHERE customer_id = ANY(%(ids)s::uuid[])),
known AS MATERIALIZED (
  SELECT s.id, s.version, s.received_at, s.correlation_id, s.external_id, y.code, y.kind = 'steward' AS steward,
    CASE WHEN y.kind = 'steward' THEN s.canonical END AS canonical
  FROM source_record s JOIN system y ON y.id = s.system_id WHERE s.id IN (SELECT record FROM span)),
told AS (
  SELECT record, version, coalesce(lag(replaced_at) OVER one, received_at) AS at, correlation_id, steward, canonical,
    lag(canonical) OVER one AS was
  FROM (
    SELECT v.source_record_id AS record, v.version, v.received_at, v.replaced_at, NULL::uuid AS correlation_id, k.steward,
      CASE WHEN k.steward THEN v.canonical END AS canonical
    FROM known k JOIN source_record_version v ON v.source_record_id = k.id
    UNION ALL SELECT id, version, received_at, NULL, correlation_id, steward, canonical FROM known) copy
  WINDOW one AS (PARTITION BY record ORDER BY version)),
pair AS (
  SELECT 'verdict' AS what, j.id, j.record_a_id, j.record_b_id, j.decided_at AS at, j.actor, j.correlation_id, j.verdict AS word, j.reason,
    j.superseded_at AS ended, j.superseded_by AS ended_by
  FROM judgement j WHERE j.id IN (
    SELECT id FROM judgement WHERE record_a_id = ANY(ARRAY(SELECT id FROM known))
    UNION SELECT id FROM judgement WHERE record_b_id = ANY(ARRAY(SELECT id FROM known)))
  UNION ALL
  SELECT 'relation', r.id, r.record_a_id, r.record_b_id, r.since, r.actor, r.correlation_id, r.kind, r.reason, r.until, NULL
  FROM relation r WHERE r.id IN (
    SELECT id FROM relation WHERE record_a_id = ANY(ARRAY(SELECT id FROM known))
    UNION SELECT id FROM relation WHERE record_b_id = ANY(ARRAY(SELECT id FROM known))))
SELECT 'version', h.id, h.version, h.history_date, h.actor, h.correlation_id, h.id,
    jsonb_build_object('reason', coalesce(h.history_change_reason, ''))::text
  FROM historical_customer h WHERE h.id = ANY(%(ids)s::uuid[])
UNION ALL
SELECT CASE WHEN t.steward THEN 'pin' ELSE 'record' END, t.record, t.version, t.at, '', t.correlation_id, p.customer_id,
    CASE WHEN t.steward THEN jsonb_build_object('now', t.canonical, 'was', t.was)::text END
  FROM told t JOIN span p ON p.record = t.record AND t.at >= p.since AND t.at < p.until
UNION ALL
SELECT 'member', m.id, 0, m.since, m.actor, m.correlation_id,
    CASE WHEN m.customer_id = ANY(%(ids)s::uuid[]) THEN m.customer_id ELSE m.before END,
    jsonb_build_object('action', m.action, 'reason', m.reason, 'model', m.model_version, 'record', k.id, 'system', k.code,
      'external_id', k.external_id, 'to', m.customer_id, 'from', m.before, 'into', m.customer_id = ANY(%(ids)s::uuid[]),
      'name', c.name)::text
  FROM member m JOIN known k ON k.id = m.source_record_id AND NOT k.steward
  LEFT JOIN customer c ON c.id = CASE WHEN m.customer_id = ANY(%(ids)s::uuid[]) THEN m.before ELSE m.customer_id END
  WHERE m.customer_id = ANY(%(ids)s::uuid[]) OR m.before = ANY(%(ids)s::uuid[])
UNION ALL
SELECT q.what, q.id, 0, q.at, q.actor, q.correlation_id, p.customer_id,
    jsonb_build_object('word', q.word, 'reason', q.reason, 'ended', q.ended, 'ended_by', q.ended_by,
      'a', jsonb_build_array(ya.code, a.external_id), 'b', jsonb_build_array(yb.code, b.external_id),
      'other', o.id, 'name', o.name)::text
  FROM pair q
  CROSS JOIN LATERAL (SELECT s.record, s.customer_id FROM span s WHERE s.record IN (q.record_a_id, q.record_b_id)
    AND q.at >= s.since - interval '1 second' AND q.at < s.until ORDER BY s.customer_id <> %(asked)s::uuid LIMIT 1) p
  JOIN source_record a ON a.id = q.record_a_id JOIN system ya ON ya.id = a.system_id
  JOIN source_record b ON b.id = q.record_b_id JOIN system yb ON yb.id = b.system_id
  LEFT JOIN customer o ON o.id = CASE WHEN p.record = q.record_a_id THEN b.customer_id ELSE a.customer_id END
UNION ALL
SELECT 'hold', r.id, 0, r.opened_at, r.author, r.correlation_id, h.customer_id,
    jsonb_build_object('reason', r.reason, 'approver', r.approver, 'fields', jsonb_agg(jsonb_build_object('attribute', h.attribute,
      'kept', h.kept_value, 'proposed', h.proposed_value, 'state', h.state, 'decided', h.decided_at) ORDER BY h.attribute))::text
  FROM hold h JOIN change_request r ON r.id = h.change_request_id WHERE h.customer_id = ANY(%(ids)s::uuid[]) GROUP BY r.id, h.customer_id
UNION ALL
SELECT 'delivery', d.id, d.version, d.created_at, '', d.correlation_id, d.customer_id, NULL
  FROM delivery d WHERE d.customer_id = ANY(%(ids)s::uuid[])
UNION ALL
SELECT 'note', n.id, 0, n.written_at, n.author, NULL, n.customer_id,
    jsonb_build_object('body', CASE WHEN n.removed_at IS NULL THEN n.body END, 'removed', n.removed_at, 'by', n.removed_by,
      'why', n.removed_why)::text
  FROM note n WHERE n.customer_id = ANY(%(ids)s::uuid[])
"""
_NOTHING: Mapping[str, Any] = {}


def items(ids: Sequence[UUID]) -> list[Item]:
    """Everything that has happened to these ids, in no order: two statements. `ids`: first the one that is looked at."""
    with connection.cursor() as cursor:
        cursor.execute(_INDEX, {"ids": array(ids), "asked": ids[0]})
        rows = [
            Item(kind, key, number, at, actor, act, customer, json_value(body) if body else _NOTHING)
            for kind, key, number, at, actor, act, customer, body in cursor.fetchall()
        ]
    sorted_out: dict[str, list[Item]] = {}
    for row in rows:
        sorted_out.setdefault(row.kind, []).append(row)
    found = [i for kind in (RECORD, DELIVERY) for i in sorted_out.get(kind, [])]
    found += [replace(i, reason=i.body["reason"]) for kind in (VERSION, MEMBER) for i in sorted_out.get(kind, [])]
    verdicts = sorted_out.get("verdict", [])
    found += [*_together(DECISION, verdicts), *_together(RELATION, sorted_out.get(RELATION, []))]
    found += [i for row in sorted_out.get(PIN, []) for i in _pins(row)]
    found += [i for row in sorted_out.get(HOLD, []) for i in _holds(row)]
    found += [i for row in sorted_out.get(NOTE, []) for i in _notes(row)]
    return found + _decisions(rows, verdicts, ids[0])


def moment(text: str) -> datetime:
    """A time as PostgreSQL writes it into JSON."""
    return datetime.fromisoformat(text)


def _together(kind: str, rows: Iterable[Item]) -> Iterator[Item]:
    """What one act said of many pairs alike is one thing: "no match" of three pairs."""
    for _, group in groupby(sorted(rows, key=lambda i: (_alike(i), i.key)), key=_alike):
        own = list(group)
        pairs = [i.body for i in own]
        body = {"word": own[0].body["word"], "pairs": pairs, "ended": all(p["ended"] for p in pairs)}
        first = min(own, key=lambda i: i.at)
        yield replace(first, kind=kind, body=body, part=own[0].kind, reason=own[0].body["reason"])


def _alike(item: Item) -> tuple[str, str, str]:
    return str(item.correlation_id), item.body["word"], item.actor


def _pins(row: Item) -> Iterator[Item]:
    """What one version of a steward's record says otherwise than the one before: values pinned or ignored, and no longer so."""
    now, was = row.body["now"] or {}, row.body["was"] or {}
    for group in ("pins", "ignored"):
        said, before = now.get(group, {}), was.get(group, {})
        for attribute in sorted(said.keys() | before.keys()):
            if said.get(attribute) == before.get(attribute):
                continue
            pin, former = said.get(attribute), before.get(attribute) or {}
            again = bool(pin) and (former.get("before") or {}).get("at") == pin.get("at")
            fresh = pin if pin and not again else {}
            known = UUID(fresh["correlation_id"]) if fresh.get("correlation_id") else None
            body = {"group": group, "attribute": attribute, "pin": pin, "before": former, "again": again}
            part, actor, why = f"{group}.{attribute}", fresh.get("actor", ""), fresh.get("reason", "")
            yield replace(row, body=body, part=part, actor=actor, reason=why, correlation_id=known)


def _holds(row: Item) -> Iterator[Item]:
    """A change that waits, and each time some of its fields were decided."""
    fields = row.body["fields"]
    yield replace(row, body={"fields": fields, "state": "open"}, part="opened", reason=row.body["reason"])
    decided = [f for f in fields if f["decided"]]
    for (second, state), group in groupby(sorted(decided, key=_word), key=_word):
        own = list(group)
        by = row.body["approver"] if state in ("approved", "rejected") else ""
        yield replace(
            row, at=moment(own[0]["decided"]), actor=by, correlation_id=None, body={"fields": own, "state": state},
            part=f"{state} {second}",
        )  # fmt: skip


def _word(field: Mapping[str, Any]) -> tuple[str, str]:
    """Fields that were decided alike in one go have one of these."""
    return field["decided"][:19], field["state"]


def _notes(row: Item) -> Iterator[Item]:
    yield replace(row, part="written")
    if row.body["removed"]:
        gone = {"at": moment(row.body["removed"]), "actor": row.body["by"], "reason": row.body["why"]}
        yield replace(row, part="removed", correlation_id=None, **gone)


def _decisions(rows: Iterable[Item], verdicts: Iterable[Item], asked: UUID) -> list[Item]:
    """Decisions that anything here followed from, and their being taken back: that stands with what it brought about, whose
    correlation id the verdicts know that it ended."""
    acts = {r.correlation_id for r in rows if r.actor.startswith("user:") and r.correlation_id is not None}
    ended = {v.correlation_id: v.body["ended_by"] for v in verdicts if v.body["ended_by"]}
    found = []
    for d in Decision.objects.filter(id__in=acts, done_at__isnull=False) if acts else ():
        body = {"action": d.action, "title": d.title, "undone_at": d.undone_at, "undone_by": d.undone_by}
        found.append(Item(DECISION, d.id, 0, d.decided_at, d.actor, d.id, asked, body, "decided", d.reason))
        if d.undone_at is not None:
            undo = UUID(ended[d.id]) if d.id in ended else None
            found.append(Item(DECISION, d.id, 0, d.undone_at, d.undone_by, undo, asked, body, "undone"))
    return found
