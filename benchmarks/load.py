#!/usr/bin/env python
"""benchmarks/load.py N: generates N records and takes them in, staged and end to end.

Staged: receive + index, match, rebuild, each timed in one process, with queries per batch in the first and the last tenth (flat
queries mean that a batch costs the same however large the hub is). End to end: the same files through the run machinery, as
`manage.py ingest` does it, in a second fresh hub."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.hub import peak_mb, scratch_hub


class Stopwatch:
    """Seconds and queries spent inside named sections."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.queries = 0

    def count(self, execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        self.queries += 1
        return execute(sql, params, many, context)

    @contextmanager
    def section(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun


def records_of(n: int, seed: int) -> Iterator[Any]:
    from mdmhub.demo.generator import generate

    return islice(generate(int(n / 1.5) + 100, seed=seed, stories=False), n)


def staged(n: int, seed: int) -> dict[str, Any]:
    """One process, one stage after the other for each batch of 250."""
    from django.db import connection

    from apps.common.act import Act
    from apps.common.jsontext import json_text
    from apps.connectors import inbound
    from apps.connectors.inbound import Door, Item
    from apps.customers import identity
    from apps.customers.models import System

    systems = {s.code: s for s in System.objects.all()}
    watch, act = Stopwatch(), Act("benchmark", "load")
    rebuild = identity.rebuild

    def timed_rebuild(*args: Any, **kwargs: Any) -> Any:
        with watch.section("rebuild"):
            return rebuild(*args, **kwargs)

    identity.rebuild = timed_rebuild
    waiting: dict[str, list[Item]] = {code: [] for code in systems}
    per_batch: list[int] = []

    def flush(code: str) -> None:
        batch, waiting[code] = waiting[code], []
        before = watch.queries
        with watch.section("receive"):
            intake = inbound.keep(door=Door(systems[code]), items=batch, act=act)
        with watch.section("match"):
            inbound.finish(intake, act=act)
        per_batch.append(watch.queries - before)

    with connection.execute_wrapper(watch.count):
        for record in records_of(n, seed):
            waiting[record.system].append(Item(record.item, json_text(record.item)))
            if len(waiting[record.system]) == inbound.BATCH:
                flush(record.system)
        for code in list(waiting):
            if waiting[code]:
                flush(code)
    identity.rebuild = rebuild
    tenth = max(len(per_batch) // 10, 1)
    match_only = watch.seconds["match"] - watch.seconds["rebuild"]
    return {
        "receive_per_s": round(n / watch.seconds["receive"]),
        "match_per_s": round(n / match_only),
        "rebuild_per_s": round(n / watch.seconds["rebuild"]),
        "staged_per_s": round(n / (watch.seconds["receive"] + watch.seconds["match"])),
        "queries_per_batch_first": round(sum(per_batch[:tenth]) / tenth, 1),
        "queries_per_batch_last": round(sum(per_batch[-tenth:]) / tenth, 1),
        "peak_mb": round(peak_mb()),
        **facts(),
    }


def facts() -> dict[str, Any]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM source_record), (SELECT count(*) FROM customer WHERE active), (SELECT count(*) FROM edge),"
            " (SELECT count(*) FROM doubt WHERE state = 'open'), (SELECT count(*) FROM quarantine), pg_database_size(current_database())"
        )
        names = ("records", "customers", "edges", "doubts", "quarantined", "database_bytes")
        return dict(zip(names, cursor.fetchone(), strict=True))


def end_to_end(n: int, seed: int, workers: int) -> dict[str, Any]:
    """`manage.py ingest` of one file per system, at most `workers` at a time: whole processes, start-up included."""
    from django.core.management import call_command
    from django.db import connection

    from apps.common.jsontext import json_text

    folder = Path(tempfile.mkdtemp(prefix="hub-load-"))
    files = {}
    for record in records_of(n, seed):
        if record.system not in files:
            files[record.system] = (folder / f"{record.system}.ndjson").open("w")
        files[record.system].write(json_text(record.item) + "\n")
    for file in files.values():
        file.close()
    connection.close()
    root = Path(__file__).resolve().parent.parent
    begun, running, peak = time.perf_counter(), [], 0.0
    for code in sorted(files, key=lambda c: -(folder / f"{c}.ndjson").stat().st_size):
        while len([p for p in running if p.poll() is None]) >= workers:
            time.sleep(0.02)
        command = [sys.executable, "manage.py", "ingest", str(folder / f"{code}.ndjson"), "--system", code, "--json"]
        running.append(subprocess.Popen(command, cwd=root, env=os.environ, stdout=subprocess.PIPE, text=True))
    results = [json.loads(p.communicate()[0]) for p in running]
    call_command("drain", verbosity=0)
    seconds = time.perf_counter() - begun
    import resource

    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    shutil.rmtree(folder)
    return {
        "end_to_end_per_s": round(n / seconds), "seconds": round(seconds, 1), "peak_mb": round(peak),
        "in": sum(r["read"] for r in results), "linked": sum(r["linked"] for r in results), **facts(),
    }  # fmt: skip


def broken() -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM broken_invariants")
        count: int = cursor.fetchone()[0]
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=int, nargs="?", default=100_000)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--workers", type=int, default=2, help="ingest processes at a time (default: %(default)s)")
    parser.add_argument("--only", choices=("staged", "end-to-end"))
    parser.add_argument("--keep", type=Path, help="run in this HUB_HOME and keep it (for other benchmarks)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result: dict[str, Any] = {"n": options.records}
    if options.only is None:  # a process works with one hub for as long as it lives
        for part in ("staged", "end-to-end"):
            command = [sys.executable, __file__, *sys.argv[1:], "--only", part, "--json"]
            result |= json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    if options.only == "staged":
        with scratch_hub(options.keep):
            result["staged"] = staged(options.records, options.seed) | {"broken_invariants": broken()}
    if options.only == "end-to-end":
        with scratch_hub(options.keep):
            result["end_to_end"] = end_to_end(options.records, options.seed, options.workers) | {
                "broken_invariants": broken()
            }
    if options.json:
        print(json.dumps(result))
        return
    for part in ("staged", "end_to_end"):
        for name, value in result.get(part, {}).items():
            print(f"{part:>10}  {name:<26}{value:>14,}")


if __name__ == "__main__":
    main()
