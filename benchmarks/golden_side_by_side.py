"""What the locks cost and what they are good for: intake, merges, unmerges and verdicts at random by eight processes on the same few customers,
with the hub's protocol (records locked, then customers, then read again) and as the same work in plain transactions that lock neither.

Run by golden.py; `python -m benchmarks.golden_side_by_side` is one of the processes."""

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from benchmarks.hub import ROOT, scratch_hub

PROCESSES = 8
FAMILY = 6
"""So many people are merged with one another and taken apart again; of other families nobody knows."""
VARIANTS = {"ours": "with the protocol", "plain": "plain transactions"}


def side_by_side(people: int, operations: int) -> dict[str, dict[str, Any]]:
    """Of each variant: rate, what the hub refused in words, what failed without any, and what was broken at the end.

    Each has `people` people of its own, in one hub; the protocol goes first, so what is broken after it counts for the other one alone."""
    with scratch_hub():
        return {told: _measured(variant, people, operations) for variant, told in VARIANTS.items()}


def _measured(variant: str, people: int, operations: int) -> dict[str, Any]:
    from apps.matching.sweep import drain

    _take(_records(variant, people), "intake")
    before, share = _broken(), operations // PROCESSES
    command = [sys.executable, "-m", "benchmarks.golden_side_by_side", variant, str(people), str(share)]
    crew = [
        subprocess.Popen([*command, str(seed)], cwd=ROOT, env=dict(os.environ), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for seed in range(PROCESSES)
    ]  # fmt: skip
    for one in crew:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n", "a process did not start"
    began = time.perf_counter()
    for one in crew:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    answers = [one.communicate()[0] for one in crew]
    seconds = time.perf_counter() - began
    done: Counter[str] = Counter()
    for answer in answers:
        done.update(json.loads(answer))
    at_once = _broken() - before
    drain(most=10_000_000)
    left = _broken() - before
    failed = {name: n for name, n in sorted(done.items()) if name.startswith("failed: ")}
    return {
        "operations": share * PROCESSES, "seconds": round(seconds, 2), "per_second": round(share * PROCESSES / seconds),
        "refused": done["refused"], "failed": sum(failed.values()),
        "broken": at_once.total(), "broken_after_the_sweep": left.total(), **{f"broken_{k}": n for k, n in sorted(left.items())},
        "lost": _lost(variant), "failures": {name.removeprefix("failed: "): n for name, n in failed.items()},
    }  # fmt: skip


def _records(variant: str, people: int) -> list[tuple[str, dict[str, Any]]]:
    """Of so many people four records each, one in a system: every pair shares enough to be sure. (system, item)"""
    found = []
    for number in range(people):
        rng = random.Random(f"{variant} {number}")
        given, family = (
            "".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(n)).title() for n in (3, 4)
        )
        item = {
            "kind": "person", "given_name": given, "family_name": family, "email": f"{given}.{family}{number}@mail.example".lower(),
            "birth_date": f"19{rng.randint(40, 99)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}",
            "phone": f"+49 30 {rng.randint(2_000_000, 8_999_999)}",
        }  # fmt: skip
        found += [(s, {**item, "record_id": f"{variant}-{s}-{number}"}) for s in ("crm", "erp", "billing", "support")]
    return found


def _take(records: Iterable[tuple[str, dict[str, Any]]], actor: str) -> None:
    from apps.common.act import Act
    from apps.common.jsontext import json_text
    from apps.connectors import inbound
    from apps.customers.models import System

    grouped: dict[str, list[inbound.Item]] = defaultdict(list)
    for system, item in records:
        grouped[system].append(inbound.Item(item, json_text(item)))
    for system, items in grouped.items():
        inbound.take_in(door=inbound.Door(System.objects.get(code=system)), items=items, act=Act(actor, "benchmark"))


