"""The model of matching: parameters, generic values, frequencies and thresholds; frozen, hashed, plain data outside."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from hashlib import blake2b
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from apps.matching.blocking_kinds import KeyRules
from apps.matching.comparison_levels import COMPARISONS, LEVELS, MOST_LEVELS
from apps.matching.features import FEATURES_VERSION
from apps.matching.text import fold, reference, reference_versions

PARTS: Final = ("person", "organization")
FREQUENCIES: Final = ("given_name", "family_name", "company_name", "company_word", "country")
"""What weighs by its rarity where it agrees; a company's name that is not listed is as rare as its words together."""
GENERIC: Final = ("email", "phone", "domain", "identifier", "birth")  # features whose values may be known to be shared
DEFAULT: Final = Path(__file__).resolve().parents[2] / "policy" / "matching.toml"
Doubles = npt.NDArray[np.float64]


class ModelError(ValueError):
    """A model document that cannot be used; says which entry and why."""


@dataclass(frozen=True)
class Thresholds:
    """Weights in bits, and caps in records.

    automatic: from here a pair is one customer without asking; review: from here a person is asked; keep: from here a
    pair is stored; keep_veto: the same for vetoed pairs; margin: how far ahead the best candidate must be;
    outweigh: from here other birth dates or suffixes under one name no longer keep two apart; bridge: what
    a lone link between two groups must weigh. block_cap: a key held by more records links nobody; cluster_cap: most
    records of one customer; component_cap: most records decided together.
    """

    automatic: float
    review: float
    keep: float
    keep_veto: float
    margin: float
    bridge: float
    block_cap: int
    cluster_cap: int
    component_cap: int
    outweigh: float = 99.0

    def __post_init__(self) -> None:
        """Check the order: keep <= review <= automatic <= bridge, margin and caps positive."""
        if not self.keep <= self.review <= self.automatic <= self.bridge:
            raise ModelError("thresholds must rise: keep, review, automatic, bridge")
        if self.margin < 0 or min(self.block_cap, self.cluster_cap, self.component_cap) < 2:
            raise ModelError("margin must not be negative, and caps must be 2 or more")

    def automatic_from(self, probability: float) -> "Thresholds":
        """The same with another threshold for joining without asking: a probability above 0 and below 1. Rounded down to a thousandth
        of a bit, so that a pair of just this probability joins."""
        if not 0 < probability < 1:
            raise ModelError(f"a threshold is a probability above 0 and below 1, not {probability}")
        bits = float(np.floor(np.log2(probability / (1 - probability)) * 1000) / 1000)
        return replace(
            self, automatic=bits, keep=min(self.keep, bits), review=min(self.review, bits),
            bridge=max(bits, bits + self.bridge - self.automatic),
        )  # fmt: skip


Table = Mapping[str, Mapping[str, tuple[float, ...]]]  # comparison -> level -> (m, u, one r for each related class)


@dataclass(frozen=True)
class Part:
    """Parameters for pairs of persons, or of organisations.

    prior: log2 odds that a random pair is one customer; related: for each class of related pairs (a household, sister
    companies) the log2 odds that another pair is of it, not unrelated.
    """

    prior: float
    related: Mapping[str, float]
    levels: Table


