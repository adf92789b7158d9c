"""Eight real processes at once: one golden record each, nothing missed in the feed, no promise broken."""

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from apps.events.queries import changes, head
from apps.events.relay import relay_all
from mdmhub.demo.checkdigits import TAX_ID
from tests import pipeline
from tests.flows import own
from tests.flows.crew import WORKERS, Crew, crew

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.flow]


@pytest.fixture(scope="module")
def workers(django_db_setup: None) -> Iterator[Crew]:
    with crew() as made:
        yield made


def record(number: int, system: str) -> tuple[str, dict[str, Any]]:
    """Person `number` as `system` writes them: every pair of systems shares enough to be sure."""
    item = pipeline.person(number, record_id=f"{system}-{number}")
    if system in ("crm", "support"):
        del item["phone"]
    return system, item


def people(count: int, systems: tuple[str, ...] = tuple(pipeline.SYSTEMS)) -> list[tuple[str, dict[str, Any]]]:
    return [record(n, system) for n in range(count) for system in systems]


def test_one_golden_record_each(workers: Crew) -> None:
    """The same 150 people, four records each, from all eight processes in eight orders."""
    given = people(150)
    first = ("crm", {"record_id": "first", "kind": "person", "given_name": "Zoe", "family_name": "Zeta"})
    pipeline.take(*first)
    quarantined = pipeline.one("SELECT count(*) FROM quarantine")
    results = workers.work(
        [{"task": "ingest", "records": given, "seed": n, "sizes": [1, 5, 20]} for n in range(WORKERS)]
    )
    done = sum((Counter(r["done"]) for r in results), Counter())
    assert done["created"] == len(given)
    assert done.total() == WORKERS * len(given)
    assert done.keys() <= {"created", "unchanged"}
    pipeline.drain_all()
    expected = {frozenset(f"{system}:{system}-{n}" for system in pipeline.SYSTEMS) for n in range(150)}
    assert own.partition([*given, first]) == expected | {frozenset({"crm:first"})}
    assert pipeline.broken() == []
    assert pipeline.one("SELECT count(*) FROM quarantine") == quarantined


def test_strangers_do_not_wait_for_each_other(workers: Crew) -> None:
    """While one transaction holds a person's records, the other processes take in everybody else."""
    held = record(0, "crm")
    pipeline.take(*held)
    others = people(60)[4:]
    built = "SELECT count(*) FROM source_record WHERE state = 'built'"
    before = pipeline.one(built)
    with transaction.atomic():
        (locked,) = own.members([held])
        pipeline.query("SELECT 1 FROM source_record WHERE id = %s FOR UPDATE", locked.record)
        results = workers.work(
            [{"task": "ingest", "records": others[n::WORKERS], "seed": n, "sizes": [5]} for n in range(WORKERS)]
        )
        assert all(r["done"].get("created") for r in results)
        assert pipeline.one(built) == before + len(others)
    pipeline.drain_all()
    assert len(own.partition([held, *others])) == 60


PAUSE = """
CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_sleep(random() * 0.02);
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER pause AFTER INSERT ON event DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pause();
"""


def test_the_feed_misses_nothing(workers: Crew) -> None:
    """Every commit is held up at random, so positions are asked for in another order than times: a reader sees each event once."""
    relay_all()
    links, events = "SELECT count(*) FROM link", "SELECT count(*) FROM event"
    given, start = people(40), head()
    all_in, told = pipeline.one(links) + len(given), pipeline.one(events)
    last: dict[UUID, int] = dict(pipeline.query("SELECT id, version FROM customer"))
    pipeline.query(PAUSE)
    try:
        tasks: list[dict[str, Any]] = [
            {"task": "ingest", "records": given, "seed": n, "sizes": [1, 2]} for n in range(WORKERS - 1)
        ]
        workers.start([*tasks, {"task": "relay", "seconds": 8}])
        seen: list[tuple[int, UUID, int]] = []
        while pipeline.one(links) < all_in or head() < pipeline.one(events):
            relay_all()
            seen += [(e.position, e.subject, e.version) for e in changes(seen[-1][0] if seen else start, 50)]
        workers.results()
    finally:
        pipeline.query("DROP FUNCTION pause() CASCADE")
    pipeline.drain_all()
    while found := changes(seen[-1][0], 50):
        seen += [(e.position, e.subject, e.version) for e in found]
    assert [position for position, _, _ in seen] == list(range(start + 1, start + len(seen) + 1))
    assert len(seen) == pipeline.one(events) - told
    for _, subject, version in seen:
        assert version == last.get(subject, 0) + 1
        last[subject] = version
    assert last == dict(pipeline.query("SELECT id, version FROM customer"))
    assert pipeline.broken() == []


def mixed(workers: Crew, operations: int, across: float) -> Counter[str]:
    pool = people(12) + [
        (
            system,
            {
                "record_id": f"o{n}",
                "kind": "organization",
                "organization_name": f"Werft {n % 3} GmbH",
                "tax_id": TAX_ID["DE"](910_000 + n % 5),
            },
        )
        for n, system in enumerate(list(pipeline.SYSTEMS) * 3)
    ]
    for system, items in pipeline.by_system(pool).items():
        pipeline.take(system, *items)
    share, before = operations // WORKERS, deadlocks()
    results = workers.work(
        [{"task": "mixed", "records": pool, "seed": n, "operations": share, "across": across} for n in range(WORKERS)]
    )
    assert pipeline.broken() == []
    pipeline.drain_all()
    assert pipeline.broken() == []
    assert None not in pipeline.resolved(row[0] for row in pipeline.query("SELECT id FROM customer")).values()
    assert deadlocks() == before, "they take their locks in one order"
    done = sum((Counter(r["done"]) for r in results), Counter())
    assert done.total() == operations, done
    assert done.keys() <= {*OPERATIONS, *IN_WORDS}, done
    return done


IN_WORDS = {"Conflict", "TooLate", "NotFound", "Rejected", "Vetoed"}
"""What a user may be told instead: never a deadlock, nor that the database was too busy."""
OPERATIONS = ("take", "merge", "unmerge", "separate", "join", "branch", "pin", "ask", "decide")


def took_part(done: Counter[str]) -> None:
    """No operation was refused so often that it was hardly tried: which are, hangs on who came first."""
    assert min(done[name] for name in OPERATIONS) > done.total() / 200, done


def deadlocks() -> int:
    """How many the database has broken so far, whoever they were told to."""
    pipeline.query("SELECT pg_stat_clear_snapshot()")
    return int(pipeline.one("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))


def test_everything_at_once(workers: Crew) -> None:
    """Intake, merge, unmerge, verdicts, pins and what waits for a second person, at random on the same few customers."""
    done = mixed(workers, 400, across=1.0)  # everything hangs together soon
    done += mixed(workers, 1_600, across=0.1)
    took_part(done)


@pytest.mark.slow
def test_everything_at_once_for_long(workers: Crew) -> None:
    """MIXED_OPERATIONS says how many."""
    operations = int(os.environ.get("MIXED_OPERATIONS", "20000"))
    done = mixed(workers, operations // 50, across=1.0)
    done += mixed(workers, operations - operations // 50, across=0.02)
    took_part(done)
