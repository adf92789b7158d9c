"""The door of matching: standardise, key, score and explain; columns in, columns out, no database.

One set of functions serves one record against the hub, a batch against the hub, and a file against itself.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from apps.matching import blocking, features
from apps.matching import standardise as standardising
from apps.matching.blocking import Keys
from apps.matching.comparison_levels import FORCED, VETO
from apps.matching.encoded import Encoded
from apps.matching.explain import Explanation, explain, missing_keys_sentence, why_not_automatic
from apps.matching.features import FEATURES, FEATURES_VERSION
from apps.matching.parameters import Model
from apps.matching.scoring import Scores, score_rows

__all__ = [
    "FEATURES",
    "FEATURES_VERSION",
    "FORCED",
    "VETO",
    "Explanation",
    "Keys",
    "Model",
    "Prepared",
    "Scores",
    "blocking_keys",
    "explain",
    "from_json",
    "keep",
    "missing_keys_sentence",
    "prepare",
    "score",
    "standardise",
    "to_json",
    "why_not_automatic",
]


class Prepared(NamedTuple):
    """What is stored of a record: its features as text, and its distinct blocking keys."""

    features: str
    keys: list[int]


def standardise(canonicals: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return the features of canonical records, one row a record, in order (schema FEATURES)."""
    return features.table([standardising.standardise(canonical) for canonical in canonicals])


def prepare(canonicals: Sequence[Mapping[str, Any]], model: Model) -> list[Prepared]:
    """Return what is stored of each canonical record: `standardise` and `blocking_keys` for records on their way in."""
    rows = [standardising.standardise(canonical) for canonical in canonicals]
    keys = blocking.blocking_keys(Encoded.of_rows(rows).without(model.generic))
    ends = np.searchsorted(keys.row, np.arange(len(rows) + 1)).tolist()
    own = (keys.key[start:end].tolist() for start, end in pairwise(ends))
    return [Prepared(*stored) for stored in zip(features.texts(rows), own, strict=True)]


def to_json(table: pa.Table) -> list[str]:
    """Return the stored text of each row of a feature table."""
    return features.texts(features.rows(table))


def from_json(texts: Sequence[str]) -> pa.Table:
    """Return the feature table of stored texts; raises ValueError for text that is not an object of features."""
    return features.from_texts(texts)


def blocking_keys(table: pa.Table, model: Model) -> Keys:
    """Return the blocking keys of each row, distinct per record, without the model's generic values."""
    return blocking.blocking_keys(Encoded(table).without(model.generic))


def score(
    left: pa.Table, right: pa.Table, left_row: npt.NDArray[Any], right_row: npt.NDArray[Any], model: Model
) -> Scores:
    """Score pairs: place i compares row left_row[i] of `left` with row right_row[i] of `right`."""
    a, b = np.asarray(left_row, np.int64), np.asarray(right_row, np.int64)
    if left is not right:
        left, b = pa.concat_tables([left, right]), b + left.num_rows
    return score_rows(Encoded(left).without(model.generic), a, b, model)


def keep(scores: Scores, model: Model) -> npt.NDArray[np.bool_]:
    """Tell which pairs are worth an Edge: above the lower threshold, forced, or vetoed and still close."""
    vetoed = (scores.flags & VETO) > 0
    forced = (scores.flags & FORCED) > 0
    return np.asarray(
        (scores.weight >= model.thresholds.keep) | forced | (vetoed & (scores.weight >= model.thresholds.keep_veto))
    )
