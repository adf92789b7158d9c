"""What stands on the timeline, in words: the rows of one page are read in sets and told one by one."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Q

from apps.common.ids import array
from apps.common.jsontext import json_value
from apps.connectors.models import Delivery
from apps.customers.models import Customer, Relation
from apps.customers.queries import AttributeChange, values_of
from apps.customers.queries_compare import differing
from apps.customers.queries_values import without_origin
from apps.events.models import Event
from apps.stewardship import timeline_index as index
from apps.stewardship import wording
from apps.stewardship.timeline_index import Item

Key = tuple[UUID, int, str]
"""Which entry: the row, its number, which part of it."""


class Link(NamedTuple):
    """Where an entry leads: a page by name, its arguments, the operation it takes to open it, and the words of the link."""

    page: str
    arguments: tuple[UUID, ...]
    operation: str
    words: str


@dataclass(slots=True)
class Entry:
    """One thing that happened. `word` and `tail` are the hub's own words, `thing` and `why` come from outside; `changes`: (attribute,
    before, after); `customer`: the id it happened to; `pairs`: records that something was said of, two by two;
    `erased`: why there is nothing to show, where values were erased by law."""

    kind: str
    at: datetime
    actor: str
    customer: UUID
    word: str
    why: str = ""
    system: str = ""
    thing: str = ""
    tail: str = ""
    rule: str = ""
    tag: str = ""
    tone: str = ""
    changes: Sequence[AttributeChange] = ()
    version: int = 0
    erased: str = ""
    link: Link | None = None
    pairs: Sequence[tuple[tuple[str, str], tuple[str, str]]] = ()

    @property
    def is_first(self) -> bool:
        return self.version == 1


def entries(items: Sequence[Item], ids: Collection[UUID]) -> dict[Key, Entry]:
    """The items of one page in words: six statements at the most."""
    by_kind: dict[str, list[Item]] = {}
    for item in items:
        by_kind.setdefault(item.kind, []).append(item)
    told = {**_versions(by_kind.get(index.VERSION, [])), **_records(by_kind.get(index.RECORD, []))}
    told |= _deliveries(by_kind.get(index.DELIVERY, []))
    for kind, tell in _TELL.items():
        told |= {_key(i): tell(i) for i in by_kind.get(kind, [])}
    return told


def _key(item: Item) -> Key:
    return item.key, item.number, item.part


def _entry(item: Item, word: str, **more: Any) -> Entry:
    return Entry(item.kind, item.at, item.actor, item.customer, word, **{"why": item.reason, **more})


# ── versions ────────────────────────────────────────────────────────────────────────────────────────────────────────
def _versions(items: Sequence[Item]) -> dict[Key, Entry]:
    if not items:
        return {}
    wanted: dict[UUID, set[int]] = {}
    for item in items:
        wanted.setdefault(item.key, set()).update((item.number, item.number - 1))
    asked, told = Q(), Q()
    for id_, numbers in wanted.items():
        asked |= Q(id=id_, version__in=numbers)
        told |= Q(subject_id=id_, version__in=numbers)
    rows = {(r.id, r.version): r for r in Customer.history.filter(asked)}
    events = {
        (id_, n): (type_, renamed or [])
        for id_, n, type_, renamed in Event.objects.filter(told).values_list(
            "subject_id", "version", "type", "body__rekeyed"
        )
    }
    return {_key(i): _version(i, rows, events) for i in items}


def _version(
    item: Item, rows: Mapping[tuple[UUID, int], Any], events: Mapping[tuple[UUID, int], tuple[str, Any]]
) -> Entry:
    row, older = rows[item.key, item.number], rows.get((item.key, item.number - 1))
    erased = _erased(now=row.salt is not None, before=older is None or older.salt is not None)
    type_, renamed = events.get((item.key, item.number), ("", ()))
    return _entry(
        item, f"Version {item.number}", version=item.number, erased=erased, tag=wording.EVENTS.get(type_, ""), tone="accent",
        thing=", ".join(f"{key['system']} {key['from']} → {key['to']}" for key in renamed),
        rule=f"policy {row.policy_hash[:8]}" if row.policy_hash else "", changes=[] if erased else changed(row, older),
    )  # fmt: skip


def _erased(*, now: bool, before: bool) -> str:
    """Why nothing can be compared, if something was erased; `now`, `before`: whether each side is still there."""
    if not now:
        return "The values were erased."
    return "" if before else "What it changed is not known any more: the values before it were erased."


def changed(row: Any, older: Any) -> list[AttributeChange]:
    """What one version of a golden record, or one history row, says otherwise than another; None: there was none before."""
    found = differing(values_of(row), values_of(older) if older is not None else {})
    if older is None or row.member_count != older.member_count:
        found.append(AttributeChange("members", older.member_count if older is not None else None, row.member_count))
    return found


# ── source records ──────────────────────────────────────────────────────────────────────────────────────────────────
_RECORDS = """
WITH wanted AS (SELECT * FROM unnest(%(records)s::uuid[], %(numbers)s::int[]) AS w(record, version))
SELECT w.record, w.version, y.code, s.external_id, s.customer_id, coalesce(v.deleted, s.deleted),
  CASE WHEN v.id IS NULL THEN s.canonical ELSE v.canonical END::text, o.deleted, o.canonical::text
