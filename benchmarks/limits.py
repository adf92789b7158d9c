#!/usr/bin/env python
"""benchmarks/limits.py FILE: where the time of `manage.py resolve FILE` goes, beside what the machine could do at best.

For each phase the work that cannot be avoided is counted (distinct values read, keys sorted, pairs of texts compared, pairs weighed) and
divided by the speed at which this machine does just that, on all cores: one pass of Arrow over the values, one sort of the keys, one
call of rapidfuzz a pair, one gather a pair and comparison. The rest is everything that makes it matching."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rapidfuzz import process
from rapidfuzz.distance import JaroWinkler

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from apps.connectors.files_columns import read_columns
from apps.matching import pairs
from apps.matching.comparison_levels import COMPARISONS
from apps.matching.parameters import Model
from apps.matching.resolving import Options, resolve
from apps.matching.standardise_columns import COLUMNS

CORES: Final = len(os.sched_getaffinity(0))
MANY: Final = 1_000_000


def rate(units: int, work: Callable[[], object]) -> float:
    """Units a second of one core: the best of three."""
    best = min(_seconds(work) for _ in range(3))
    return units / best


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def rates() -> dict[str, float]:
    """What one core of this machine does in a second."""
    random = np.random.default_rng(1)
    numbers = random.integers(0, 2**62, MANY)
    names = [f"{one:x} {other:x}" for one, other in random.integers(0, 2**24, (MANY, 2)).tolist()]
    texts, table, places = pa.array(names), random.random(MANY), random.integers(0, MANY, MANY)
    return {
        "values folded": rate(MANY, lambda: pc.replace_substring_regex(pc.ascii_lower(texts), "[^a-z0-9]+", " ")),
        "keys sorted": rate(MANY, lambda: np.sort(numbers)),
        "pairs of texts compared": rate(
            MANY, lambda: process.cpdist(names, names[::-1], scorer=JaroWinkler.similarity, workers=1)
        ),
        "levels weighed": rate(MANY, lambda: table[places]),
    }


def measured(path: Path) -> dict[str, Any]:
    """Phases in seconds, and how much of each work the run did."""
    table = read_columns(path).table
    compared, keyed = [0], [0]
    compare, distinct = process.cpdist, pairs._distinct

    def comparing(one: Any, other: Any, **options: Any) -> Any:
        compared[0] += len(one)
        return compare(one, other, **options)

    def keying(codes: Any) -> Any:
        keyed[0] += len(codes)
        return distinct(codes)

    values = sum(len(table.column(name).unique()) for name in COLUMNS if name in table.column_names)
    found = resolve(table, Model.load_default(), Options())
    # Counted from outside, so that nothing is counted where it costs time; on one core, for what a copy of this process counts is lost.
    with mock.patch.object(process, "cpdist", comparing), mock.patch.object(pairs, "_distinct", keying):
        one = resolve(table, Model.load_default(), Options(cores=1))
    work = {
        "standardise": ("values folded", values),
        "block": ("keys sorted", keyed[0]),
        "compare": ("pairs of texts compared", compared[0]),
        "train": ("levels weighed", found.compared * len(COMPARISONS)),
        "score": ("levels weighed", found.compared * len(COMPARISONS)),
        "cluster": ("keys sorted", len(found.low)),
    }
    return {"records": table.num_rows, "seconds": found.seconds, "one_core": one.seconds, "work": work}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    speed, run = rates(), measured(options.file)
    rows = [
        {
            "phase": phase, "seconds": round(run["seconds"][phase], 2), "one_core": round(run["one_core"][phase], 2), "work": unit,
            "units": units, "at_best": round(units / speed[unit] / CORES, 2),
        }
        for phase, (unit, units) in run["work"].items() if phase in run["seconds"]
    ]  # fmt: skip
    if options.json:
        print(json.dumps({"records": run["records"], "cores": CORES, "rates": speed, "phases": rows}))
        return
    print(
        f"{run['records']} records, {CORES} cores; one core: "
        + ", ".join(f"{v / 1e6:.1f}M {k}/s" for k, v in speed.items())
    )
    print("\n| phase | seconds | on one core | work that cannot be avoided | at best, seconds |\n|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['phase']} | {row['seconds']} | {row['one_core']} | {row['units'] / 1e6:.1f}M {row['work']} | {row['at_best']} |"
        )


if __name__ == "__main__":
    main()
