"""nomenklatura on pairs of names: `on_nomenklatura.py CASES.csv`, with columns schema, name1, name2, is_match.

Each algorithm scores every pair as two entities that have a name and nothing else. Prints for each the best F1 over all
thresholds, that threshold, F1 at .7 (the threshold of its documentation's matching service), and pairs a second: the median
of five rounds after one to warm up, entities made beforehand and new in each round, since the package keeps what it
has read of an entity."""

import argparse
import csv
import json
import statistics
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from followthemoney import model
from nomenklatura.matching import get_algorithm

ALGORITHMS = ("logic-v2", "logic-v1")
FIXED = 0.7
ROUNDS = 6


def entity(schema: str, number: str, name: str) -> Any:
    made = model.make_entity(schema)
    made.id = number
    made.add("name", name)
    return made


def f1_at(scores: list[float], same: list[bool], threshold: float) -> float:
    found = sum(score >= threshold for score in scores)
    right = sum(score >= threshold and match for score, match in zip(scores, same, strict=True))
    return 2 * right / (found + sum(same))


def entities(cases: list[dict[str, str]], number: int) -> list[tuple[Any, Any]]:
    """The pairs as entities with ids that no other round has."""
    return [
        (
            entity(case["schema"], f"{number}-{at}-l", case["name1"]),
            entity(case["schema"], f"{number}-{at}-r", case["name2"]),
        )
        for at, case in enumerate(cases)
    ]


def measure(name: str, cases: list[dict[str, str]], same: list[bool]) -> dict[str, Any]:
    algorithm = get_algorithm(name)
    config = algorithm.default_config()
    rates: list[float] = []
    scores: list[float] = []
    for number in range(ROUNDS):
        pairs = entities(cases, number)
        begun = time.perf_counter()
        scores = [algorithm.compare(left, right, config).score for left, right in pairs]
        rates.append(len(pairs) / (time.perf_counter() - begun))
    best = max(set(scores), key=lambda mark: (f1_at(scores, same, mark), mark))
    return {
        "f1_best": round(f1_at(scores, same, best), 4),
        "threshold": round(best, 4),
        "f1_fixed": round(f1_at(scores, same, FIXED), 4),
        "pairs_per_s": round(statistics.median(rates[1:])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path)
    with parser.parse_args().cases.open(newline="", encoding="utf-8-sig") as file:
        cases = list(csv.DictReader(file))
    same = [case["is_match"].lower() == "true" for case in cases]
    found = {name: measure(name, cases, same) for name in ALGORITHMS}
    print(
        json.dumps(
            {"peer": "nomenklatura", "version": version("nomenklatura"), "pairs": len(cases), "algorithms": found}
        )
    )


if __name__ == "__main__":
    main()