FROM wanted w JOIN source_record s ON s.id = w.record JOIN system y ON y.id = s.system_id
LEFT JOIN source_record_version v ON v.source_record_id = w.record AND v.version = w.version
LEFT JOIN source_record_version o ON o.source_record_id = w.record AND o.version = w.version - 1
"""


def _records(items: Sequence[Item]) -> dict[Key, Entry]:
    if not items:
        return {}
    asked = {"records": array(i.key for i in items), "numbers": array(i.number for i in items)}
    with connection.cursor() as cursor:
        cursor.execute(_RECORDS, asked)
        rows = {(row[0], row[1]): row[2:] for row in cursor.fetchall()}
    return {_key(i): _record(i, rows[i.key, i.number]) for i in items}


def _record(item: Item, row: Sequence[Any]) -> Entry:
    system, external_id, customer, deleted, now, was_deleted, was = row
    erased = _erased(now=now is not None, before=item.number == 1 or was is not None)
    changes = [] if erased else differing(json_value(now), json_value(was) if was else {})
    if deleted and not was_deleted:
        word, tone = "Deleted there", "bad"
    elif item.number == 1:
        word, tone = "Received", ""
    else:
        word, tone = ("Back again" if was_deleted else "Changed there"), ""
    link = Link("customer-record", (customer, item.key), "sources.read", "as received") if customer else None
    return _entry(
        item, word, system=system, thing=external_id, tail=f"version {item.number}", version=item.number,
        changes=changes, erased=erased, tone=tone, link=link,
    )  # fmt: skip


# ── who is who ──────────────────────────────────────────────────────────────────────────────────────────────────────
_INTO = {
    "created": "Began this customer", "attached": "Attached", "merged": "Came by a merge", "unmerged": "Came by an unmerge",
    "detached": "Came from another customer", "judged": "Came by a verdict",
}  # fmt: skip
_OUT = {"merged": "Left by a merge", "unmerged": "Taken out", "detached": "Went to another customer"}


def _member(item: Item) -> Entry:
    told = item.body
    word = (_INTO if told["into"] else _OUT).get(told["action"], "Moved")
    other = told["from"] if told["into"] else told["to"]
    link = Link("customer", (UUID(other),), "customers.read", told["name"] or other) if other else None
    return _entry(
        item, word, system=told["system"], thing=told["external_id"], tail=("from" if told["into"] else "to") if other else "",
        rule=f"match model {told['model']}" if told["model"] is not None else "", link=link,
    )  # fmt: skip


_ACTIONS = {
    "merge": "Decided: one customer", "apart": "Decided: not a match", "link": "Decided: linked without merging",
    "unmerge": "Decided: records taken out",
}  # fmt: skip
_VERDICTS = {"match": "Verdict: a match", "no_match": "Verdict: no match", "unsure": "Verdict: unsure"}


def _decision(item: Item) -> Entry:
    told = item.body
    if item.part == "verdict":
        return _entry(
            item, _VERDICTS[told["word"]], pairs=_pairs(told["pairs"]), tag="no longer counts" if told["ended"] else ""
        )
    if item.part == "undone":
        return _entry(item, "Decision taken back", thing=told["title"], tone="warn")
    back = f"taken back by {wording.actor_name(told['undone_by'])}" if told["undone_at"] else ""
    return _entry(item, _ACTIONS.get(told["action"], "Decided"), thing=told["title"], tag=back)


def _relation(item: Item) -> Entry:
    told = item.body
    other = next((p for p in told["pairs"] if p["other"]), None)
    link = (
        Link("customer", (UUID(other["other"]),), "customers.read", other["name"] or other["other"]) if other else None
    )
    return _entry(
        item, f"Related: {dict(Relation.Kind.choices).get(told['word'], told['word']).lower()}", tail="to" if other else "",
        pairs=_pairs(told["pairs"]), tag="no longer" if told["ended"] else "", link=link,
    )  # fmt: skip


def _pairs(pairs: Iterable[Mapping[str, Any]]) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    return [((p["a"][0], p["a"][1]), (p["b"][0], p["b"][1])) for p in pairs]


# ── what people said of values ──────────────────────────────────────────────────────────────────────────────────────
_PINS = {
    ("pins", True): "Pinned",
    ("pins", False): "Pin lifted",
    ("ignored", True): "Value ignored",
    ("ignored", False): "Value heeded again",
}


def _pin(item: Item) -> Entry:
    told = item.body
    attribute, pin, before = told["attribute"], told["pin"], told["before"]
    word = "Pinned again" if told["again"] else _PINS[told["group"], bool(pin)]
    change = AttributeChange(
        attribute, without_origin(before.get("value")), without_origin(pin["value"]) if pin else None
    )
    until = pin.get("expires_at") if pin else None
    return _entry(
        item, f"{word}: {wording.attribute_name(attribute).lower()}", changes=[change],
        tag=f"until {index.moment(until):%-d %b %Y, %H:%M} UTC" if until else "",
        link=Link("customer-sources", (item.customer,), "sources.read", "side by side"),
    )  # fmt: skip


_HOLDS = {
    "open": ("Waits for approval", "warn"), "approved": ("Approved", "good"), "rejected": ("Rejected", "bad"),
    "closed": ("No longer proposed", ""),
}  # fmt: skip


def _hold(item: Item) -> Entry:
    fields = item.body["fields"]
    word, tone = _HOLDS[item.body["state"]]
    names = ", ".join(wording.attribute_name(f["attribute"]).lower() for f in fields)
    changes = [AttributeChange(f["attribute"], f["kept"], f["proposed"]) for f in fields]
    link = Link("change", (item.key,), "doubts.read", "the change")
    return _entry(item, f"{word}: {names}", tone=tone, changes=changes, link=link)


def _note(item: Item) -> Entry:
    if item.part == "removed":
        return _entry(item, "Note removed")
    body = item.body["body"]
    if body is None:
        return _entry(item, "Note written", tag=f"removed by {wording.actor_name(item.body['by'])}")
    return _entry(
        item, "Note written", why=body, link=Link("customer", (item.customer,), "customers.read", "all notes")
    )


_TELL: Mapping[str, Callable[[Item], Entry]] = {
    index.MEMBER: _member, index.DECISION: _decision, index.RELATION: _relation, index.PIN: _pin, index.HOLD: _hold, index.NOTE: _note,
}  # fmt: skip


# ── what targets were told ──────────────────────────────────────────────────────────────────────────────────────────
_OPS = {
    "create": "Made there",
    "update": "Update",
    "deactivate": "Deactivation",
    "reactivate": "Reactivation",
    "merge": "Merge there",
}
_STATES = {
    "planned": ("planned only: it observes", "accent"), "waiting": ("waits", ""), "sending": ("being sent", "accent"),
    "uncertain": ("outcome unknown", "warn"), "done": ("acknowledged", "good"), "failed": ("failed", "bad"),
    "superseded": ("replaced by a newer one", ""), "discarded": ("discarded", ""),
}  # fmt: skip


def _deliveries(items: Sequence[Item]) -> dict[Key, Entry]:
    if not items:
        return {}
    columns = ("id", "connection__system__code", "link__external_id", "op", "state", "attempts", "trouble", "detail", "actor", "reason",
               "finished_at")  # fmt: skip
    rows = {row[0]: row[1:] for row in Delivery.objects.filter(id__in=[i.key for i in items]).values_list(*columns)}
    return {_key(i): _delivery(i, rows[i.key]) for i in items if i.key in rows}


def _delivery(item: Item, row: Sequence[Any]) -> Entry:
    system, external_id, op, state, attempts, trouble, detail, actor, reason, finished_at = row
    tag, tone = _STATES.get(state, (state, ""))
    tail = f"version {item.number}"
    if finished_at is not None and state in ("done", "failed", "discarded"):
        tail += f", after {max((finished_at - item.at).total_seconds(), 0):,.1f} s"
    if attempts > 1:
        tail += f", {attempts} attempts"
    entry = _entry(
        item, _OPS.get(op, op), system=system, thing=external_id or "", tail=tail, tag=tag, tone=tone,
        why=reason or (detail if trouble else ""), link=Link("exception", (item.key,), "sync.read", "the delivery"),
    )  # fmt: skip
    entry.actor = actor
    return entry
