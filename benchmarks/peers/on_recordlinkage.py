"""recordlinkage: blocks in pandas, Jaro-Winkler and exact comparisons, its ECM classifier without labels.

One model for people, one for companies, joined; pairs that the classifier takes for matches are joined to clusters by
connected components, as its documentation leaves to the user. "fixed" is the classifier's own decision, "best" the
probability that the truth likes best."""

import warnings
from collections.abc import Mapping
from typing import Any

import cleaning
import duckdb
import numpy as np
import pandas as pd
import recordlinkage
from adapter import THRESHOLDS, Errand, best_of, components

BINARY = 0.85  # the threshold of string similarity in its examples
# Pairs a record that one key may cost, by the number of records: among many others ECM loses the matches.
WIDE = ((10_000, 15), (30_000, 6), (10**9, 1))
LISTED = {
    "person": [
        ("given", "family"), ("family", "birth"), ("given", "birth"), ("email",), ("phone",), ("number",),
        ("family", "postcode"), ("given", "postcode"), ("birth", "postcode"), ("address", "postcode"),
        ("given",), ("family",), ("birth",), ("postcode",),
    ],
    "organization": [
        ("core",), ("number",), ("other_number",), ("phone",), ("email",), ("domain",), ("address",),
        ("first_word", "postcode"), ("first_word", "city"), ("postcode", "house"), ("house", "city"), ("first_word",),
    ],
}  # fmt: skip
TEXT = {"person": ("given", "family", "address", "city"), "organization": ("core", "address", "city")}
EXACT = {"person": ("birth", "email", "phone", "number", "postcode"),
         "organization": ("domain", "email", "phone", "number", "other_number", "postcode")}  # fmt: skip


def cost(records: pd.DataFrame, key: tuple[str, ...]) -> int:
    sizes = records.dropna(subset=list(key)).groupby(list(key)).size().to_numpy(dtype=np.int64)
    return int((sizes * (sizes - 1) // 2).sum())


def linked(records: pd.DataFrame) -> bool:
    return set(records["system"].unique()) == {"a", "b"}


def pairs_of(records: pd.DataFrame, kind: str) -> pd.MultiIndex:
    """Pairs that share a key; two files called a and b are linked, all others deduplicated."""
    indexer = recordlinkage.Index()
    wide = next(pairs for size, pairs in WIDE if len(records) <= size)
    most = max(wide * len(records), 20_000)
    for key in LISTED[kind]:
        if 0 < cost(records, key) <= most:
            indexer.block(list(key))
    if linked(records):
        return indexer.index(records[records["system"] == "a"], records[records["system"] == "b"])
    return indexer.index(records)


def match(errand: Errand, records: pd.DataFrame, kind: str) -> tuple[pd.MultiIndex, Any, Any]:
    """Pairs, the classifier's decision on each, and the probability of a match."""
    with errand.phase("block"):
        filled = records.notna().mean()
        pairs = pairs_of(records, kind)
    with errand.phase("compare"):
        comparing = recordlinkage.Compare()
        for name in TEXT[kind]:
            if filled[name] > 0.02:
                comparing.string(name, name, method="jarowinkler", threshold=BINARY, label=name)
        for name in EXACT[kind]:
            if filled[name] > 0.02:
                comparing.exact(name, name, label=name)
        features = comparing.compute(pairs, records)
    with errand.phase("train"):
        classifier = recordlinkage.ECMClassifier()
        matches = classifier.fit_predict(features)
    with errand.phase("predict"):
        chance = classifier.prob(features)
    decided, marks = pairs.isin(matches), chance.to_numpy()
    if linked(records):  # neither file holds anybody twice: who has several partners keeps the likeliest
        decided, marks = decided & likeliest(pairs, marks), np.where(likeliest(pairs, marks), marks, 0.0)
    return pairs, decided, marks


def likeliest(pairs: pd.MultiIndex, chance: Any) -> Any:
    order = np.argsort(-chance, kind="stable")
    first = np.zeros(len(pairs), dtype=bool)
    left, right = (pairs.get_level_values(side)[order] for side in (0, 1))
    first[order] = ~left.duplicated() & ~right.duplicated()
    return first


def clusters(records: pd.DataFrame, kind: str, pairs: pd.MultiIndex, kept: Any) -> dict[str, str]:
    places = pd.Series(range(len(records)), index=records.index)
    left, right = (places.loc[pairs.get_level_values(side)[kept]].to_numpy() for side in (0, 1))
    return {record_id: f"{kind}-{label}" for record_id, label in components(list(records.index), left, right).items()}


def joined(parts: list[Mapping[str, str]]) -> list[tuple[str, str]]:
    return [pair for one in parts for pair in one.items()]


def main() -> None:
    warnings.filterwarnings("ignore")
    errand = Errand("recordlinkage", __doc__)
    con = duckdb.connect()
    with errand.phase("read"):
        errand.records = cleaning.read(con, errand.options.file)
    with errand.phase("clean"):
        cleaning.clean(con)
        table = con.sql("SELECT * EXCLUDE (words) FROM clean").df().set_index("record_id")
        kinds: dict[str, Any] = dict(iter(table.groupby("kind")))
    truth, fixed, best, used, pairs = errand.truth(), [], [], {}, 0
    for kind, records in kinds.items():
        found, decided, chance = match(errand, records, kind)
        pairs += len(found)
        with errand.phase("cluster"):
            fixed.append(clusters(records, kind, found, decided))
        with errand.phase("tune"):
            if truth:
                choices = [(mark, clusters(records, kind, found, chance >= mark)) for mark in THRESHOLDS]
                used[kind], one = choices[best_of(choices, truth)]
                best.append(one)
    errand.write("fixed", joined(fixed), "its own")
    if truth:
        errand.write("best", joined(best), used)
    errand.done(pairs)


if __name__ == "__main__":
    main()
