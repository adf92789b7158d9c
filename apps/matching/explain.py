"""Why two records are, or are not, one customer: field by field, in bits and in words."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from apps.matching import features
from apps.matching.blocking import KINDS, hash_key, keys_of
from apps.matching.comparison_levels import COMPARISONS, FORCED, LEVELS, VETO, level_name
from apps.matching.comparisons import vetoes
from apps.matching.parameters import PARTS, Model
from apps.matching.rarity import rarity_bits
from apps.matching.scoring import score_rows

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
    scores = score_rows(table, *pair, model)
    levels = scores.levels
    part = int("o" in (left.get("kind"), right.get("kind")))
    rarity = rarity_bits(table, pair, levels, np.array([part]), model)
    lines = []
    for place, comparison in enumerate(COMPARISONS):
        number = int(levels[0, place])
        change = float(rarity[comparison][0]) if comparison in rarity else 0.0
        shown = _show(comparison, left), _show(comparison, right)
        bits = round(float(model.bits[part, place, number]) + change, 2)
        sentence = _sentence(comparison, number, shown, change)
        lines.append(Line(comparison, level_name(comparison, number), bits, sentence, *shown))
    prior = round(float(model.prior[part]), 2)
    weight = round(float(scores.weight[0]), 2)
    kinship = round(weight - prior - sum(line.bits for line in lines), 2)
    return Explanation(
        lines=tuple(lines),
        prior=prior,
        kinship=kinship,
        kinship_sentence=_kinship_sentence(kinship, levels, part, model),
        weight=weight,
        probability=round(float(scores.probability[0]), 6),
        flags=_flags(levels),
        model=model.hash,
    )


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


def _kinship_sentence(kinship: float, levels: Any, part: int, model: Model) -> str:
    """Name the class of related customers that fits best."""
    if kinship > -0.5:
        return "nothing speaks of two related customers"
    classes = list(model.parts[PARTS[part]].related)
    places = np.arange(len(COMPARISONS)), levels[0].astype(np.int64)
    odds = [
        model.related_prior[part, place] + model.related_bits[part, place][places].sum()
        for place in range(len(classes))
    ]
    likeliest = classes[int(np.argmax(odds))]
    return f"what agrees and what does not also fits {_RELATED.get(likeliest, likeliest)}"


def _flags(levels: Any) -> tuple[tuple[str, str], ...]:
    found = [
        ("veto", f"Never joined without a person's word: {sentence}.")
        for sentence, pairs in vetoes(levels).items()
        if pairs[0]
    ]
    if level_name("identifier", int(levels[0, COMPARISONS.index("identifier")])) == "same_verified":
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
    one, other = (dict.fromkeys(keys_of(features.row_of(side))) for side in (left, right))
    shared = [key for key in one if key in other]
    reasons = []
    for kind, value in shared:
        if f"{kind}|{value}" in model.generic:
            reasons.append(f"{KINDS[kind]}, a value that strangers share")
        elif hash_key(kind, value) in oversized:
            reasons.append(f"{KINDS[kind]}, which more than {model.thresholds.block_cap} records have")
        else:
            return f"They share a key ({KINDS[kind]}), so they are compared."
    if reasons:
        return "They share only " + "; ".join(dict.fromkeys(reasons)) + ". Such keys bring nobody together."
    kinds = sorted({kind for kind, _ in one} & {kind for kind, _ in other})
    tried = ", ".join(KINDS[kind].removeprefix("the ") for kind in kinds)
    return (
        f"They share no key. Tried on both sides: {tried}."
        if tried
        else "They share no key: they have no field in common to look one another up by."
    )