def _rows(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()


def _broken() -> Counter[str]:
    return Counter(dict(_rows("SELECT invariant, count(*) FROM broken_invariants GROUP BY 1")))


def _lost(variant: str) -> int:
    """Records whose customer cannot be found: there is none, or it is retired; and active customers without a record, that nobody can
    find by any of its sources."""
    (orphans,) = _rows(
        "SELECT count(*) FROM source_record s LEFT JOIN customer c ON c.id = s.customer_id"
        " WHERE s.external_id LIKE %s AND c.active IS NOT TRUE",
        f"{variant}-%",
    )[0]
    (empty,) = _rows(
        "SELECT count(*) FROM customer c WHERE c.active AND NOT EXISTS (SELECT 1 FROM source_record s WHERE s.customer_id = c.id)"
    )[0]
    return int(orphans) + int(empty)


# ── one of the processes ────────────────────────────────────────────────────────────────────────────────────────────
def _customers(records: Sequence[tuple[str, dict[str, Any]]]) -> dict[UUID, list[UUID]]:
    """Of the customers of these records: their records, of this family as they all are."""
    grouped: dict[UUID, list[UUID]] = defaultdict(list)
    for record, customer in _rows(
        "SELECT id, customer_id FROM source_record WHERE customer_id IS NOT NULL AND external_id = ANY(%s) ORDER BY id",
        [item["record_id"] for _, item in records],
    ):
        grouped[customer].append(record)
    return grouped


def _operation(kind: str, records: Sequence[tuple[str, dict[str, Any]]], rng: random.Random) -> None:
    from apps.common.act import Act
    from apps.matching import judge

    act = Act("user:alice", "at random")
    if kind == "take":
        some = rng.choices(records, k=rng.choice((1, 1, 3)))
        _take([(s, {**item, "payment_terms": rng.choice(("NET30", "NET60"))}) for s, item in some], "intake")
        return
    customers = _customers(records)
    if kind == "merge":
        judge.merge(customers=rng.sample(sorted(customers), min(2, len(customers))), act=act)
    elif kind == "unmerge":
        shared = sorted(c for c, own in customers.items() if len(own) > 1)
        if shared:
            own = customers[customer := rng.choice(shared)]
            judge.unmerge(customer=customer, records=rng.sample(own, rng.randrange(1, len(own))), act=act)
    else:
        one, other = rng.sample([r for own in customers.values() for r in own], 2)
        (judge.join if kind == "join" else judge.separate)(record_a=one, record_b=other, act=act)


def _without_locks() -> None:
    """This process locks neither records nor customers, and so has nothing to read again under a lock; all else (statements,
    transactions, constraints) stays."""
    from apps.customers import identity
    from apps.matching import judge

    def records(ids: Iterable[UUID]) -> dict[UUID, int]:
        return {}

    def nothing(*_: Any) -> None:
        return None

    def customers(ids: Iterable[UUID]) -> dict[UUID, Any]:
        told = "SELECT id, active, created_at, member_count FROM customer WHERE id = ANY(%s::uuid[])"
        return {row[0]: identity._Known(*row) for row in _rows(told, list(set(ids)))}

    identity.lock_records, identity.lock_customers = records, customers
    for module, again in ((identity, "_nobody_missing"), (judge, "_lock_around"), (judge, "_still")):
        setattr(module, again, nothing)


def main(variant: str, people: int, operations: int, seed: int) -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mdmhub.settings")
    django.setup()
    from apps.common.errors import HubError

    if variant == "plain":
        _without_locks()
    records, rng, done = _records(variant, people), random.Random(seed), Counter[str]()
    families = [records[at : at + 4 * FAMILY] for at in range(0, len(records), 4 * FAMILY)]
    _customers(records)
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(operations):
        (kind,) = rng.choices(("take", "merge", "unmerge", "separate", "join"), weights=(5, 2, 2, 1, 1))
        try:
            _operation(kind, rng.choice(families), rng)
            done[kind] += 1
        except HubError:
            done["refused"] += 1
        except Exception as error:  # what a user would see as a fault is what is counted here
            done[f"failed: {type(error.__cause__ or error).__name__}"] += 1
    print(json.dumps(done), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
