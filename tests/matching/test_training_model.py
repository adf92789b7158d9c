"""A whole model is learned: what strangers share, how frequent names are, thresholds; and what changes is told."""

import pyarrow as pa
import pytest

from apps.matching.encoded import Encoded
from apps.matching.parameters import Model
from apps.matching.standardise_columns import standardise_columns
from apps.matching.training import Degenerate
from apps.matching.training_model import MOST_MOVED, Learned, changes, learn
from mdmhub.demo.generator import generate
from tests.matching.given import MODEL

SWITCHBOARD = "orders@forwarding.example"


def records(count: int) -> Encoded:
    """Demo customers of whom every twentieth gives one mailbox as theirs."""
    made = list(generate(count, seed=21, stories=False))[:count]
    names = sorted({name for one in made for name in one.item} - {"record_id"})
    columns = {name: [one.item.get(name) or None for one in made] for name in names}
    columns["email"] = [SWITCHBOARD if n % 20 == 0 else email for n, email in enumerate(columns["email"])]
    return standardise_columns(pa.table({n: pa.array(v, pa.string()) for n, v in columns.items()}))


@pytest.fixture(scope="module")
def learned() -> Learned:
    return learn(records(2_000), MODEL)


def test_a_model_knows_what_strangers_share_and_survives_being_stored(learned: Learned) -> None:
    assert SWITCHBOARD in learned.model.generic["email"]
    again = Model.from_dict(learned.model.to_dict())
    assert again.hash == learned.model.hash != MODEL.hash
    assert learned.model.frequencies["family_name"] != MODEL.frequencies["family_name"]
    assert learned.joined > 100
    assert 0.99 < learned.expected_precision <= 1.0


def test_what_changes_is_told_the_most_moved_first(learned: Learned) -> None:
    told = changes(MODEL, learned.model)
    moved = [abs(one["to"] - one["from"]) for one in told["levels"]]
    assert len(moved) == MOST_MOVED
    assert moved == sorted(moved, reverse=True)
    assert told["prior"]["person"] == {"from": -16.0, "to": round(learned.model.parts["person"].prior, 2)}
    assert told["thresholds"]["automatic"]["to"] == round(learned.model.thresholds.automatic, 2)
    assert told["generic"]["email"] == {"values": 1, "new": 1, "some": [SWITCHBOARD]}
    same = changes(learned.model, learned.model)
    assert (same["thresholds"], same["levels"]) == ({}, [])


def test_too_little_is_refused() -> None:
    with pytest.raises(Degenerate, match="there are 500 records; 1,000 are the least"):
        learn(records(500), MODEL)
    nobody = pa.table({"given_name": pa.array([""] * 1_000), "family_name": pa.array([""] * 1_000)})
    with pytest.raises(Degenerate, match="nothing to learn from"):
        learn(standardise_columns(nobody), MODEL)
