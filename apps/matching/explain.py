"""Why two records are, or are not, one customer: field by field, in bits and in words."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from apps.matching import features
from apps.matching.blocking import blocking_keys, kind_of
from apps.matching.blocking_kinds import SENTENCES
from apps.matching.comparison_levels import COMPARISONS, FORCED, LEVELS, VETO, level_name
from apps.matching.comparisons import vetoes
from apps.matching.comparisons_columns import Levels, Longs
from apps.matching.encoded import Encoded
from apps.matching.parameters import PARTS, Model
from apps.matching.rarity import Doubles, rarity_bits
from apps.matching.scoring import Scores, score_rows

Features = Mapping[str, Any]
_SHOWN: Final = {
    "given_name": ("given",), "family_name": ("family",), "company_name": ("company",), "birth_date": ("birth",),
    "address": tuple(name for name in features.NAMES if name.startswith("address_")),
}  # fmt: skip

_RELATED: Final = {
    "household": "relatives or members of one household",
    "office": "people who share an office",
    "site": "companies that share a site, a switchboard or a mailbox",
    "group": "sister companies or branches",
}


@dataclass(frozen=True)
class Line:
    """One comparison: level, weight in bits (0 where a value is missing), sentence, both values as compared."""

    comparison: str
    level: str
    bits: float
    sentence: str
    left: str
    right: str


@dataclass(frozen=True)
class Explanation:
    """The lines, prior and kinship add up to the weight.

    kinship: bits taken off because the pair looks like relatives, a household or sister companies (0 or less).
    flags: sentences of hard evidence against, or of one confirmed identifier.
    """

    lines: tuple[Line, ...]
    prior: float
    kinship: float
    kinship_sentence: str
    weight: float
    probability: float
    flags: tuple[tuple[str, str], ...]
    model: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that JSON can hold."""
        return asdict(self)


def explain(left: Features, right: Features, model: Model) -> Explanation:
    """Explain a pair from both records' features (by name, as `from_json(...).to_pylist()` gives them)."""
    table = features.table([features.row_of(left), features.row_of(right)])
    pair = np.array([0]), np.array([1])
    scores = score_rows(Encoded(table).without(model.generic), *pair, model)
    return explain_scored(table, pair, scores, model)[0]


def explain_scored(table: pa.Table, pair: tuple[Longs, Longs], scores: Scores, model: Model) -> list[Explanation]:
    """Explain pairs of rows of one feature table by the scores they were given, which stand in the order of the pairs."""
    rows = [row._asdict() for row in features.rows(table)]
    sides = [(rows[a], rows[b]) for a, b in zip(*(side.tolist() for side in pair), strict=True)]
    part = np.array([int("o" in (left["kind"], right["kind"])) for left, right in sides], np.int64)
    rarity = rarity_bits(Encoded(table), pair, scores.levels, part, model)
    hard = vetoes(scores.levels)
    told = []
    for at, (left, right) in enumerate(sides):
        change = {comparison: float(bits[at]) for comparison, bits in rarity.items()}
        # That both are of one country stands in no line: in a small country the prior is another.
        prior = round(float(model.prior[part[at]]) + change.pop("country", 0.0), 2)
        lines = _lines(left, right, scores.levels[at].tolist(), model.bits[part[at]], change)
        weight = round(float(scores.weight[at]), 2)
        kinship = round(weight - prior - sum(line.bits for line in lines), 2)
        told.append(
            Explanation(
                lines=lines,
                prior=prior,
                kinship=kinship,
                kinship_sentence=_kinship_sentence(kinship, scores.levels[at], int(part[at]), model),
                weight=weight,
                probability=round(float(scores.probability[at]), 6),
                flags=_flags(scores.levels[at], [sentence for sentence, found in hard.items() if found[at]]),
                model=model.hash,
            )
        )
    return told


def _lines(
    left: Features, right: Features, levels: Sequence[int], bits: Doubles, change: Mapping[str, float]
) -> tuple[Line, ...]:
    """`bits`: the model's, comparison × level; `change`: what rarity adds, by comparison."""
    lines = []
    for place, (comparison, number) in enumerate(zip(COMPARISONS, levels, strict=True)):
        gained = change.get(comparison, 0.0)
        shown = _show(comparison, left), _show(comparison, right)
        weight = round(float(bits[place, number]) + gained, 2)
        sentence = _sentence(comparison, number, shown, gained)
        lines.append(Line(comparison, level_name(comparison, number), weight, sentence, *shown))
    return tuple(lines)


