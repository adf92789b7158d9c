"""The model as a document."""

import json
from copy import deepcopy
from typing import Any

import numpy as np
import pytest

from apps.matching.comparison_levels import COMPARISONS, LEVELS
from apps.matching.parameters import Model, ModelError
from tests.matching.given import MODEL


def test_a_model_goes_out_as_json_and_comes_back_the_same() -> None:
    again = Model.from_dict(json.loads(json.dumps(MODEL.to_dict())))
    assert again.hash == MODEL.hash
    assert np.array_equal(again.bits, MODEL.bits)
    assert again.thresholds == MODEL.thresholds


@pytest.mark.parametrize(
    "path",
    [
        ("thresholds", "automatic"),
        ("person", "prior"),
        ("person", "related", "household"),
        ("frequencies", "family_name", "smith"),
    ],
    ids=str,
)
def test_every_number_is_part_of_the_hash(path: tuple[str, ...]) -> None:
    document = deepcopy(MODEL.to_dict())
    inner: Any = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] += 0.001
    assert Model.from_dict(document).hash != MODEL.hash


def test_the_shipped_model_names_every_level() -> None:
    for part in MODEL.parts.values():
        for comparison, levels in part.levels.items():
            if levels and comparison != "kind":
                assert set(levels) == {name for name, _ in LEVELS[comparison]}, comparison
    assert MODEL.bits.shape[:2] == (2, len(COMPARISONS))
    assert not MODEL.bits.flags.writeable


def _changed(change: Any) -> dict[str, Any]:
    document = deepcopy(MODEL.to_dict())
    change(document)
    return document


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("person"), "not a model"),
        (lambda d: d["thresholds"].pop("margin"), "not a model"),
        (lambda d: d["thresholds"].update(review=99), "rise"),
        (lambda d: d["thresholds"].update(block_cap=1), "caps"),
        (lambda d: d["person"]["levels"]["email"].update(sane=[0.1, 0.1, 0.1, 0.1]), "unknown levels: sane"),
        (lambda d: d["person"]["levels"]["email"].update(same=[0.1, 0.1]), "4 shares"),
        (lambda d: d["person"]["levels"]["email"].update(same=[0.1, 0, 0.1, 0.1]), "above 0"),
        (lambda d: d["frequencies"].update(email={"a": 0.1}), "frequencies"),
        (lambda d: d["frequencies"]["given_name"].update(bob=2), "frequencies"),
    ],
    ids=range(9),
)
def test_a_bad_document_is_refused_with_its_reason(change: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Model.from_dict(_changed(change))
