#!/usr/bin/env python
"""benchmarks/ceiling.py --sets NAME=FOLDER …: how much of what labels could teach is reached without any, and with 200.

A set is a folder with records.csv or records.parquet and truth.csv (record_id, entity_id). The ceiling: gradient boosting that is taught
by the truth of all compared pairs but those of the customers it judges (five folds), on the same comparisons, clustered as the hub
clusters, at the threshold which the truth likes best. Beside it: the clusters of `resolve` without labels, and with labels for 200
pairs drawn by chance from those that are kept (the mean of five draws). F1 of pairs in one cluster."""

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from apps.matching.comparisons import compare, flags_of
from apps.matching.frequencies import generic_values
from apps.matching.labels import Labels
from apps.matching.pairs import pairs_of
from apps.matching.parameters import Model
from apps.matching.partition import partition_file
from apps.matching.rarity import rarity_bits
from apps.matching.resolving import Options, Resolved
from apps.matching.scoring import weigh_rows
from apps.matching.training import train
from benchmarks.known import Known
from benchmarks.peers_run import Set, environment, run

FOLDS: Final = 5
LABELS: Final = 200
DRAWS: Final = 5
Longs = npt.NDArray[np.int64]


def ceiling(known: Known, python: Path, timeout: float) -> float:
    """The best F1 of clusters by a model that was taught."""
    records = known.records()
    records = records.without(generic_values(records))
    found = pairs_of(records, Model.load_default())
    low, high = found.low, found.high
    levels = compare(records, low, high)
    model = train(records, low, high, levels, Model.load_default()).model
    organization = records.organizations()
    part = (organization[low] | organization[high]).astype(np.int64)
    rarity = rarity_bits(records, (low, high), levels, part, model)
    weight = weigh_rows(records, low, high, levels, model).weight
    features = np.column_stack([levels, part, weight, *(rarity[name] for name in sorted(rarity))])
    same = known.entity[low] == known.entity[high]
    fold = np.random.default_rng(1).integers(0, FOLDS, known.entity.max() + 1)[known.entity[low]]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pairs.npz"
        np.savez(file, features=features, same=same, fold=fold)
        run([str(python), str(Path(__file__).parent / "peers" / "ceiling_fit.py"), str(file)], timeout)
        probability = np.clip(np.load(f"{file}.out.npy"), 1e-9, 1 - 1e-9)
    bits = np.log2(probability / (1 - probability))
    best = 0.0
    for from_ in np.arange(-1.0, 6.0, 0.5).tolist():
        thresholds = model.thresholds.automatic_from(1 / (1 + 2.0**-from_))
        kept = np.flatnonzero(bits >= thresholds.keep)
        flags = flags_of(levels[kept], lifted=True)
        label, _ = partition_file(
            len(known.entity), low[kept], high[kept], weight=bits[kept], flags=flags, thresholds=thresholds
        )
        best = max(best, known.judged(label)["pair_f1"])
    return best


def labelled(known: Known, plain: Resolved) -> float:
    """The mean F1 with labels for some pairs."""
    found = []
    same = known.entity[plain.low] == known.entity[plain.high]
    for seed in range(DRAWS):
        rng = np.random.default_rng(seed)
        chosen = rng.choice(len(plain.low), min(LABELS, len(plain.low)), replace=False)
        labels = Labels(plain.low[chosen], plain.high[chosen], same[chosen], rng.random(len(chosen)) < 0.3)
        found.append(
            known.judged(
                known.resolved(Model.load_default(), replace(Options(cores=1), labels=labels, obeyed=False)).label
            )["pair_f1"]
        )
    return float(np.mean(found))


def row(one: Set, python: Path, timeout: float) -> dict[str, Any]:
    known = Known(one)
    print(f"{one.name} …", file=sys.stderr, flush=True)
    plain = known.resolved(Model.load_default(), Options(cores=1))
    return {
        "set": one.name, "ceiling": round(ceiling(known, python, timeout), 4), "no_labels": known.judged(plain.label)["pair_f1"],
        "labels_200": round(labelled(known, plain), 4),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", metavar="NAME=FOLDER", required=True)
    parser.add_argument("--environments", type=Path, default=Path("~/.cache/mdmhub-peers"))
    parser.add_argument("--timeout", type=float, default=1_800)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    python = environment(options.environments, "records")
    named = [one.partition("=") for one in options.sets]
    sets = [found for name, _, folder in named if (found := Set.found(name, Path(folder))) and found.records]
    rows = [row(one, python, options.timeout) for one in sets]
    if options.json:
        print(json.dumps(rows))
        return
    print("| set | taught by the truth | without labels | with 200 labels |\n|---|---|---|---|")
    for one in rows:
        shares = (f"{one[name]:.4f} ({one[name] / one['ceiling']:.1%})" for name in ("no_labels", "labels_200"))
        print(f"| {one['set']} | {one['ceiling']:.4f} | " + " | ".join(shares) + " |")


if __name__ == "__main__":
    main()
