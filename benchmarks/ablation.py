#!/usr/bin/env python
"""benchmarks/ablation.py --sets NAME=FOLDER …: which idea of matching brings how much.

A set is a folder with records.csv or records.parquet and truth.csv (record_id, entity_id). Each is standardised once; then it is
resolved as it is, and once without each idea: the function or the parameter that stands for it is replaced for that run. What is
printed is the F1 of pairs in one cluster, what it loses, in points of a hundred, and the precision; more with --json. No labels, no settings."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from unittest import mock

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from apps.matching import (
    comparisons_contacts,
    comparisons_persons,
    decide,
    frequencies,
    names,
    rarity,
    resolving,
    training,
)
from apps.matching.blocking_kinds import KINDS
from apps.matching.encoded import Encoded
from apps.matching.parameters import Model, Thresholds
from apps.matching.partition import connected
from apps.matching.resolving import Options
from benchmarks.known import Known
from benchmarks.peers_run import Set

Changed = tuple[Model, Options]
Idea = Callable[[ExitStack, Model, Options], Changed]


def _instead(place: Any, name: str, other: Any) -> Idea:
    """Run with `other` in the place of something."""

    def change(stack: ExitStack, model: Model, options: Options) -> Changed:
        # Replaced from here: the product has no switch for doing without an idea, and needs none.
        stack.enter_context(mock.patch.object(place, name, other))
        return model, options

    return change


def _two_classes(_stack: ExitStack, model: Model, options: Options) -> Changed:
    document = model.to_dict()
    for part in ("person", "organization"):
        own = document[part]
        levels = {c: {level: values[:2] for level, values in known.items()} for c, known in own["levels"].items()}
        document[part] = {**own, "related": {}, "levels": levels}
    return Model.from_dict(document), options


def _all_strong(_stack: ExitStack, model: Model, options: Options) -> Changed:
    return Model.from_dict({**model.to_dict(), "keys": dict.fromkeys(KINDS, "strong")}), options


def _one_frequency(table: Encoded, _organization: Any, _known: Any) -> dict[str, dict[str, float]]:
    return {name: {} for name in ("given_name", "family_name", "company_name")}


def _chained(count: int, low: Any, high: Any, *, weight: Any, thresholds: Thresholds, **_rest: Any) -> Any:
    """Connected components of what reaches the threshold."""
    strong = np.asarray(weight) >= thresholds.automatic
    return connected(count, low[strong], high[strong]), []


def _straight(_tokens: Any, _given: Any, _family: Any, left: Any, _right: Any) -> Any:
    return tuple(
        np.full(len(left), table["different"], np.int8)
        for table in (comparisons_persons._GIVEN, comparisons_persons._FAMILY)
    )


def _large_alone(codes: Any, record: Any, where: Any, texts: Any, countries: Any) -> dict[str, float]:
    """Shares of names in all, and in countries of 500 records or more."""
    many = np.append(
        np.bincount(where[where >= 0], minlength=len(countries)) >= 500, False
    )  # -1, not known, is the last
    return _AT_HOME(codes, record, np.where(many[where], where, -1), texts, countries)


_AT_HOME = frequencies._at_home


class _Anywhere:
    """Every record's country unknown."""

    def __init__(self, table: Encoded) -> None:
        self.codes, self.texts = np.full(table.num_rows, -1, np.int32), np.array([], object)


IDEAS: Final[dict[str, Idea]] = {
    "as it is": lambda _stack, model, options: (model, options),
    "shipped parameters, nothing learned": lambda _s, model, options: (model, replace(options, train=False)),
    "two classes (no households, no sister companies)": _two_classes,
    "names all equally frequent": _instead(training, "learned_frequencies", _one_frequency),
    "strangers drawn from all countries": _instead(training, "home", _Anywhere),
    "rare company names not counted": _instead(training, "_ROUNDS_OF_RARE", 0),
    "joined from even odds on": lambda _s, model, options: (model, replace(options, threshold=0.5)),
    "a rare company name is rare whatever its words": _instead(rarity, "_together", lambda _w, names, *_r: np.ones(len(names))),
    "countries of few records are like the world": _instead(frequencies, "_at_home", _large_alone),
    "a mailbox made of the name counts": _instead(comparisons_contacts, "_named", lambda _t, _r, mails: np.zeros(len(mails), bool)),
    "groups joined by their best pair": _instead(decide, "_BEST", 1.0),
    "connected components": _instead(resolving, "partition_file", _chained),
    "values of many parties used": _instead(resolving, "generic_values", lambda table: {}),
    "no nicknames": _instead(names, "_groups", lambda: ({}, {})),
    "given and family name never exchanged": _instead(comparisons_persons, "_crossed", _straight),
    "one weak key is enough": _all_strong,
}  # fmt: skip


@contextmanager
def without(idea: str, model: Model, options: Options) -> Iterator[Changed]:
    """Model and options of a run without an idea, while what stands for it is replaced."""
    with ExitStack() as stack:
        yield IDEAS[idea](stack, model, options)


def rows(one: Set, ideas: list[str]) -> list[dict[str, Any]]:
    """The figures of one set, a row for each idea."""
    known, found = Known(one), []
    for idea in ideas:
        print(f"{one.name}: {idea}", file=sys.stderr, flush=True)
        with without(idea, Model.load_default(), Options(cores=1)) as (model, options):
            done = known.resolved(model, options)
        figures = known.judged(done.label)
        found.append({"set": one.name, "without": idea, "pairs_compared": done.compared, **figures})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", metavar="NAME=FOLDER", required=True)
    parser.add_argument("--ideas", nargs="+", choices=[*IDEAS], default=[*IDEAS])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    named = [one.partition("=") for one in options.sets]
    sets = [found for name, _, folder in named if (found := Set.found(name, Path(folder))) and found.records]
    table = [row for one in sets for row in rows(one, options.ideas)]
    if options.json:
        print(json.dumps(table))
        return
    print("| without | " + " | ".join(one.name for one in sets) + " |\n|---|" + "---|" * len(sets))
    whole = {row["set"]: row["pair_f1"] for row in table if row["without"] == "as it is"}
    for idea in options.ideas:
        cells = [_cell(next(r for r in table if r["set"] == one.name and r["without"] == idea), whole) for one in sets]
        print(f"| {idea} | " + " | ".join(cells) + " |")


def _cell(row: dict[str, Any], whole: dict[str, float]) -> str:
    f1, precision = (f"{row[name]:.4f}" for name in ("pair_f1", "pair_precision"))
    lost = (row["pair_f1"] - whole.get(row["set"], row["pair_f1"])) * 100
    return f"{f1}, P {precision}" if row["without"] == "as it is" else f"{f1} ({lost:+.1f}), P {precision}"


if __name__ == "__main__":
    main()
