"""What every adapter does: read its arguments, time its phases, write clusters, print one line of JSON.

An adapter is a script run inside the peers' environment: `SCRIPT FILE --output FOLDER [--truth FILE]`. It writes one CSV
file (record_id, cluster_id) per variant into FOLDER ("fixed" with the threshold that its documentation names, "best" with
the one that the truth likes best) and prints

    {"peer", "version", "seconds": {phase: s}, "records", "pairs", "peak_mb", "variants": {name: {"file", "threshold"}}}

The phase "tune" is the search for the best threshold: no user can do it, so it counts in no total."""

import argparse
import csv
import json
import resource
import time
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

THRESHOLDS = (0.5, 0.8, 0.9, 0.95, 0.99, 0.999, 0.9999)


class Errand:
    """One run of one peer on one file."""

    def __init__(self, peer: str, text: str | None, **options: Any) -> None:
        parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("file", type=Path, help="records.csv or records.parquet")
        parser.add_argument("--output", type=Path, required=True, help="folder for the clusters")
        parser.add_argument("--truth", type=Path, help="truth.csv (record_id, entity_id)")
        for name, keywords in options.items():
            parser.add_argument(f"--{name}", **keywords)
        self.options = parser.parse_args()
        self.options.output.mkdir(parents=True, exist_ok=True)
        self.peer = peer
        self.seconds: dict[str, float] = {}
        self.variants: dict[str, dict[str, Any]] = {}
        self.records = 0

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Adds the time spent inside to the phase `name`."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun

    def truth(self) -> dict[str, str]:
        """Entity by record; empty without a truth file."""
        if self.options.truth is None:
            return {}
        with self.options.truth.open(newline="", encoding="utf-8-sig") as file:
            return {line["record_id"]: line["entity_id"] for line in csv.DictReader(file)}

    def write(self, variant: str, clusters: Iterable[tuple[str, Hashable]], threshold: Any) -> None:
        """Keep the clusters of one variant. Records left out count as alone."""
        path = self.options.output / f"{variant}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("record_id", "cluster_id"), *clusters])
        self.variants[variant] = {"file": str(path), "threshold": threshold}

    def done(self, pairs: int, **more: Any) -> None:
        peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        report = {
            "peer": self.peer,
            "version": version(self.peer),
            "seconds": {name: round(seconds, 3) for name, seconds in self.seconds.items()},
            "records": self.records,
            "pairs": pairs,
            "peak_mb": round(max(peaks) / 1024),
            "variants": self.variants,
            **more,
        }
        print(json.dumps(report), flush=True)


def counted(clusters: Mapping[str, Hashable], truth: Mapping[str, str]) -> tuple[int, int]:
    """Right pairs and found pairs of clusters; a record that the truth does not know is passed over."""
    known = [(cluster, truth[record_id]) for record_id, cluster in clusters.items() if record_id in truth]
    both, found = Counter(known), Counter(cluster for cluster, _ in known)
    return _pairs(both), _pairs(found)


def _pairs(sizes: Counter[Any]) -> int:
    return sum(size * (size - 1) // 2 for size in sizes.values())


def f1(right: int, found: int, true: int) -> float:
    return 2 * right / (found + true) if found + true else 0.0


def best_of(choices: Sequence[tuple[Any, Mapping[str, Hashable]]], truth: Mapping[str, str]) -> int:
    """The place of the (threshold, clusters) with the greatest pair F1; where clusters of one kind alone are given, the
    true pairs are those of its records."""
    true = _pairs(Counter(truth[record_id] for record_id in choices[0][1] if record_id in truth))
    marks = [f1(*counted(clusters, truth), true) for _, clusters in choices]
    return marks.index(max(marks))


def components(ids: Sequence[str], left: Any, right: Any) -> dict[str, int]:
    """Connected components of the pairs of places (left, right) in `ids`."""
    import numpy as np
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    shape = (len(ids), len(ids))
    graph = coo_matrix((np.ones(len(left), dtype=bool), (left, right)), shape=shape)
    return dict(zip(ids, connected_components(graph, directed=False)[1].tolist(), strict=True))
