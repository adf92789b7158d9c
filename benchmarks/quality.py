"""Clusters against the truth: pairs, B-cubed, and how far the figures would move with other customers.

Pairwise: pairs of records in one cluster against pairs of one entity. B-cubed: mean over records (Bagga and Baldwin 1998).
A record that the clusters lack is a cluster of its own. The interval is a percentile bootstrap over entities: each
resample draws as many entities as there are, with replacement; a found pair counts half for the entity of each record."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

RESAMPLES = 200
Ints = npt.NDArray[np.int64]


def read(path: Path, column: str) -> dict[str, str]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return {line["record_id"]: line[column] for line in csv.DictReader(file)}


def _codes(values: list[str]) -> Ints:
    places: dict[str, int] = {}
    return np.array([places.setdefault(value, len(places)) for value in values], dtype=np.int64)


def _f1(right: Any, found: Any, true: Any) -> Any:
    return 2 * right / np.maximum(found + true, 1e-12)


def judge(
    truth: dict[str, str], clusters: dict[str, str], *, resamples: int = RESAMPLES, seed: int = 1
) -> dict[str, Any]:
    """Pair precision, recall and F1 with its 95 % interval, B-cubed F1, the number of clusters and the largest."""
    ids = list(truth)
    entity = _codes([truth[one] for one in ids])
    cluster = _codes([f"in {clusters[one]}" if one in clusters else f"alone {one}" for one in ids])
    in_entity, in_cluster = np.bincount(entity), np.bincount(cluster)
    _, group, in_both = np.unique(entity * len(in_cluster) + cluster, return_inverse=True, return_counts=True)
    both = in_both[group]
    share_right = both / in_cluster[cluster], both / in_entity[entity]
    # Every pair is seen from both of its records, so half of each record's partners are summed up.
    right = np.bincount(entity, (both - 1) / 2)
    found = np.bincount(entity, (in_cluster[cluster] - 1) / 2)
    true = np.bincount(entity, (in_entity[entity] - 1) / 2)
    rng, drawn = np.random.default_rng(seed), []
    for _ in range(resamples):
        times = np.bincount(rng.integers(len(true), size=len(true)), minlength=len(true))
        drawn.append(_f1(times @ right, times @ found, times @ true))
    low, high = np.percentile(drawn, [2.5, 97.5])
    precision, recall = (float(share.mean()) for share in share_right)
    return {
        "pair_precision": round(float(right.sum() / max(found.sum(), 1e-12)), 4) if found.sum() else 1.0,
        "pair_recall": round(float(right.sum() / max(true.sum(), 1e-12)), 4) if true.sum() else 1.0,
        "pair_f1": round(float(_f1(right.sum(), found.sum(), true.sum())), 4),
        "pair_f1_low": round(float(low), 4),
        "pair_f1_high": round(float(high), 4),
        "b_cubed_f1": round(2 * precision * recall / (precision + recall), 4),
        "clusters": len(in_cluster),
        "largest": int(in_cluster.max()),
    }
