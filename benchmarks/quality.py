"""Clusters against the truth, by the project's own arithmetic: a record that the clusters lack is a cluster of its own."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from apps.matching.evaluation import clusters_against, codes


def read(path: Path, column: str) -> dict[str, str]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return {line["record_id"]: line[column] for line in csv.DictReader(file)}


def judge(truth: dict[str, str], clusters: dict[str, str]) -> dict[str, Any]:
    """Pair precision, recall and F1 with its 95 % interval, B-cubed F1, the number of clusters and the largest."""
    ids = list(truth)
    cluster = codes([f"in {clusters[one]}" if one in clusters else f"alone {one}" for one in ids])
    found = clusters_against(codes([truth[one] for one in ids]), cluster)
    pairs, sizes = found["pairs"], np.bincount(cluster)
    return {
        "pair_precision": round(pairs.precision.value, 4),
        "pair_recall": round(pairs.recall.value, 4),
        "pair_f1": round(pairs.f1.value, 4),
        "pair_f1_low": round(pairs.f1.low, 4),
        "pair_f1_high": round(pairs.f1.high, 4),
        "b_cubed_f1": round(found["b_cubed"].f1.value, 4),
        "clusters": len(sizes),
        "largest": int(sizes.max()),
    }