def _sentence(comparison: str, number: int, shown: tuple[str, str], change: float) -> str:
    if number:
        rarity = f" ({'a frequent' if change < 0 else 'a rare'} one: {change:+.1f} bits)" if change else ""
        return LEVELS[comparison][number - 1][1] + rarity
    if all(shown):
        return "not compared: the values say nothing of one another"
    return "not compared: known on one side only" if any(shown) else "not compared: not known"


def _show(comparison: str, record: Features) -> str:
    values = [record.get(name) or "" for name in _SHOWN.get(comparison, (comparison,))]
    if comparison == "address":
        return (
            "; ".join(" ".join(part for part in one if part) for one in zip(*values, strict=True))
            if all(values)
            else ""
        )
    if comparison == "identifier":
        return ", ".join("{0} {3}".format(*text.split("|", 3)) for text in values[0] or ())
    value = values[0]
    return (
        value if isinstance(value, str) else (" " if comparison in ("given_name", "family_name") else ", ").join(value)
    )


def _kinship_sentence(kinship: float, levels: Levels, part: int, model: Model) -> str:
    """Name the class of related customers that fits best."""
    if kinship > -0.5:
        return "nothing speaks of two related customers"
    classes = list(model.parts[PARTS[part]].related)
    places = np.arange(len(COMPARISONS)), levels.astype(np.int64)
    odds = [
        model.related_prior[part, place] + model.related_bits[part, place][places].sum()
        for place in range(len(classes))
    ]
    likeliest = classes[int(np.argmax(odds))]
    return f"what agrees and what does not also fits {_RELATED.get(likeliest, likeliest)}"


def _flags(levels: Levels, vetoed: Sequence[str]) -> tuple[tuple[str, str], ...]:
    found = [("veto", f"Never joined without a person's word: {sentence}.") for sentence in vetoed]
    if level_name("identifier", int(levels[COMPARISONS.index("identifier")])) == "same_verified":
        found.append(
            (
                "forced",
                "They share one confirmed identifier, so they are one customer unless hard evidence speaks against it.",
            )
        )
    return tuple(found)


def why_not_automatic(weight: float, flags: int, model: Model) -> str:
    """Say why a scored pair is not joined without asking; '' where it is."""
    thresholds = model.thresholds
    if flags & VETO:
        return "There is hard evidence that the two are different; only a person can join them."
    if flags & FORCED or weight >= thresholds.automatic:
        return ""
    if weight >= thresholds.review:
        return (
            f"{weight:.1f} bits speak for one customer; {thresholds.automatic:.1f} are needed to join without asking."
        )
    return f"{weight:.1f} bits are too few to ask a person about ({thresholds.review:.1f})."


def missing_keys_sentence(left: Features, right: Features, model: Model, oversized: Collection[int] = ()) -> str:
    """Say why two records were never compared; `oversized`: hashes of keys that were left out for their size."""
    table = Encoded(features.table([features.row_of(side) for side in (left, right)]))
    (one, other), told = (_keys_of_two(one) for one in (table, table.without(model.generic)))
    shared = sorted(one & other, key=lambda key: (kind_of(key), key))
    reasons = []
    weak = []
    for key in shared:
        kind = kind_of(key)
        if key not in told[0] or key not in told[1]:
            reasons.append(f"{SENTENCES[kind]}, a value that strangers share")
        elif key in oversized:
            reasons.append(f"{SENTENCES[kind]}, which more than {model.thresholds.block_cap} records have")
        elif kind in model.keys.off:
            reasons.append(f"{SENTENCES[kind]}, which the policy does not look at")
        elif kind in model.keys.weak:
            weak.append(f"{SENTENCES[kind]}, which many strangers share too")
        else:
            return f"They share a key ({SENTENCES[kind]}), so they are compared."
    if len(weak) > 1:
        return f"They share two keys ({'; '.join(dict.fromkeys(weak))}), so they are compared."
    reasons += weak
    if reasons:
        return "They share only " + "; ".join(dict.fromkeys(reasons)) + ". Such keys bring nobody together."
    kinds = sorted({kind_of(key) for key in one} & {kind_of(key) for key in other})
    tried = ", ".join(SENTENCES[kind].removeprefix("the ") for kind in kinds)
    return (
        f"They share no key. Tried on both sides: {tried}."
        if tried
        else "They share no key: they have no field in common to look one another up by."
    )


def _keys_of_two(table: Encoded) -> tuple[set[int], set[int]]:
    keys = blocking_keys(table)
    one, other = (set(keys.key[keys.row == row].tolist()) for row in (0, 1))
    return one, other
