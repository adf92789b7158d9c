"""What tests of the pipeline share: systems, records through the real door, the sweep, and what has become of them."""

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from apps.common.act import Act
from apps.connectors.inbound import Door, Item, ItemOutcome, take_in
from apps.customers.models import System
from apps.customers.systems import steward_system
from apps.events.relay import relay_all
from apps.matching import judge, merging
from apps.matching.match import Matched
from apps.matching.model import active_model
from apps.matching.models import MatchModel
from apps.matching.parameters import Model
from apps.matching.sweep import drain
from apps.policies import activate

ACT = Act("hub:test", "a test")
SYSTEMS = {"crm": 70, "erp": 80, "billing": 75, "support": 50}
TABLES = (
    "rebuild_run",
    "stale_attribute",
    "note",
    "steward_decision",
    "steward_case",
    "delivery_attempt",
    "delivery",
    "plan_due",
    "circuit",
    "go_live",
    "connection",
    "outbound_switch",
    "feed_reader",
    "doubt",
    "edge",
    "redo",
    "match_record",
    "blocking_key",
    "oversized_key",
    "match_model",
    "relation",
    "judgement",
    "hold",
    "bulk_unmerge",
    "merge_request",
    "change_request",
    "quarantine",
    "field_drift",
    "inbound_message",
    "run",
    "mapping",
    "lookup_key",
    "customer_due",
    "customer_search",
    "redirect",
    "membership",
    "link",
    "renamed_key",
    "source_record_version",
    "source_record",
    "historical_customer",
    "customer",
    "event",
    "policy",
    "erasure",
    "seal",
    "seal_cursor",
    "checkpoint",
    "audit_check",
)
Partition = frozenset[frozenset[str]]


def alice() -> Act:
    """A person's act; each has a correlation id of its own, by which an unmerge knows what a merge said."""
    return Act("user:alice", "alice says so")


def bob() -> Act:
    """Somebody else's act."""
    return Act("user:bob", "bob says so")


def systems() -> dict[str, System]:
    """The four systems by code, made on first need, and the steward's."""
    steward_system()
    for code, trust in SYSTEMS.items():
        System.objects.get_or_create(code=code, defaults={"name": code.upper(), "kind": code, "trust": trust})
    return {s.code: s for s in System.objects.filter(code__in=SYSTEMS)}


