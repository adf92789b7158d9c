"""Training without labels: parameters from the data themselves, by expectation and maximisation over the levels of candidate pairs.

A pair is one of several kinds: the same customer, unrelated, or related but different (a household, sister companies). The shares
of levels among pairs of each kind, and how many pairs are of it, are what makes the levels that are seen most likely (Dempster,
Laird and Rubin 1977; with the shipped parameters as what is believed before, weighed as pairs that were seen already). Unrelated
pairs are looked at directly: pairs drawn at random, less the share of them that are the same customer. Pairs with a
verdict are of a known kind, which takes the place of what is supposed of them: so it does not matter which pairs were chosen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from apps.matching.comparison_levels import COMPARISONS, LEVELS, MOST_LEVELS, VETO, level_number
from apps.matching.comparisons_columns import NONE, Levels, Longs, numbered
from apps.matching.encoded import Encoded
from apps.matching.frequencies import learned_frequencies
from apps.matching.labels import NO_LABELS, Labels
from apps.matching.parameters import PARTS, Model, Part, Thresholds
from apps.matching.rarity import names_of_pairs, rarity_bits, shares_of
from apps.matching.scoring import Scores, packed, unpacked
from apps.matching.side_by_side import HERE, Beside
from apps.matching.training_pairs import DRAWN, Compared, Seen, drawn, seen

Doubles = npt.NDArray[np.float64]
LEAST_RECORDS: Final = 1_000
"""A file of fewer records is matched with the shipped parameters: too few pairs to learn from."""
_ROUNDS: Final = 40
_ENOUGH: Final = 1e-3
"""When the number of expected matches moves by less than this share, training ends."""
_BELIEF: Final = {"same": 0.1, "related": 1.0}
"""What the shipped shares weigh beside the pairs that are seen, per kind of pair; at least `_LEAST_BELIEF` pairs."""
_LEAST_BELIEF: Final = 50.0
_LABEL: Final = 1.0
"""What a pair with a verdict weighs beside one that was only seen."""
_FEW: Final = 100
"""Of fewer random pairs that show a comparison nothing is learned about it."""
_MOST_BITS: Final = 12.0
_ROUNDS_OF_RARE: Final = 3
_LEAST_RARE: Final = 1e-3
_ABROAD: Final = COMPARISONS.index("address"), level_number("address", "other_country")


_OUTWEIGH: Final = 0.0
"""Weights learned from the data at hand mean what they say, also about evidence against."""
PRECISION: Final = 0.995
"""The share of joins made without asking that shall be right."""
_SHARE_OF_WRONG: Final = 0.8
"""Pairs that are joined bring others with them: of the wrong ones that are allowed so much is left to the pairs themselves."""


class Degenerate(ValueError):
    """What was learned is no model; says why. Nothing of it may be used."""


@dataclass(frozen=True)
class Trained:
    """The model, and per part what it was learned from: pairs, expected matches and related pairs, rounds."""

    model: Model
    learned: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


class _Patterns(NamedTuple):
    """Distinct combinations of levels with rounded rarity, and how many pairs show each."""

    levels: npt.NDArray[np.int64]
    rarity: Doubles
    times: Doubles


def train(
    table: Encoded, low: Longs, high: Longs, levels: Levels, model: Model, *, labels: Labels = NO_LABELS, seed: int = 1,
    beside: Beside = HERE,
) -> Trained:  # fmt: skip
    """Return `model` with parameters learned from a file's candidate pairs (`levels`: what they were compared to) and from pairs
    with a verdict, all but those that are held out.

    Raises Degenerate. A part of which the file holds too little keeps its parameters. `beside`: who knows the table too and learns of
    companies."""
    document = model.to_dict()
    asked = beside.ask(learned_frequencies, table, table.organizations(), document["frequencies"])
    strangers = drawn(table, seed)
    document["frequencies"] = frequencies = asked()
    base = Model.from_dict(document)
    people, companies = seen(table, Compared(low, high, levels), strangers, labels, beside)
    others = beside.ask(_estimated, companies, base)
    learned: dict[str, Mapping[str, float]] = {}
    for name, part in zip(PARTS, (_estimated(people, base), others()), strict=True):
        if part is not None:
            document[name], learned[name] = part.described, part.told
            frequencies |= part.frequencies
    document["thresholds"] = {**document["thresholds"], "outweigh": _OUTWEIGH}
    return Trained(Model.from_dict(document), learned)


class _Learned(NamedTuple):
    """Of one part: the part as plain data, what it was learned from, and frequencies with what was learned of rare names."""

    described: dict[str, Any]
    told: dict[str, float]
    frequencies: dict[str, dict[str, float]]


def _estimated(seen: Seen, base: Model) -> _Learned | None:
    """Return the parameters of one part, None where there is too little to learn from; raises Degenerate."""
    if seen.drawn.records < _FEW or len(seen.candidates.low) < _FEW:
        return None
    name, frequencies = PARTS[seen.place], dict[str, dict[str, float]]()
    levels, rarity = seen.candidates.levels, _rarity(seen, seen.candidates, base)
    drawn = _Strangers.of(seen)
    verdicts = {same: _judged(seen, pairs, base) for same, pairs in seen.verdicts.items()}
    found = _Estimate(base.parts[name], drawn.pairs, verdicts)
    found.fit(_patterns(levels, rarity), drawn)
    if name == "organization":
        names = base.frequencies["company_name"]
        rare = _Rare.of(seen.table, seen.candidates, base)
        for _ in range(_ROUNDS_OF_RARE):
            share = rare.by_chance(found, levels, rarity)
            rarity = rarity - np.log2(share) * rare.pairs
            found = _Estimate(base.parts[name], drawn.pairs, verdicts)
            found.fit(_patterns(levels, rarity), drawn)
            rare.share *= share
        frequencies["company_name"] = rare.scaled(names)
    found.check(name)
    return _Learned(found.described(), found.told(), frequencies)


def for_precision(thresholds: Thresholds, scores: Scores, precision: float) -> Thresholds:
    """Return thresholds from which, by the pairs' own probabilities, `precision` of what is joined is right.

    Never below even odds, however few such pairs there are."""
    standing = np.sort(scores.probability[(scores.flags & VETO) == 0])[::-1].astype(np.float64)
    wrong = np.cumsum(1.0 - standing) / np.arange(1, len(standing) + 1)
    enough = np.flatnonzero(wrong <= (1.0 - precision) * _SHARE_OF_WRONG)
    return thresholds.automatic_from(max(float(standing[enough[-1]]), 0.5) if len(enough) else 1.0 - 1e-6)


def _rarity(seen: Seen, pairs: Compared, model: Model) -> Doubles:
    part = np.full(len(pairs.low), seen.place, np.int64)
    bits = rarity_bits(seen.table, (pairs.low, pairs.high), pairs.levels, part, model)
    return sum(bits.values(), np.zeros(len(pairs.low)))


def _patterns(levels: Levels, rarity: Doubles) -> _Patterns:
    rounded = np.clip(np.rint(rarity), -_MOST_BITS, _MOST_BITS).astype(np.int64) + int(_MOST_BITS)
    distinct, own = numbered(packed(levels, rounded))
    shown, bits = unpacked(distinct, levels.shape[1])
    return _Patterns(
        shown, bits.astype(np.float64) - _MOST_BITS, np.bincount(own, minlength=len(distinct)).astype(np.float64)
    )


def _judged(seen: Seen, pairs: Compared, model: Model) -> _Patterns:
    found = _patterns(pairs.levels, _rarity(seen, pairs, model))
    return found._replace(times=found.times * _LABEL)


class _Strangers(NamedTuple):
    """How often pairs drawn at random show each level (comparison × level), how many were drawn, of how many there are, and how many
    pairs of different countries there are for each of those."""

    levels: Doubles
    drawn: int
    pairs: float
    abroad: float

    @classmethod
    def of(cls, seen: Seen) -> "_Strangers":
        levels = seen.strangers
        counted = _counts(levels.astype(np.int64), np.ones(len(levels)))
        return cls(counted, len(levels), seen.drawn.pairs, seen.drawn.abroad)


def _counts(levels: npt.NDArray[np.int64], weights: Doubles) -> Doubles:
    return np.stack([np.bincount(levels[:, c], weights, MOST_LEVELS)[:MOST_LEVELS] for c in range(levels.shape[1])])


@dataclass
class _Rare:
    """Names of companies that few records bear. How often strangers agree on one cannot be seen in how many bear it, for those few
    are mostly one company; but all pairs that agree on one are compared, so the unrelated among them can be counted.

    `pairs`: which do; `expected`: how many strangers would, if such names were as frequent as is taken for now; `share`: how much less
    often they do."""

    pairs: npt.NDArray[np.bool_]
    expected: float
    share: float = 1.0

    @classmethod
    def of(cls, table: Encoded, found: Compared, model: Model) -> "_Rare":
        comparison, (low, high, levels) = "company_name", found
        same = np.flatnonzero(levels[:, COMPARISONS.index(comparison)] == level_number(comparison, "same"))
        pairs = np.zeros(len(low), np.bool_)
        named = names_of_pairs(table, comparison, low[same], high[same])
        pairs[same] = shares_of(table, named, model.frequencies, comparison)[1]
        bearers = np.flatnonzero(table.column("company").nth(0) != NONE)
        named = names_of_pairs(table, comparison, bearers, bearers)
        at_home = np.bincount(named.country + 1)
        step = 1 + len(bearers) // DRAWN
        some = named._replace(name=named.name[::step], country=named.country[::step])
        share, rare = shares_of(table, some, model.frequencies, comparison)
        return cls(pairs, float((share * at_home[some.country + 1])[rare].sum()) * step / 2)

    def by_chance(self, found: "_Estimate", levels: Levels, rarity: Doubles) -> float:
        """How often strangers agree on a rare name, beside what is taken for it now."""
        patterns = _patterns(levels[self.pairs], rarity[self.pairs])
        strangers = float((found.likely(patterns)[1] * patterns.times).sum())
        return float(
            np.clip((strangers + 1.0) / (self.share * self.expected + 1.0), _LEAST_RARE / self.share, 1.0 / self.share)
        )

    def scaled(self, shares: Mapping[str, float]) -> dict[str, float]:
        """The shares of names with what was learned of those that are not listed."""
        return {
            name: value * (self.share if name == "" or name.endswith("|") else 1.0) for name, value in shares.items()
        }


class _Estimate:
    """The parameters of one part while they are learned. Kinds of pairs: 0 the same, 1 unrelated, from 2 on related."""

    def __init__(self, part: Part, pairs: float, verdicts: Mapping[bool, _Patterns]) -> None:
        self.part, self.pairs, self.verdicts = part, pairs, verdicts
        self.kinds = 2 + len(part.related)
        self.start = np.stack([_shares(part, kind) for kind in range(self.kinds)])
        self.listed = self.start[0] > 0
        self.shares = self.start.copy()
        self.odds = np.exp2(np.array([part.prior, 0.0, *part.related.values()]))
        self.rounds = 0
        self.expected = np.zeros(self.kinds)

    def fit(self, patterns: _Patterns, drawn: _Strangers) -> None:
        """Learn until the number of expected matches stands still."""
        for self.rounds in range(1, _ROUNDS + 1):
            before = self.expected[0]
            likely = self.likely(patterns) * patterns.times
            correction = self._correction()
            self.expected = likely.sum(axis=1) + correction[:, 0].sum(axis=1)
            self.odds = np.maximum(self.expected, 1.0) / self.pairs
            self.odds[1] = 1.0
            counted = np.stack([_counts(patterns.levels, likely[kind]) for kind in range(self.kinds)])
            counted = np.maximum(counted + correction, 0.0)
            for kind in (0, *range(2, self.kinds)):
                self.shares[kind] = self._believed(kind, counted[kind])
            self._unrelated(drawn, counted)
            if abs(self.expected[0] - before) < _ENOUGH * self.expected[0]:
                break

    def _correction(self) -> Doubles:
        """Levels of pairs with a verdict, kind × comparison × level, less what was supposed of the same pairs. Those that are no match
        are of the other kinds, by their odds."""
        counted = np.zeros_like(self.shares)
        for same, patterns in self.verdicts.items():
            supposed = self.likely(patterns)
            known = supposed.copy()
            known[slice(1, None) if same else 0] = 0.0
            known /= np.maximum(known.sum(axis=0), 1e-300)
            change = (known - supposed) * patterns.times
            counted += np.stack([_counts(patterns.levels, change[kind]) for kind in range(self.kinds)])
        return counted

    def likely(self, patterns: _Patterns) -> Doubles:
        """How likely each pattern's pairs are of each kind, kinds × patterns."""
        safe = np.where(self.listed, self.shares, 1.0)
        safe[:, :, 0] = 1.0
        columns = np.arange(len(COMPARISONS))
        logs = np.log2(safe)[:, columns, patterns.levels].sum(axis=2) + np.log2(self.odds)[:, None]
        logs[1] -= patterns.rarity  # agreeing on a frequent value happens more often by chance
        odds = np.exp2(logs - logs.max(axis=0))
        return np.asarray(odds / odds.sum(axis=0))

    def _believed(self, kind: int, counted: Doubles) -> Doubles:
        """Shares of levels among pairs that were counted, and those believed in before."""
        seen = np.where(self.listed, counted, 0.0)
        known = np.where(self.listed.sum(axis=1) > 1, seen.sum(axis=1), counted[:, 1:].sum(axis=1))
        belief = np.maximum(_LEAST_BELIEF, _BELIEF["same" if kind == 0 else "related"] * known)
        shares = (seen + belief[:, None] * self._before(kind)) / (known + belief)[:, None]
        return np.asarray(np.where(self.listed, shares, 0.0))

    def _before(self, kind: int) -> Doubles:
        """The shipped shares; those of a comparison with several listed levels add up to one."""
        start = self.start[kind]
        several = self.listed.sum(axis=1, keepdims=True) > 1
        whole: Doubles = np.where(several, start / np.maximum(start.sum(axis=1, keepdims=True), 1e-300), start)
        return whole

    def _unrelated(self, drawn: _Strangers, counted: Doubles) -> None:
        """Shares among random pairs, less those that are no strangers; one more pair is believed in for each level."""
        known = drawn.levels[:, 1:].sum(axis=1)
        strangers = drawn.levels - counted[[0, *range(2, self.kinds)]].sum(axis=0) * (drawn.drawn / self.pairs)
        learned = (np.maximum(strangers, 0.0) + np.minimum(1.0, self._before(1) * known[:, None])) / np.maximum(
            known, 1.0
        )[:, None]
        enough = (known >= _FEW)[:, None] & self.listed
        self.shares[1] = np.where(enough, np.clip(learned, 1e-9, 1.0), self.shares[1])
        if self.listed[_ABROAD]:  # all others are drawn within countries
            self.shares[1][_ABROAD] = min(1.0, max(1e-3, drawn.abroad))

    def check(self, name: str) -> None:
        """Raises Degenerate where what was learned cannot be right."""
        share = self.expected[0] / max(1.0, self.expected.sum())
        if self.expected[0] < 1:
            raise Degenerate(f"{name}: no pair of the file looks like one customer; nothing to learn from")
        if not np.isfinite(self.shares).all() or not np.isfinite(self.odds).all():
            raise Degenerate(f"{name}: the parameters did not settle on numbers")
        for place, comparison in enumerate(COMPARISONS):
            numbers = [n for n in range(1, 1 + len(LEVELS[comparison])) if self.listed[place, n]]
            if len(numbers) < 2:
                continue
            best, worst = numbers[0], numbers[-1]
            ratio = self.shares[0, place] / np.maximum(self.shares[1, place], 1e-300)
            if ratio[best] <= ratio[worst]:
                raise Degenerate(
                    f"{name}: {comparison} that agrees would speak less for one customer than {comparison} that differs"
                    f" (of {share:.0%} of the pairs taken for one customer); the shipped parameters stay"
                )

    def told(self) -> dict[str, float]:
        """What it was learned from, in numbers."""
        kinds = ("same", "unrelated", *self.part.related)
        return {"rounds": self.rounds, **{k: round(float(v), 1) for k, v in zip(kinds, self.expected, strict=True)}}

    def described(self) -> dict[str, Any]:
        """The part as plain data."""
        levels = {
            comparison: {
                level: [float(min(1.0, max(1e-9, value))) for value in self.shares[:, place, number]]
                for number, (level, _) in enumerate(LEVELS[comparison], 1)
                if self.listed[place, number]
            }
            for place, comparison in enumerate(COMPARISONS)
        }
        related = dict(zip(self.part.related, np.log2(self.odds[2:]).tolist(), strict=True))
        return {"prior": float(np.log2(self.odds[0])), "related": related, "levels": levels}


def _shares(part: Part, kind: int) -> Doubles:
    result = np.zeros((len(COMPARISONS), MOST_LEVELS))
    for place, comparison in enumerate(COMPARISONS):
        for number, (level, _) in enumerate(LEVELS[comparison], 1):
            if level in part.levels[comparison]:
                result[place, number] = part.levels[comparison][level][kind]
    return result
