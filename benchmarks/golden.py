#!/usr/bin/env python
"""benchmarks/golden.py [--only survive|rebuild|as-of|seal|side-by-side] [--customers N] [--rounds N] [--policy FILE.toml] [--json]: how many customers a second
get their golden values.

survive: the demo's records, as canonical members, through `survive`, for customers of one, two and five records; those of five are put
together of the demo's people. Once with the policy (the shipped one, or a file's) and once with every example in its comments counting
too (lines that begin with "#: "): decay, conditions, clocks. Rates are of processor time, best and median of the rounds, on one core.

rebuild: N customers of the demo in a hub of their own, all derived again by a run, when none, one in a hundred and all of them come to
another value; and the dry run of the last. Rates are of the wall's clock.

as-of: N customers of the demo, each changed several times; how long the past takes to read at random moments, and what it weighs
(benchmarks/golden_history.py).

seal: the history of N customers of the demo sealed and verified in a hub of their own; then N more while the sealer works beside.

side-by-side: intake, merges, unmerges and verdicts by eight processes at once on N people, with the hub's locks and without them: operations
a second of the wall's clock, and how many promises are broken (benchmarks/golden_side_by_side.py)."""

import argparse
import gc
import json
import statistics
import sys
import time
import tomllib
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from apps.customers import canonical
from apps.customers.survivorship import Member, survive
from apps.customers.survivorship_policy import SurvivorshipPolicy, parse_survivorship
from benchmarks import golden_history
from benchmarks.golden_seal import seal
from benchmarks.golden_side_by_side import side_by_side
from benchmarks.hub import scratch_hub
from mdmhub.demo.generator import generate

SHIPPED = Path(__file__).resolve().parent.parent / "policy" / "survivorship.toml"
TRUST = {"crm": 70, "erp": 80, "billing": 75, "support": 50}
START = datetime(2025, 1, 1, tzinfo=UTC)
AT = datetime(2026, 1, 1, tzinfo=UTC)
SIZES = (1, 2, 5)


def customers(most: int) -> dict[int, list[list[Member]]]:
    """Members by customer, for each size, `most` customers of a size or fewer."""
    found: dict[int, list[Member]] = defaultdict(list)
    for at, record in enumerate(generate(most * 4)):
        parsed = canonical.parse(record.item)
        if not parsed.problems:
            found[record.entity_id].append(
                Member(
                    f"r{at}", record.system, record.system, str(parsed.external_id), TRUST[record.system],
                    parsed.source_updated_at or START + timedelta(seconds=at), parsed.canonical, received_at=START + timedelta(seconds=at),
                )
            )  # fmt: skip
    sized = {size: [group for group in found.values() if len(group) == size][:most] for size in SIZES if size < 5}
    people = [m for group in found.values() for m in group if m.canonical["kind"] == "person"]
    sized[5] = [people[at : at + 5] for at in range(0, len(people) - 4, 5)][:most]
    return sized


def rates(rules: SurvivorshipPolicy, groups: Sequence[Sequence[Member]], rounds: int) -> dict[str, int]:
    """Customers a second."""
    spent = []
    for _ in range(rounds):
        start = time.process_time()
        for members in groups:
            survive(members, rules, AT)
        spent.append(time.process_time() - start)
    return {
        "customers": len(groups),
        "best_per_second": round(len(groups) / min(spent)),
        "median_per_second": round(len(groups) / statistics.median(spent)),
    }


def run(most: int, rounds: int, policy: str) -> dict[str, dict[str, Any]]:
    """Of each policy, of each size of a customer: its rates."""
    written = {
        "as it is": policy,
        "with all examples": "\n".join(line.removeprefix("#: ") for line in policy.splitlines()),
    }
    sized = customers(most)
    gc.disable()  # its pauses fall on whoever runs at the moment
    report: dict[str, dict[str, Any]] = {}
    for name, text in written.items():
        rules = parse_survivorship(tomllib.loads(text))
        for size, groups in sized.items():
            report.setdefault(name, {})[f"{size} records" if size > 1 else "1 record"] = rates(rules, groups, rounds)
            gc.collect()
    return report


