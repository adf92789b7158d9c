"""Cases: brought in line with what needs a person, taken, given, put off. A case never says more than its subject does."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from apps.common.act import Act
from apps.common.errors import Conflict, FieldError, NotFound, Rejected
from apps.common.ids import uuid7
from apps.common.rowset import rowset
from apps.stewardship.models import Case

LEASE_MINUTES = 30
DUE_HOURS: Final[Mapping[int, int]] = {1: 4, 2: 24, 3: 72, 4: 240}
"""By priority, from the moment the case was opened."""
MOST = 5_000
"""New cases of one kind and turn; what is left comes with the next."""
_LOCK = 0x6361736573

# What is known to be wrong with a golden record: values that failed their check, and lists so long that the rest was left out. Of these the
# value that most records hold is named: it is what made strangers one. What has ended wants nobody's care: a dated entry has a rank as long
# as it holds. Gives what kind of thing it is, and all of it in words.
_WRONG = """SELECT min(x.cause) AS cause, string_agg(x.told, ', ' ORDER BY x.told) AS sentence FROM (
  SELECT 'wrong_' || (p ->> 'type'), replace(p ->> 'type', '_', ' ') || ' ' || (p ->> 'value')
    FROM jsonb_array_elements({customer}.contact_points) p WHERE (p -> 'valid') = 'false'
      AND (p ? 'rank' OR NOT p ?| ARRAY['valid_from', 'valid_to'])
  UNION ALL SELECT 'wrong_' || (p ->> 'type'), replace(p ->> 'type', '_', ' ') || ' ' || (p ->> 'value')
    FROM jsonb_array_elements({customer}.identifiers) p WHERE (p -> 'verified') = 'false'
      AND (p ? 'rank' OR NOT p ?| ARRAY['valid_from', 'valid_to'])
  UNION ALL SELECT 'too_many_' || l.name, '200 ' || replace(l.name, '_', ' ') || ', and the rest left out; ' || f.value || ' comes from '
      || f.records || CASE f.records WHEN 1 THEN ' record' ELSE ' records' END
    FROM (VALUES ('addresses', {customer}.addresses), ('contact_points', {customer}.contact_points), ('identifiers', {customer}.identifiers),
      ('names', {customer}.names)) l(name, entries), LATERAL (
      SELECT coalesce(e ->> 'value', concat_ws(', ', e ->> 'line1', e ->> 'city')), jsonb_array_length(e -> 'from')
      FROM jsonb_array_elements(l.entries) e ORDER BY 2 DESC, 1 LIMIT 1) f(value, records)
    WHERE {customer}.crowded AND jsonb_array_length(l.entries) >= 200
) x(cause, told)"""

# Each gives subject, group, customer, title, cause, sentence, priority, since: of what needs a person and has no case yet.
_NEW: Final[Mapping[str, str]] = {
    "match": """
SELECT d.id, 'match:' || d.id, a.customer_id, concat_ws(' · ', ca.name, cb.name), d.reason, d.sentence,
  CASE d.reason WHEN 'merged_there' THEN 2 ELSE 3 END, d.opened_at
FROM doubt d JOIN source_record a ON a.id = d.record_a_id JOIN source_record b ON b.id = d.record_b_id
  LEFT JOIN customer ca ON ca.id = a.customer_id LEFT JOIN customer cb ON cb.id = b.customer_id
WHERE d.state = 'open'""",
    "change": """
SELECT d.id, coalesce('change:' || md5(string_agg(h.attribute || coalesce(h.kept_value::text, '') || coalesce(h.proposed_value::text, ''), ';'
    ORDER BY h.attribute)), d.kind || ':' || d.id), coalesce(min(h.customer_id::text)::uuid, m.customers[1]), coalesce(min(c.name), m.title,
    b.title), d.kind, coalesce(string_agg(h.attribute, ', ' ORDER BY h.attribute), m.vetoes -> 0 ->> 'sentence', b.total || ' customers'), 2,
  d.opened_at
FROM change_request d LEFT JOIN hold h ON h.change_request_id = d.id AND h.state = 'open' LEFT JOIN customer c ON c.id = h.customer_id
  LEFT JOIN merge_request m ON m.change_request_id = d.id LEFT JOIN bulk_unmerge b ON b.change_request_id = d.id
