"""Records of files to clusters: standardise, key, compare, learn, weigh, decide. Columns in, columns out; no database."""

import gc
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from apps.matching.blocking_kinds import SENTENCES
from apps.matching.comparisons import compare
from apps.matching.comparisons_columns import Levels, Longs
from apps.matching.decide import Doubt
from apps.matching.encoded import Encoded
from apps.matching.engine import keep
from apps.matching.frequencies import generic_values
from apps.matching.labels import NO_LABELS, Labels
from apps.matching.labels_threshold import Advice, advise
from apps.matching.many_processes import many_processes
from apps.matching.over_link import NOTHING_JOINED, OverLink, over_link
from apps.matching.pairs import Block, Candidates, pairs_of
from apps.matching.parameters import Model
from apps.matching.partition import partition_file
from apps.matching.scoring import Scores, score_rows, weigh_rows
from apps.matching.side_by_side import Beside, beside
from apps.matching.standardise_columns import COLUMNS, standardise_columns
from apps.matching.training import LEAST_RECORDS, PRECISION, Degenerate, Trained, for_precision, train

MANY: Final = 20_000
"""From so many records on it pays to read values with several processes."""
Told = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """`train`: learn parameters from the records, where there are enough; `threshold`: probability from which a pair is joined
    (None: from which `precision` of what is joined is right); `one_per_system`: no two records of one system are one customer; `cores`: None for all.
    `labels`: pairs with a verdict, as places in the file; `obeyed`: clusters keep to them; `shown` is given what those that were held
    out say before a threshold is used."""

    train: bool = True
    threshold: float | None = None
    precision: float = PRECISION
    one_per_system: bool = False
    cores: int | None = None
    labels: Labels = NO_LABELS
    obeyed: bool = True
    shown: Callable[[Advice], None] = lambda advice: None


@dataclass(frozen=True)
class Resolved:
    """Clusters and how they came about. `label`: for each record the smallest record of its cluster; low, high: scored pairs worth
    keeping; `seconds` by phase; `warnings`: sentences that name a column."""

    label: Longs
    low: Longs
    high: Longs
    scores: Scores
    doubts: Sequence[Doubt]
    model: Model
    trained: Trained | None
    compared: int
    blocks: Sequence[Block]
    seconds: dict[str, float]
    warnings: list[str] = field(default_factory=list)
    advice: Advice | None = None
    over_link: OverLink = NOTHING_JOINED

    def summary(self) -> dict[str, Any]:
        """The run in numbers, for people and programs."""
        sizes = np.bincount(self.label) if len(self.label) else np.zeros(1, np.int64)
        return {
            "records": len(self.label),
            "pairs": self.compared,
            "kept_pairs": len(self.low),
            "clusters": int((sizes > 0).sum()),
            "largest": int(sizes.max()),
            "doubts": dict(Counter(doubt.reason for doubt in self.doubts)),
            "over_link": self.over_link._asdict(),
            "phases": {phase: round(value, 3) for phase, value in self.seconds.items()},
            "trained": dict(self.trained.learned) if self.trained else None,
            "model": self.model.hash,
            "automatic_from": round(1.0 / (1.0 + 2.0**-self.model.thresholds.automatic), 4),
            "labels": self.advice.to_dict() if self.advice else None,
            "keys": {
                SENTENCES[block.kind]: {
                    "shared": block.keys, "oversized": block.oversized, "largest": block.largest, "pairs": block.pairs,
                }
                for block in self.blocks
            },
            "warnings": self.warnings,
        }  # fmt: skip


class Clock:
    """Seconds by phase, and whoever wants to know when one begins."""

    def __init__(self, told: Told) -> None:
        self.seconds: dict[str, float] = {}
        self._told = told

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        self._told(name)
        began = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began


