"""A process of its own that does pipeline work on the test database: `python -m tests.flows.worker`.

Reads one task as JSON per line, does it, answers with one line of JSON: {"done": …, "errors": […]}."""

import json
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from typing import Any

import django
from django.db import connections

django.setup()

from apps.common.errors import Conflict, NotFound, Rejected, Retryable  # noqa: E402  (Django has to be set up first)
from apps.events.relay import relay_all  # noqa: E402
from apps.matching import judge  # noqa: E402
from apps.matching.sweep import drain  # noqa: E402
from tests import pipeline  # noqa: E402
from tests.flows import own  # noqa: E402

Record = tuple[str, dict[str, Any]]


def ingest(records: list[Record], seed: int, sizes: list[int]) -> Counter[str]:
    """The records in this process's own order, through to golden records."""
    rng = random.Random(seed)
    rng.shuffle(records)
    done: Counter[str] = Counter()
    at = 0
    while at < len(records):
        size = rng.choice(sizes)
        for system, items in pipeline.by_system(records[at : at + size]).items():
            done.update(o.outcome for o in pipeline.take(system, *items))
        at += size
    return done


def mixed(records: list[Record], seed: int, operations: int) -> Counter[str]:
    """Intake, changes, merges, unmerges and verdicts at random, among these records and their customers.

    What the hub says in words (Conflict and the like) is no error."""
    rng = random.Random(seed)
    done: Counter[str] = Counter()
    for _ in range(operations):
        name, work = rng.choices(tuple(OPERATIONS.items()), weights=(5, 2, 2, 1, 1))[0]
        try:
            work(rng, records)
            done[name] += 1
        except (Conflict, NotFound, Rejected, Retryable) as error:
            done[type(error).__name__] += 1
    return done


def _take(rng: random.Random, records: list[Record]) -> None:
    for system, items in pipeline.by_system(rng.choices(records, k=rng.choice((1, 1, 3)))).items():
        pipeline.take(system, *({**i, "payment_terms": rng.choice(("NET30", "NET60"))} for i in items))


def _merge(rng: random.Random, records: list[Record]) -> None:
    customers = sorted(own.by_customer(records))
    judge.merge(customers=rng.sample(customers, min(2, len(customers))), act=pipeline.alice())


def _unmerge(rng: random.Random, records: list[Record]) -> None:
    shared = [group for group in own.by_customer(records).values() if len(group) > 1]
    if shared:
        group = rng.choice(shared)
        leaving = rng.sample([m.record for m in group], rng.randrange(1, len(group)))
        judge.unmerge(customer=group[0].customer, records=leaving, act=pipeline.alice())


def _verdict(verb: Callable[..., Any]) -> Callable[[random.Random, list[Record]], None]:
    def work(rng: random.Random, records: list[Record]) -> None:
        one, other = rng.sample(own.members(records), 2)
        verb(record_a=one.record, record_b=other.record, act=pipeline.bob())

    return work


OPERATIONS: dict[str, Callable[[random.Random, list[Record]], None]] = {
    "take": _take, "merge": _merge, "unmerge": _unmerge, "separate": _verdict(judge.separate), "join": _verdict(judge.join),
}  # fmt: skip


def relay(seconds: float) -> Counter[str]:
    """Gives positions without pause, for a while."""
    done: Counter[str] = Counter()
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        done["positions"] += relay_all()
    return done


def sweep() -> Counter[str]:
    return Counter(seen=drain())


TASKS: dict[str, Callable[..., Counter[str]]] = {"ingest": ingest, "mixed": mixed, "relay": relay, "sweep": sweep}


def main() -> None:
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        task = json.loads(line)
        answer: dict[str, Any] = {"done": {}, "errors": []}
        began = time.monotonic()
        try:
            answer["done"] = TASKS[task.pop("task")](**task)
        except Exception:  # the test that asked has to see what happened here
            answer["errors"] = [traceback.format_exc()]
        connections.close_all()  # the next test may put another database in the place of this one
        answer["seconds"] = round(time.monotonic() - began, 2)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
