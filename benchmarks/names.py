#!/usr/bin/env python
"""benchmarks/names.py [--cases FILE.csv] [--wrong] [--json]: how well the score of names alone tells pairs apart.

The file has columns schema, name1, name2, is_match (true or false); schema Person is a person, all others organisations.
Without a file the project's own cases are used (tests/cases/names.toml). Prints the best F1 over all thresholds with
precision, recall and threshold, F1 at 0.5, the same for persons, organisations and two halves (split by a hash of the
pair), and pairs a second; --wrong lists the pairs that are on the wrong side of the best threshold."""

import argparse
import csv
import json
import sys
import time
import tomllib
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from apps.matching.name_score import Kind, name_score

OWN_CASES = Path(__file__).resolve().parent.parent / "tests" / "cases" / "names.toml"


class Case(NamedTuple):
    kind: Kind
    left: str
    right: str
    match: bool


def read(path: Path | None) -> list[Case]:
    """Labelled pairs of a CSV file, or the project's own."""
    if path is None:
        groups = tomllib.loads(OWN_CASES.read_text(encoding="utf-8"))["group"]
        return [
            Case(group["kind"], left, right, group["match"])
            for group in groups
            if "match" in group
            for left, right in group["pairs"]
        ]
    with path.open(newline="", encoding="utf-8-sig") as file:
        return [
            Case(
                "person" if line["schema"] == "Person" else "organization",
                line["name1"],
                line["name2"],
                line["is_match"] == "true",
            )
            for line in csv.DictReader(file)
        ]


def best(score: npt.NDArray[np.float64], match: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Best F1 over all thresholds ("score at or above it is a match"), and F1 at 0.5."""
    order = np.argsort(-score, kind="stable")
    right, chosen = np.cumsum(match[order]), np.arange(1, len(score) + 1)
    f1 = 2 * right / (chosen + max(match.sum(), 1))
    f1[:-1][score[order][1:] == score[order][:-1]] = 0  # equal scores are on one side
    at = int(f1.argmax())
    half = score >= 0.5
    return {
        "pairs": len(score),
        "f1": round(float(f1[at]), 4),
        "precision": round(float(right[at] / chosen[at]), 4),
        "recall": round(float(right[at] / max(match.sum(), 1)), 4),
        "threshold": round(float(score[order][at]), 3),
        "f1_at_half": round(float(2 * (half & match).sum() / max(half.sum() + match.sum(), 1)), 4),
    }


def scored(cases: list[Case]) -> npt.NDArray[np.float64]:
    """The score of each case, each kind in one call."""
    score = np.zeros(len(cases))
    kinds: tuple[Kind, ...] = ("person", "organization")
    for kind in kinds:
        at = [place for place, case in enumerate(cases) if case.kind == kind]
        score[at] = name_score(kind, [cases[place].left for place in at], [cases[place].right for place in at])
    return score


def run(cases: list[Case], *, wrong: bool) -> dict[str, Any]:
    scored(cases[:1])  # reference files are read once
    start = time.perf_counter()
    score = scored(cases)
    seconds = time.perf_counter() - start
    match = np.array([case.match for case in cases])
    person = np.array([case.kind == "person" for case in cases])
    half = np.array([sha256(f"{case.left}|{case.right}".encode()).digest()[0] & 1 for case in cases])
    parts = {"all": match | True, "person": person, "organization": ~person, "half_0": half == 0, "half_1": half == 1}
    report: dict[str, Any] = {name: best(score[part], match[part]) for name, part in parts.items() if part.any()}
    many = cases * max(1, 100_000 // len(cases))
    many = [case._replace(left=f"{case.left} {place % 100}") for place, case in enumerate(many)]
    start = time.perf_counter()
    scored(many)
    report["pairs_per_second"] = {
        "as_they_are": round(len(cases) / seconds),
        "hundred_thousand": round(len(many) / (time.perf_counter() - start)),
    }
    if wrong:
        over = score >= report["all"]["threshold"] - 5e-4
        report["wrong"] = [
            {"score": round(float(score[at]), 3), **cases[at]._asdict()} for at in np.flatnonzero(over != match)
        ]
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=Path)
    parser.add_argument("--wrong", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report = run(read(options.cases), wrong=options.wrong)
    if options.json:
        print(json.dumps(report, ensure_ascii=False, indent=2))
        return
    for name, part in report.items():
        if name != "wrong":
            print(name.ljust(18), " ".join(f"{key} {value}" for key, value in part.items()))
    for pair in report.get("wrong", ()):
        print(f"{pair['score']:.3f}", "match" if pair["match"] else "other", pair["left"], "|", pair["right"], sep="  ")


if __name__ == "__main__":
    main()
