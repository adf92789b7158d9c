#!/usr/bin/env python
"""benchmarks/matching.py FILE … [--truth FILE] [--output FILE]: CSV files to clusters, no database.

The shipped model, no labels. Prints seconds per phase, and with a truth file (record_id, entity_id) pairwise and
B-cubed precision, recall and F1 of the clusters with intervals, the share of true pairs that met under a key, precision
and recall by weight, and how right the pairs of each probability are."""

import argparse
import csv
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from apps.customers.canonical import FLAT_FIELDS, parse
from apps.matching import engine, evaluation
from apps.matching.evaluation_document import of_clusters
from apps.matching.pairs import candidate_pairs
from apps.matching.partition import partition_file


def read(paths: Sequence[Path]) -> tuple[list[str], list[dict[str, Any]]]:
    """Record ids and canonical records; columns with other names than the canonical flat ones are left out."""
    ids, records = [], []
    for path in paths:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for line in csv.DictReader(file):
                item = {name: value for name, value in line.items() if name in FLAT_FIELDS and value}
                ids.append(line["record_id"])
                records.append(parse(item).canonical)
    return ids, records


def run(paths: Sequence[Path], truth: Path | None, output: Path | None) -> dict[str, Any]:
    model = engine.Model.load_default()
    clock = [time.perf_counter()]
    ids, records = read(paths)
    clock.append(time.perf_counter())
    features = engine.standardise(records)
    clock.append(time.perf_counter())
    low, high = candidate_pairs(engine.blocking_keys(features, model), model)
    clock.append(time.perf_counter())
    scores = engine.score(features, features, low, high, model)
    clock.append(time.perf_counter())
    kept = engine.keep(scores, model)
    label, doubts = partition_file(
        len(ids),
        low[kept],
        high[kept],
        weight=scores.weight[kept],
        flags=scores.flags[kept],
        thresholds=model.thresholds,
    )
    clock.append(time.perf_counter())
    phases = ("read", "standardise", "block", "score", "decide")
    report: dict[str, Any] = {
        "records": len(ids),
        "pairs": len(low),
        "edges": int(kept.sum()),
        "clusters": len(np.unique(label)),
        "largest": int(np.bincount(label).max()) if len(label) else 0,
        "doubts": dict(Counter(doubt.reason for doubt in doubts)),
        "seconds": {phase: round(clock[place + 1] - clock[place], 3) for place, phase in enumerate(phases)},
        "model": model.hash,
    }
    if output:
        with output.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("record_id", "cluster_id"), *zip(ids, label.tolist(), strict=True)])
    if truth:
        report |= against(truth, ids, label, (low, high), scores)
    return report


def against(truth: Path, ids: list[str], label: Any, pairs: tuple[Any, Any], scores: engine.Scores) -> dict[str, Any]:
    """What the truth says of clusters, keys and weights."""
    with truth.open(newline="", encoding="utf-8-sig") as file:
        entity_of = {line["record_id"]: line["entity_id"] for line in csv.DictReader(file)}
    entity = evaluation.codes([entity_of[id_] for id_ in ids])
    same = entity[pairs[0]] == entity[pairs[1]]
    true = len(evaluation.pairs_within(entity)[0])
    return {
        **of_clusters(entity, label),
        "pairs_that_met": float(same.sum()) / max(1, true),
        "curve": evaluation.curve(same, scores.weight, scores.flags, true),
        "calibration": evaluation.calibration(same, scores.probability, scores.flags),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    print(json.dumps(run(options.files, options.truth, options.output), indent=2))


if __name__ == "__main__":
    main()