@dataclass(frozen=True, eq=False)
class Model:
    """A frozen model. Its hash covers all that can change a score, versions of features and reference files included.

    frequencies: comparison -> folded value -> share of records with it; generic: values by feature that
    strangers share: they say nothing; keys: what each kind of blocking key counts for.
    """

    parts: Mapping[str, Part]
    thresholds: Thresholds
    generic: Mapping[str, frozenset[str]]
    frequencies: Mapping[str, Mapping[str, float]]
    keys: KeyRules
    bits: Doubles  # part × comparison × level: log2(m/u)
    related_bits: Doubles  # part × class × comparison × level: log2(r/u)
    prior: Doubles  # per part
    related_prior: Doubles  # part × class

    @cached_property
    def hash(self) -> str:
        """A number for all that can change a score."""
        return _hash(self.to_dict())

    @staticmethod
    def from_dict(document: Mapping[str, Any]) -> "Model":
        """Build a model from plain data; raises ModelError."""
        try:
            thresholds = Thresholds(**document["thresholds"])
            parts = {name: _part(name, document[name]) for name in PARTS}
            frequencies = {
                name: MappingProxyType(dict(table)) for name, table in document.get("frequencies", {}).items()
            }
        except (KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"not a model: {error}") from error
        if not set(frequencies) <= set(FREQUENCIES) or not all(
            0 < share <= 1 for table in frequencies.values() for share in table.values()
        ):
            raise ModelError(f"frequencies are shares above 0 of {', '.join(FREQUENCIES)}")
        try:
            keys = KeyRules.of(document.get("keys") or {})
        except ValueError as error:
            raise ModelError(str(error)) from error
        generic = {name: frozenset(values) for name, values in (document.get("generic") or {}).items()}
        if not set(generic) <= set(GENERIC):
            raise ModelError(f"generic values are of {', '.join(GENERIC)}")
        bits = np.array([_bits(parts[name].levels, 0) for name in PARTS])
        classes = max(len(part.related) for part in parts.values())
        related_bits = np.array([[_bits(parts[name].levels, 2 + place) for place in range(classes)] for name in PARTS])
        prior = np.array([parts[name].prior for name in PARTS])
        related_prior = np.array(
            [[*parts[name].related.values(), *[-np.inf] * (classes - len(parts[name].related))] for name in PARTS]
        )
        for array in (bits, related_bits, prior, related_prior):
            array.setflags(write=False)
        return Model(
            MappingProxyType(parts),
            thresholds,
            MappingProxyType(generic),
            MappingProxyType(frequencies),
            keys,
            bits,
            related_bits,
            prior,
            related_prior,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return Model.from_dict, (self.to_dict(),)

    @staticmethod
    def load_default() -> "Model":
        """Return the shipped model (policy/matching.toml)."""
        return _default()

    def to_dict(self) -> dict[str, Any]:
        """Return the model as plain data that `from_dict` reads and JSON can hold."""
        return _plain(self.parts, self.thresholds, self.generic, self.frequencies, self.keys)


@lru_cache(maxsize=1)
def _default() -> Model:
    document = tomllib.loads(DEFAULT.read_text(encoding="utf-8"))
    common = reference("common_names")
    document.setdefault(
        "frequencies",
        {name: {fold(key): share for key, share in common[name].items()} for name in FREQUENCIES if name in common},
    )
    return Model.from_dict(document)


def _part(name: str, document: Mapping[str, Any]) -> Part:
    related = {name: float(odds) for name, odds in document["related"].items()}
    levels = {}
    for comparison in COMPARISONS:
        table = document["levels"].get(comparison, {})
        unknown = set(table) - {level for level, _ in LEVELS[comparison]}
        if unknown:
            raise ModelError(f"{name}.{comparison} has unknown levels: {', '.join(sorted(unknown))}")
        levels[comparison] = MappingProxyType(
            {
                level: _shares(f"{name}.{comparison}.{level}", values, 2 + len(related))
                for level, values in table.items()
            }
        )
    return Part(float(document["prior"]), MappingProxyType(related), MappingProxyType(levels))


def _shares(where: str, values: Any, size: int) -> tuple[float, ...]:
    if len(values) != size or not all(0 < value <= 1 for value in values):
        raise ModelError(f"{where} must be {size} shares above 0 and up to 1: m, u and one for each related class")
    return tuple(map(float, values))


def _bits(table: Table, place: int) -> Doubles:
    """Return log2 of the share at `place` over u, comparison × level; 0 for levels that are not listed."""
    result = np.zeros((len(COMPARISONS), MOST_LEVELS))
    for row, comparison in enumerate(COMPARISONS):
        for number, (level, _) in enumerate(LEVELS[comparison], 1):
            shares = table[comparison].get(level)
            if shares and place < len(shares):
                result[row, number] = np.log2(shares[place] / shares[1])
    return result


def _plain(
    parts: Mapping[str, Part],
    thresholds: Thresholds,
    generic: Mapping[str, frozenset[str]],
    frequencies: Mapping[str, Mapping[str, float]],
    keys: KeyRules,
) -> dict[str, Any]:
    described: dict[str, Any] = {
        name: {
            "prior": part.prior,
            "related": dict(part.related),
            "levels": {
                comparison: {level: list(shares) for level, shares in table.items()}
                for comparison, table in part.levels.items()
            },
        }
        for name, part in parts.items()
    }
    described["thresholds"] = dict(vars(thresholds))
    described["generic"] = {name: sorted(values) for name, values in sorted(generic.items())}
    described["keys"] = keys.to_dict()
    described["frequencies"] = {name: dict(sorted(table.items())) for name, table in frequencies.items()}
    return described


def _hash(plain: dict[str, Any]) -> str:
    covered = {**plain, "features": FEATURES_VERSION, "reference": reference_versions()}
    return blake2b(json.dumps(covered, sort_keys=True).encode(), digest_size=16).hexdigest()