WHERE d.state = 'open' AND (h.id IS NOT NULL OR m.title IS NOT NULL OR b.id IS NOT NULL)""",
    "quarantine": """
SELECT d.id, 'quarantine:' || d.system_id || ':' || coalesce(d.problems -> 0 ->> 'field', '') || ':' || coalesce(d.problems -> 0 ->> 'code', ''),
  NULL::uuid, y.name || coalesce(' ' || nullif(d.external_id, ''), ''), coalesce(d.problems -> 0 ->> 'code', 'unreadable'),
  coalesce(d.problems -> 0 ->> 'detail', ''), 3, d.received_at
FROM quarantine d JOIN system y ON y.id = d.system_id
WHERE d.state = 'open'""",
    "exception": """
SELECT d.id, 'exception:' || d.connection_id || ':' || d.trouble || ':' || d.code, d.customer_id, coalesce(c.name, '') || ' → ' || n.name,
  d.trouble, d.detail, 2, d.finished_at
FROM delivery d JOIN connection n ON n.id = d.connection_id LEFT JOIN customer c ON c.id = d.customer_id
WHERE d.state = 'failed'""",
    "quality": f"""
SELECT d.id, 'quality:' || w.cause, d.id, coalesce(d.name, ''), w.cause, w.sentence, 4, d.updated_at
FROM customer d CROSS JOIN LATERAL ({_WRONG.format(customer="d")}) w
WHERE d.active AND (d.flawed OR d.crowded) AND w.cause IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM steward_case a WHERE a.accepted AND a.subject = d.id AND a.sentence = w.sentence)""",  # noqa: S608 - text of our own
}
_GROUPED: Final = {"change": " GROUP BY d.id, d.opened_at, m.change_request_id, b.id"}

# What became of it, and by whose hand, of cases whose subject needs nobody any more.
_OVER: Final[Mapping[str, str]] = {
    "match": """
SELECT k.id, CASE WHEN a.customer_id = b.customer_id THEN 'The records became one customer.'
    WHEN j.verdict = 'no_match' THEN 'They were kept apart.' ELSE 'The machine has no doubt about them any more.' END, coalesce(j.actor, '')
FROM steward_case k JOIN doubt d ON d.id = k.subject JOIN source_record a ON a.id = d.record_a_id JOIN source_record b ON b.id = d.record_b_id
  LEFT JOIN judgement j ON j.record_a_id = d.record_a_id AND j.record_b_id = d.record_b_id AND j.superseded_at IS NULL AND j.origin = 'person'
WHERE k.kind = 'match' AND k.state <> 'closed' AND d.state <> 'open'""",
    "change": """
SELECT k.id, CASE WHEN d.state = 'approved' THEN 'It was approved.' WHEN d.state = 'rejected' THEN 'It was rejected.'
    WHEN d.kind = 'merge' THEN 'One of them went into another customer meanwhile.' ELSE 'The proposed value is not proposed any more.' END, d.approver
FROM steward_case k JOIN change_request d ON d.id = k.subject WHERE k.kind = 'change' AND k.state <> 'closed' AND d.state <> 'open'""",
    "quarantine": """
SELECT k.id, CASE d.state WHEN 'discarded' THEN 'It was discarded.' ELSE 'It was mended and taken in.' END, d.resolved_by
FROM steward_case k JOIN quarantine d ON d.id = k.subject WHERE k.kind = 'quarantine' AND k.state <> 'closed' AND d.state <> 'open'""",
    "exception": """
SELECT k.id, CASE d.state WHEN 'discarded' THEN 'It was discarded.' WHEN 'done' THEN 'The target has it by now.'
    WHEN 'superseded' THEN 'Something newer took its place.' ELSE 'It is told again.' END, d.actor
FROM steward_case k JOIN delivery d ON d.id = k.subject WHERE k.kind = 'exception' AND k.state <> 'closed' AND d.state <> 'failed'""",
    "quality": f"""
SELECT k.id, CASE WHEN NOT d.active THEN 'It was merged into another customer.' WHEN w.cause IS NULL THEN 'The value was mended.'
    ELSE 'Another value is wrong by now.' END, ''