def resolve(table: pa.Table, model: Model, options: Options = Options(), told: Told = lambda phase: None) -> Resolved:
    """Decide which records of `table` (text columns under canonical flat names) are one customer."""
    clock = Clock(told)
    with (
        _uncollected(),
        clock.phase("standardise"),
        many_processes(options.cores if table.num_rows >= MANY else 1) as each,
    ):
        records = standardise_columns(table, each)
    with _uncollected():
        return resolve_standardised(records, model, options, clock, warnings_of(table))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Nothing that is made here refers to itself; to look for what does, among millions of texts, took a fifth of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def resolve_standardised(
    records: Encoded, model: Model, options: Options, clock: Clock, warnings: list[str]
) -> Resolved:
    """The same from standardised records on."""
    with clock.phase("block"):
        generic = generic_values(records)
        records = records.without(generic)
    for feature, values in generic.items():
        some = ", ".join(sorted(values)[:3])
        warnings.append(f"{feature}: {len(values)} values are shared by many and were not used ({some})")
    with beside(records, options.cores) as other:
        return _resolved(records, model, options, clock, warnings, other)


def _resolved(
    records: Encoded, model: Model, options: Options, clock: Clock, warnings: list[str], other: Beside
) -> Resolved:
    """The same of records without generic values; `other` works beside this process."""
    with clock.phase("block"):
        found = pairs_of(records, model, other)
    with clock.phase("compare"):
        levels = compare(records, found.low, found.high, other)
    trained = None
    if options.train and records.num_rows >= LEAST_RECORDS:
        with clock.phase("train"):
            model, trained, refusal = _learned(records, found, levels, model, options, other)
            warnings += refusal
    with clock.phase("score"):
        scores = weigh_rows(records, found.low, found.high, levels, model)
        kept = np.flatnonzero(keep(scores, model))
        low, high, scores = found.low[kept], found.high[kept], scores.where(kept)
    advice = None
    if len(options.labels.low):
        with clock.phase("labels"):
            of_labels = score_rows(records, options.labels.low, options.labels.high, model)
            advice = advise(options.labels, of_labels, scores, model.thresholds, options.precision)
            warnings += advice.warnings
            options.shown(advice)
    with clock.phase("cluster"):
        if options.threshold is not None:
            model = replace(model, thresholds=model.thresholds.automatic_from(options.threshold))
        elif advice is not None and advice.chooses:
            model = replace(model, thresholds=advice.thresholds)
        elif trained is not None:
            model = replace(model, thresholds=for_precision(model.thresholds, scores, options.precision))
        label, doubts = _decided(records, low, high, scores, model, options, other)
        measured = over_link(label, low, high, scores)
    return Resolved(
        label, low, high, scores, doubts, model, trained, len(found.low), found.blocks, clock.seconds, warnings,
        advice, measured,
    )  # fmt: skip


def _learned(
    records: Encoded, found: Candidates, levels: Levels, model: Model, options: Options, other: Beside
) -> tuple[Model, Trained | None, list[str]]:
    try:
        trained = train(records, found.low, found.high, levels, model, labels=options.labels, beside=other)
    except Degenerate as error:
        return model, None, [f"The shipped parameters were used. {error}"]
    return trained.model, trained, []


def _decided(
    records: Encoded, low: Longs, high: Longs, scores: Scores, model: Model, options: Options, other: Beside
) -> tuple[npt.NDArray[np.int64], Sequence[Doubt]]:
    labels = options.labels if options.obeyed else NO_LABELS
    systems = records.column("system").single() if options.one_per_system else None
    return partition_file(
        records.num_rows, low, high, weight=scores.weight, flags=scores.flags, thresholds=model.thresholds,
        systems=None if systems is None else systems.tolist(),
        distinct_systems=frozenset() if systems is None else frozenset(np.unique(systems[systems >= 0]).tolist()),
        must=labels.pairs(same=True), cannot=labels.pairs(same=False), beside=other,
    )  # fmt: skip


def warnings_of(table: pa.Table) -> list[str]:
    """Sentences on columns that say nothing: all empty, or one value throughout."""
    found = []
    for name in table.column_names:
        if name not in COLUMNS or name in ("system", "kind", "country") or not table.num_rows:
            continue
        values = table.column(name)
        if values.null_count == len(values):
            found.append(f"{name}: no record has a value")
        elif len(values) >= LEAST_RECORDS and len(values.unique()) == 1:
            found.append(f"{name}: every record has the same value, which tells nobody apart")
    if not any(name in table.column_names for name in COLUMNS[2:]):
        found.append(f"no known column; name them with --map, for example --map {COLUMNS[3]}=first_name")
    return found
