"""dedupe, taught by the truth: it asks for the pairs it is unsure of and gets --labels answers, then matches alone.

For sets of companies by name, address and town (its own example is the one of restaurants); "fixed" is its default
threshold .5, "best" the one that the truth likes best."""

import csv
import random
import warnings
from pathlib import Path
from typing import Any

import dedupe
import dedupe.variables
import numpy as np
import pyarrow.parquet
from adapter import Errand, best_of

FIELDS = ("organization_name", "address_line1", "city", "cuisine")
MARKS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def read(path: Path) -> dict[str, dict[str, Any]]:
    """Fields by record id, tidied as in its example: small letters, single spaces, None for what is not known."""
    if path.suffix == ".parquet":
        lines = pyarrow.parquet.read_table(path).to_pylist()
    else:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = list(csv.DictReader(file))
    names = [name for name in FIELDS if any(line.get(name) for line in lines)]
    return {
        one["record_id"]: {name: " ".join((one[name] or "").lower().split()) or None for name in names} for one in lines
    }


def teach(matcher: Any, data: dict[str, dict[str, Any]], truth: dict[str, str], labels: int) -> int:
    """Answers `labels` questions; returns how many pairs were the same."""
    entities: dict[tuple[Any, ...], set[str]] = {}
    for record_id, record in data.items():
        entities.setdefault(tuple(record.values()), set()).add(truth[record_id])
    same = 0
    for _ in range(labels):
        pair = matcher.uncertain_pairs()[0]
        match = bool(entities[tuple(pair[0].values())] & entities[tuple(pair[1].values())])
        same += match
        matcher.mark_pairs({"match": [pair] if match else [], "distinct": [] if match else [pair]})
    return same


def main() -> None:
    warnings.filterwarnings("ignore")
    errand = Errand("dedupe", __doc__, labels={"type": int, "default": 60})
    random.seed(7)
    np.random.seed(7)
    truth = errand.truth()
    with errand.phase("read"):
        data = read(errand.options.file)
        errand.records = len(data)
    with errand.phase("train"):
        names = list(next(iter(data.values())))
        missing = {name: any(record[name] is None for record in data.values()) for name in names}
        matcher = dedupe.Dedupe(
            [dedupe.variables.String(name, has_missing=missing[name]) for name in names], num_cores=2
        )
        matcher.prepare_training(data)
        same = teach(matcher, data, truth, errand.options.labels)
        matcher.train()
    with errand.phase("predict"):
        pairs = list(matcher.pairs(data))
        scores = matcher.score(iter(pairs))
    with errand.phase("cluster"):
        fixed = clusters(matcher, data, scores, 0.5)
    errand.write("fixed", fixed.items(), 0.5)
    with errand.phase("tune"):
        choices = [(mark, clusters(matcher, data, scores, mark)) for mark in MARKS]
        mark, best = choices[best_of(choices, truth)]
    errand.write("best", best.items(), mark)
    errand.done(len(pairs), labels=errand.options.labels, labels_same=same)


def clusters(matcher: Any, data: dict[str, Any], scores: Any, threshold: float) -> dict[str, str]:
    label = {record_id: f"alone-{record_id}" for record_id in data}
    for at, (record_ids, _) in enumerate(matcher.cluster(scores, threshold)):
        label.update(dict.fromkeys(record_ids, str(at)))
    return label


if __name__ == "__main__":
    main()