FROM steward_case k JOIN customer d ON d.id = k.subject CROSS JOIN LATERAL ({_WRONG.format(customer="d")}) w
WHERE k.kind = 'quality' AND k.state <> 'closed' AND (NOT d.active OR w.sentence IS DISTINCT FROM k.sentence)""",  # noqa: S608 - text of our own
}
_ROW: Final = {
    "id": "uuid", "kind": "text", "subject": "uuid", "group_key": "text", "customer_id": "uuid", "title": "text", "cause": "text",
    "sentence": "text", "priority": "smallint", "opened_at": "timestamptz", "due_at": "timestamptz",
}  # fmt: skip


@transaction.atomic
def refresh(*, waits: bool = True) -> int:
    """Opens a case for all that needs a person and has none, closes those that need nobody, wakes those whose time has come; returns
    how many changed. One at a time: who `waits` sees what they have just done, who does not leaves it to the one at work."""
    with connection.cursor() as cursor:
        if waits:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        else:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (_LOCK,))
            if not cursor.fetchone()[0]:
                return 0
    changed = sum(_open(kind) + _close(kind) for kind in Case.Kind.values)
    if changed:
        _group()
    return changed + _wake()


def _open(kind: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            f"{_NEW[kind]} AND NOT EXISTS (SELECT 1 FROM steward_case k WHERE k.kind = '{kind}' AND k.subject = d.id"  # noqa: S608 - text of our own
            f" AND k.state <> 'closed'){_GROUPED.get(kind, '')} LIMIT %s",
            (MOST,),
        )
        rows = [
            (uuid7(), kind, subject, group, customer, title or "", cause, sentence, priority, since,
             since + timedelta(hours=DUE_HOURS[priority]))
            for subject, group, customer, title, cause, sentence, priority, since in cursor.fetchall()
        ]  # fmt: skip
        if not rows:
            return 0
        new, names = rowset("new_case", _ROW, rows), ", ".join(_ROW)
        cursor.execute(
            f"INSERT INTO steward_case ({names}, state, assignee, deferred_why, closed_by, outcome)"  # noqa: S608 - text of our own
            f" SELECT {names}, 'open', '', '', '', '' FROM {new.source} ON CONFLICT DO NOTHING",
            new.params,
        )
        return int(cursor.rowcount)


def _close(kind: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE steward_case k SET state = 'closed', closed_at = clock_timestamp(), outcome = o.why, closed_by = o.who,"  # noqa: S608 - text of our own
            f" lease_until = NULL, deciding_until = NULL FROM ({_OVER[kind]}) AS o(id, why, who) WHERE k.id = o.id"
        )
        return int(cursor.rowcount)


def _wake() -> int:
    """What was put off waits again when its time has come."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE steward_case SET state = 'open', deferred_until = NULL, deferred_why = '' WHERE state = 'deferred'"
            " AND deferred_until <= clock_timestamp()"
        )
        return int(cursor.rowcount)


def _group() -> None:
    """Doubts that reach one another over the customers they are about are one piece of work."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT k.id, k.group_key, a.customer_id, b.customer_id FROM steward_case k JOIN doubt d ON d.id = k.subject"
            " JOIN source_record a ON a.id = d.record_a_id JOIN source_record b ON b.id = d.record_b_id"
            " WHERE k.kind = 'match' AND k.state <> 'closed' AND a.customer_id IS NOT NULL AND b.customer_id IS NOT NULL"
        )
        rows = cursor.fetchall()
        root = components((a, b) for _, _, a, b in rows)
        moved = [(id_, f"match:{root[a]}") for id_, group, a, _ in rows if group != f"match:{root[a]}"]
        if moved:
            new = rowset("case_group", {"id": "uuid", "group_key": "text"}, moved)
            cursor.execute(
                f"UPDATE steward_case k SET group_key = i.group_key FROM {new.source} WHERE k.id = i.id",  # noqa: S608 - text of our own
                new.params,
            )


def components(pairs: Iterable[tuple[UUID, UUID]]) -> dict[UUID, UUID]:
    """Each id of `pairs` with the smallest one it reaches over them."""
    parent: dict[UUID, UUID] = {}

    def find(id_: UUID) -> UUID:
        while parent.setdefault(id_, id_) != id_:
            parent[id_] = id_ = parent[parent[id_]]
        return id_

    for a, b in pairs:
        first, second = sorted((find(a), find(b)))
        parent[second] = first
    return {id_: find(id_) for id_ in parent}


# ── whose work it is ────────────────────────────────────────────────────────────────────────────────────────────────
@transaction.atomic
def claim(*, case: UUID, act: Act, takes_over: bool = False) -> Case:
    """Takes the whole group for LEASE_MINUTES. Raises NotFound, Conflict: closed, or in somebody else's hand (`takes_over`: even so)."""
    row, group = open_group(case)
    other = next((k for k in group if k.assignee not in ("", act.actor) and _holds(k)), None)
    if other is not None and not takes_over:
        raise Conflict(f"{other.assignee.removeprefix('user:')} has it.")
    _write(group, assignee=act.actor, lease_until=timezone.now() + timedelta(minutes=LEASE_MINUTES))
    row.refresh_from_db()
    return row