def rebuild(wanted: int) -> dict[str, dict[str, Any]]:
    """Of a run, by how many customers differ: its rate and what it wrote."""
    with scratch_hub():
        from django.db import connection

        from apps.customers import rebuild_all
        from benchmarks.load import broken

        _take_in(wanted)
        report: dict[str, dict[str, Any]] = {}
        for name, one_in in (("none differs", 0), ("one in a hundred", 100), ("dry run, all", 1), ("all differ", 0)):
            if one_in:
                with connection.cursor() as cursor:  # as another policy would have it, of every customer alike
                    cursor.execute(_OTHER_TERMS, (name, one_in))
            dry = name.startswith("dry")
            start = time.perf_counter()
            told = rebuild_all.preview() if dry else _run()
            seconds = time.perf_counter() - start
            looked_at, written = (told.customers, told.changes) if dry else (told.done, told.written)
            report[name] = {
                "customers": looked_at, "written": written, "seconds": round(seconds, 2), "per_second": round(looked_at / seconds)
            }  # fmt: skip
        report["broken_invariants"] = {"found": broken()}
    return report


_OTHER_TERMS = """
UPDATE source_record SET canonical = canonical || jsonb_build_object('extra', jsonb_build_object('told', %s::text))
FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM customer WHERE active) c
WHERE customer_id = c.id AND n %% %s = 0
"""


def _run() -> Any:
    from apps.common.act import Act
    from apps.customers import rebuild_all

    run = rebuild_all.begin(reason="manual", act=Act("benchmark", "derived again"))
    rebuild_all.drain(seconds=3600)
    run.refresh_from_db()
    return run


def _take_in(wanted: int) -> None:
    """Records of the demo until there are so many customers."""
    from apps.common.act import Act
    from apps.common.jsontext import json_text
    from apps.connectors import inbound
    from apps.customers.models import Customer, System
    from apps.matching.sweep import drain

    systems = {s.code: s for s in System.objects.all()}
    waiting: dict[str, list[Any]] = {code: [] for code in systems}
    for record in generate(wanted * 2, seed=11, stories=False):
        batch = waiting[record.system]
        batch.append(inbound.Item(record.item, json_text(record.item)))
        if len(batch) == inbound.BATCH:
            inbound.take_in(door=inbound.Door(systems[record.system]), items=batch, act=Act("benchmark", "load"))
            batch.clear()
            if Customer.objects.filter(active=True).count() >= wanted:
                break
    drain(most=10_000_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("survive", "rebuild", "as-of", "seal", "side-by-side"), default="survive")
    parser.add_argument("--customers", type=int, help="default: 1,000 of each size; others: 20,000; side by side: 24")
    parser.add_argument("--operations", type=int, default=2_000, help="side by side: of all processes together")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--policy", type=Path, default=SHIPPED)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report: dict[str, dict[str, Any]]
    if options.only == "rebuild":
        report = rebuild(options.customers or 20_000)
    elif options.only == "as-of":
        report = golden_history.as_of(options.customers or 20_000, 1_000, _take_in)
    elif options.only == "seal":
        report = seal(options.customers or 20_000, _take_in)
    elif options.only == "side-by-side":
        report = side_by_side(options.customers or 24, options.operations)
    else:
        report = run(options.customers or 1_000, options.rounds, options.policy.read_text(encoding="utf-8"))
    if options.json:
        print(json.dumps(report, indent=2))
        return
    for name, sizes in report.items():
        for size, told in ({"": sizes} if options.only != "survive" else sizes).items():
            print(name.ljust(18), size.ljust(10), " ".join(f"{key} {value}" for key, value in told.items()))


if __name__ == "__main__":
    main()