def empty() -> None:
    """Everything but systems and users goes. DELETE of small tables takes a twentieth of the time of TRUNCATE."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for table in TABLES:
            cursor.execute(f"DELETE FROM {table}")
        cursor.execute("INSERT INTO feed_head (id, position) VALUES (1, 0) ON CONFLICT (id) DO UPDATE SET position = 0")
    active_model()  # adopted here, so that no test's first transaction holds up the others with it


def owners_of_nothing() -> None:
    """No system owns an attribute, so that what any of them says of a sensitive one waits for a second person."""
    drafted = activate.draft(kind="ownership", body={"owners": {}}, note="", act=alice())
    activate.activate(policy=drafted.id, act=bob())


def take(system: str, *items: Mapping[str, Any], act: Act = ACT, patch: bool = False) -> list[ItemOutcome]:
    """Records of one system through to golden records, by the same verb as API and files."""
    door = Door(System.objects.get(code=system))
    return take_in(door=door, items=[Item(i, json.dumps(i, ensure_ascii=False), patch=patch) for i in items], act=act)


def customer_of(system: str, item: Mapping[str, Any], *, act: Act = ACT) -> UUID:
    """The customer that one record ends with."""
    outcome = take(system, item, act=act)[0]
    assert outcome.customer is not None, outcome
    return outcome.customer


def merge_all_the_same(customers: Sequence[UUID], act: Act) -> Matched:
    """A merge that goes past the rules of the policy, as a second person lets it."""
    past = [met.asked for met in merging.between(judge.members_of(customers))]
    return judge.merge(customers=customers, act=act, past=past)


def merge_unless_vetoed(customers: Sequence[UUID], act: Act, *, second_person: bool) -> bool:
    """Whether they were merged; False where a rule stands against it and nobody lets it pass: then nothing has changed."""
    before = activity()
    try:
        if second_person:
            merge_all_the_same(customers, act)
        else:
            judge.merge(customers=customers, act=act)
    except merging.Vetoed:
        assert not second_person
        assert activity() == before
        return False
    return True


def judge_unless_vetoed(one: UUID, other: UUID, act: Act, *, together: bool) -> bool:
    """Whether it was said that two records are, or are not, one; False where a rule stands against the former."""
    try:
        (judge.join if together else judge.separate)(record_a=one, record_b=other, act=act)
    except merging.Vetoed:
        assert together
        return False
    return True


def drain_all() -> int:
    """As though every lease had run out: the sweep until nothing waits, then positions for all events."""
    seen = 0
    while True:
        query("UPDATE source_record SET due_at = clock_timestamp() WHERE state = 'received'")
        query("UPDATE redo SET due_at = clock_timestamp()")
        found = drain()
        seen += found
        if not found:
            break
    relay_all()
    return seen


def execute(sql: str, *params: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def query(sql: str, *params: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall() if cursor.description else []


def one(sql: str, *params: Any) -> Any:
    """The single value of a query."""
    rows = query(sql, *params)
    assert len(rows) == 1, rows
    return rows[0][0]


def broken() -> list[tuple[Any, ...]]:
    return query("SELECT * FROM broken_invariants")


def where() -> dict[str, UUID]:
    """ "system:external id" -> customer, of every record that has one."""
    return dict(
        query(
            "SELECT y.code || ':' || s.external_id, s.customer_id FROM source_record s JOIN system y ON y.id = s.system_id"
            " WHERE s.customer_id IS NOT NULL AND y.kind <> 'steward'"
        )
    )


def partition() -> Partition:
    """Who is together with whom, whatever the ids are."""
    grouped: dict[UUID, set[str]] = defaultdict(set)
    for name, customer in where().items():
        grouped[customer].add(name)
    return frozenset(frozenset(names) for names in grouped.values())


def record_ids() -> dict[str, UUID]:
    """ "system:external id" -> source record."""
    return dict(
        query(
            "SELECT y.code || ':' || s.external_id, s.id FROM source_record s JOIN system y ON y.id = s.system_id WHERE y.kind <> 'steward'"
        )
    )


def open_doubts() -> set[tuple[frozenset[str], str]]:
    """(pair of records, reason) of every open doubt."""
    names = {id_: name for name, id_ in record_ids().items()}
    rows = query("SELECT record_a_id, record_b_id, reason FROM doubt WHERE state = 'open'")
    return {(frozenset((names[a], names[b])), reason) for a, b, reason in rows}


def activity() -> tuple[int, int, int, int]:
    """Versions, events, memberships and replaced source versions there are: what doing nothing leaves as it is."""
    versions, events, memberships, replaced = query(
        "SELECT (SELECT count(*) FROM historical_customer), (SELECT count(*) FROM event), (SELECT count(*) FROM membership),"
        " (SELECT count(*) FROM source_record_version)"
    )[0]
    return versions, events, memberships, replaced


def resolved(ids: Iterable[UUID]) -> dict[UUID, UUID | None]:
    """Where each id leads to: itself when active, else its one hop; None when that is not an active customer."""
    return dict(
        query(
            "SELECT c.id, CASE WHEN c.active THEN c.id ELSE t.id END FROM customer c LEFT JOIN redirect r ON r.retired_id = c.id"
            " AND r.until IS NULL LEFT JOIN customer t ON t.id = r.successor_id AND t.active WHERE c.id = ANY(%s)",
            list(ids),
        )
    )


def use_model(**thresholds: float) -> None:
    """The shipped model with other thresholds becomes the one in force."""
    document = Model.load_default().to_dict()
    document["thresholds"] |= thresholds
    model = Model.from_dict(document)
    MatchModel.objects.filter(state="active").update(state="retired")
    if not MatchModel.objects.filter(hash=model.hash).update(state="active"):
        MatchModel.objects.create(version=MatchModel.objects.count() + 1, parameters=document, hash=model.hash)
    assert active_model().model.hash == model.hash


def person(number: int, **values: Any) -> dict[str, Any]:
    """Person `number`, unlike every other: name, birth date, mail and phone share nothing by rule."""
    rng = random.Random(number)
    given, family = (
        "".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(n)).title() for n in (3, 4)
    )
    return {
        "record_id": f"P{number}", "kind": "person", "given_name": given, "family_name": family,
        "birth_date": f"19{rng.randint(40, 99)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}",
        "email": f"{given}.{family}{number}@mail.example".lower(), "phone": f"+49 30 {rng.randint(2_000_000, 8_999_999)}", **values,
    }  # fmt: skip


def by_system(records: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, list[Mapping[str, Any]]]:
    grouped: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for system, item in records:
        grouped[system].append(item)
    return grouped


def take_all(records: Sequence[tuple[str, Mapping[str, Any]]], sizes: Iterable[int]) -> None:
    """(system, item) in the given order, in batches of the given sizes; a batch is split by system, as a door would."""
    at = 0
    for size in sizes:
        for system, items in by_system(records[at : at + size]).items():
            take(system, *items)
        at += size
        if at >= len(records):
            return
    take_all(records[at:], [250] * (len(records) // 250 + 1))