@transaction.atomic
def release(*, case: UUID, act: Act) -> Case:
    """Anybody's again. Raises NotFound, Conflict: closed, or somebody else's."""
    row, group = open_group(case)
    if any(k.assignee not in ("", act.actor) for k in group):
        raise Conflict("It is somebody else's.")
    _write(group, assignee="", lease_until=None)
    row.refresh_from_db()
    return row


@transaction.atomic
def assign(*, case: UUID, to: str, act: Act) -> Case:
    """Gives it to somebody ("user:anna"), until they release it. Raises NotFound, Conflict (closed)."""
    row, group = open_group(case)
    _write(group, assignee=to, lease_until=None)
    row.refresh_from_db()
    return row


@transaction.atomic
def defer(*, case: UUID, until: datetime, act: Act) -> Case:
    """Out of sight until then. Raises NotFound, Conflict (closed), Rejected (no reason, or a moment that has passed)."""
    wrong = []
    if not act.reason.strip():
        wrong.append(FieldError("/reason", "missing", "Say why it is put off."))
    if until <= timezone.now():
        wrong.append(FieldError("/until", "past", "Choose a day that is still to come."))
    if wrong:
        raise Rejected(wrong[0].detail, wrong)
    row, group = open_group(case)
    _write(
        group, state="deferred", deferred_until=until, deferred_why=act.reason.strip(), assignee="", lease_until=None
    )
    row.refresh_from_db()
    return row


@transaction.atomic
def take_back(*, case: UUID, act: Act) -> Case:
    """What was put off waits again. Raises NotFound, Conflict (closed)."""
    row, group = open_group(case)
    _write(group, state="open", deferred_until=None, deferred_why="")
    row.refresh_from_db()
    return row


@transaction.atomic
def accept(*, cases: Sequence[UUID], act: Act) -> int:
    """These values are right as they are: their cases close, and the same is not asked again; returns how many. Raises Rejected without
    a reason."""
    if not act.reason.strip():
        raise Rejected(
            "Say why it is right as it is.", [FieldError("/reason", "missing", "Say why it is right as it is.")]
        )
    open_ones = Case.objects.filter(id__in=cases, kind=Case.Kind.QUALITY).exclude(state=Case.State.CLOSED)
    ids = list(open_ones.select_for_update().order_by("id").values_list("id", flat=True))
    return Case.objects.filter(id__in=ids).update(
        state=Case.State.CLOSED, accepted=True, closed_at=timezone.now(), closed_by=act.actor, lease_until=None,
        deciding_until=None, outcome=f"Accepted as it is: {act.reason.strip()}",
    )  # fmt: skip


def _holds(case: Case) -> bool:
    """Whether its assignee still has it: an assignment does not run out, a claim does."""
    return case.lease_until is None or case.lease_until > timezone.now()


def open_group(case: UUID) -> tuple[Case, Sequence[Case]]:
    """A case and all live ones of its group, locked. Raises NotFound, Conflict: closed, by whom and with what outcome."""
    row = Case.objects.filter(id=case).first()
    if row is None:
        raise NotFound("There is no such case.")
    live = Case.objects.exclude(state=Case.State.CLOSED).order_by("id")
    group = list(live.select_for_update().filter(group_key=row.group_key))
    row.refresh_from_db()  # it may have been closed while its group was waited for
    if row.state == Case.State.CLOSED:
        by = f" by {row.closed_by.removeprefix('user:')}" if row.closed_by else ""
        raise Conflict(f"It is closed{by}: {row.outcome}")
    return row, group


def _write(group: Sequence[Case], **values: Any) -> None:
    Case.objects.filter(id__in=[k.id for k in group]).update(**values)
