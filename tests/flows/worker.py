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
from uuid import UUID

import django
from django.db import connections

django.setup()

from apps.common.errors import Conflict, NotFound, Rejected, Retryable  # noqa: E402  (Django has to be set up first)
from apps.customers.models import ChangeRequest  # noqa: E402
from apps.customers.pins import pin  # noqa: E402
from apps.customers.refresh import decide_request  # noqa: E402
from apps.events.relay import relay_all  # noqa: E402
from apps.matching import branches, judge, merge_requests, queries_joins  # noqa: E402
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


def mixed(records: list[Record], seed: int, operations: int, across: float) -> Counter[str]:
    """Intake, changes, merges, unmerges, verdicts, pins and requests for merges at random, among these records and their customers: a
    share of them (`across`) among all, the others within one family (`family_of`), so that what hangs together is not always everything.

    What the hub says in words (Conflict and the like) is no error. A database's own word, such as a deadlock, is one: a user would
    see it."""
    rng = random.Random(seed)
    done: Counter[str] = Counter()
    for _ in range(operations):
        name, work = rng.choices(tuple(OPERATIONS.items()), weights=(5, 2, 2, 1, 1, 1, 1, 1, 1))[0]
        family = rng.randrange(FAMILIES)
        among = records if rng.random() < across else [r for r in records if family_of(r) == family]
        try:
            work(rng, among)
            done[name] += 1
        except (Conflict, NotFound, Rejected, Retryable) as error:
            done[type(error).__name__] += 1
    return done


FAMILIES = 4


def family_of(record: Record) -> int:
    """The companies, or a share of the people, who are numbered: all records of one are of one family."""
    if record[1]["kind"] == "organization":
        return 0
    return 1 + int(str(record[1]["record_id"]).rpartition("-")[2]) % (FAMILIES - 1)


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


def _branch(rng: random.Random, records: list[Record]) -> None:
    """Takes out what one join of a customer's tree had brought in."""
    shared = sorted(c for c, group in own.by_customer(records).items() if len(group) > 1)
    if shared:
        customer = rng.choice(shared)
        joins = queries_joins.joins_of([customer])[customer].joins
        if joins:
            join = rng.choice(joins)
            out, of = rng.sample((join.a.id, join.b.id), 2)
            leaving = branches.branch(customer=customer, out=out, of=of)
            judge.unmerge(customer=customer, records=leaving, act=pipeline.alice(), for_ever=rng.random() < 0.5)


def _pin(rng: random.Random, records: list[Record]) -> None:
    pin(
        customer=rng.choice(sorted(own.by_customer(records))), attribute="payment_terms",
        value=rng.choice(("NET7", "NET14", None)), act=pipeline.alice(),
    )  # fmt: skip


def _ask(rng: random.Random, records: list[Record]) -> None:
    customers = sorted(own.by_customer(records))
    merge_requests.ask(
        customers=rng.sample(customers, min(2, len(customers))), act=pipeline.alice().because("one of them")
    )


def _decide(rng: random.Random, _: list[Record]) -> None:
    """Somebody else says yes or no to what waits: a merge that rules stand against, or a change of a protected attribute."""
    waiting = list(ChangeRequest.objects.filter(state="open").order_by("id").values_list("id", "kind"))
    if waiting:
        request, kind = rng.choice(waiting)
        decide = {"merge": _decide_merge, "hold": _decide_hold}[kind]
        decide(request, rng.random() < 0.5)


def _decide_merge(request: UUID, approve: bool) -> None:
    merge_requests.decide(request=request, approve=approve, act=pipeline.bob())


def _decide_hold(request: UUID, approve: bool) -> None:
    decide_request(change_request=request, approve=approve, act=pipeline.bob())


OPERATIONS: dict[str, Callable[[random.Random, list[Record]], None]] = {
    "take": _take, "merge": _merge, "unmerge": _unmerge, "separate": _verdict(judge.separate), "join": _verdict(judge.join),
    "branch": _branch, "pin": _pin, "ask": _ask, "decide": _decide,
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
