"""Training without labels: what it finds on made data of a known kind, and what it refuses."""

from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from apps.matching import training
from apps.matching.comparisons import compare
from apps.matching.frequencies import MOST_PARTIES, generic_values, learned_frequencies
from apps.matching.parameters import Model
from apps.matching.rarity import rarity_bits
from apps.matching.resolving import Options, Resolved, resolve
from apps.matching.scoring import Scores
from apps.matching.standardise_columns import COLUMNS, standardise_columns
from mdmhub.demo.generator import generate
from tests.matching.given import MODEL

MANY = 4_000


@pytest.fixture(scope="module")
def made() -> tuple[pa.Table, np.ndarray[Any, Any]]:
    """Records of the demo's generator, and the entity of each."""
    records = list(islice(generate(MANY, seed=3, stories=False), MANY))
    table = pa.table(
        {name: pa.array([_text(one.item.get(name)) for one in records], pa.string()) for name in COLUMNS[1:]}
    )
    numbers: dict[str, int] = {}
    return table, np.array([numbers.setdefault(str(one.entity_id), len(numbers)) for one in records])


def _text(value: object) -> str | None:
    return None if value is None or value == "" else str(value)


def quality(found: Resolved, entity: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Precision and recall of the pairs that the clusters make."""
    both = np.unique(np.stack([entity, found.label]), axis=1, return_counts=True)[1]
    right, told, true = (int((n * (n - 1) // 2).sum()) for n in (both, np.bincount(found.label), np.bincount(entity)))
    return right / told, right / true


def test_what_is_joined_without_asking_is_right_and_training_finds_more(
    made: tuple[pa.Table, np.ndarray[Any, Any]],
) -> None:
    table, entity = made
    trained, shipped = (resolve(table, MODEL, Options(train=wanted)) for wanted in (True, False))
    assert trained.trained is not None
    assert shipped.trained is None
    precision, recall = quality(trained, entity)
    assert precision >= 0.98
    assert recall > 0.8
    assert recall + precision > sum(quality(shipped, entity)) - 0.01


def test_the_same_file_gives_the_same_model(made: tuple[pa.Table, np.ndarray[Any, Any]]) -> None:
    table, _ = made
    assert resolve(table, MODEL).model.hash == resolve(table, MODEL).model.hash


def test_the_order_of_records_does_not_matter_to_a_model(made: tuple[pa.Table, np.ndarray[Any, Any]]) -> None:
    table, _ = made
    model = resolve(table, MODEL).model
    order = np.random.default_rng(5).permutation(table.num_rows)
    straight = resolve(table, model, Options(train=False))
    shuffled = resolve(table.take(pa.array(order)), model, Options(train=False))
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    groups = [_groups(straight.label), _groups(order[shuffled.label][place])]
    assert groups[0] == groups[1]


def _groups(label: np.ndarray[Any, Any]) -> set[frozenset[int]]:
    found: dict[int, list[int]] = {}
    for record, own in enumerate(label.tolist()):
        found.setdefault(own, []).append(record)
    return {frozenset(own) for own in found.values()}


def test_a_precision_is_kept_by_the_probabilities() -> None:
    """More is joined when less has to be right."""
    probability = np.linspace(0.5, 1.0, 1001, dtype=np.float32)
    scores = Scores(probability, probability, np.zeros((1001, 1), np.int8), np.zeros(1001, np.int16))
    strict, loose = (training.for_precision(MODEL.thresholds, scores, wished) for wished in (0.999, 0.9))
    assert loose.automatic < strict.automatic


def test_nothing_that_looks_like_one_customer_is_no_model() -> None:
    rng = np.random.default_rng(1)
    names = ["".join(rng.choice(list("abcdefghiklmnoprstuvw"), 9)) for _ in range(1_200)]
    table = standardise_columns(
        pa.table(
            {"kind": ["person"] * 1_200, "given_name": names, "family_name": names[::-1], "city": ["Kiel"] * 1_200}
        )
    )
    low, high = np.arange(0, 1_000), np.arange(1, 1_001)
    levels = compare(table, low, high)
    with pytest.raises(training.Degenerate, match=r"person"):
        training.train(table, low, high, levels, MODEL)


def test_a_switchboard_says_nothing() -> None:
    firms = MOST_PARTIES + 5
    table = standardise_columns(
        pa.table({
            "kind": ["organization"] * firms,
            "organization_name": [f"{chr(97 + n) * 3}{chr(98 + n) * 3}ix Works" for n in range(firms)],
            "phone": ["+49 431 555 0100"] * firms,
        })
    )  # fmt: skip
    assert set(generic_values(table)) == {"phone"}


def test_a_name_is_as_frequent_as_in_its_country() -> None:
    given = ["Georgios"] * 300 + ["Eleni"] * 300 + ["Ingrid"] * 590 + ["Georgios"] * 10
    table = standardise_columns(
        pa.table({"kind": ["person"] * 1_200, "given_name": given, "country": ["GR"] * 600 + ["SE"] * 600})
    )
    found = learned_frequencies(table, table.organizations(), {})["given_name"]
    shares = {name: round(found[name], 3) for name in ("georgios", "gr|georgios", "se|georgios")}
    assert shares == {"georgios": 0.257, "gr|georgios": 0.497, "se|georgios": 0.014}
    model = Model.from_dict({**MODEL.to_dict(), "frequencies": {"given_name": found}})
    levels = compare(table, np.array([0, 1_190]), np.array([1, 1_191]))
    at_home, abroad = rarity_bits(
        table, (np.array([0, 1_190]), np.array([1, 1_191])), levels, np.zeros(2, np.int64), model
    )["given_name"]
    assert abroad - at_home == pytest.approx(np.log2(found["gr|georgios"] / found["se|georgios"]))


def test_what_is_rare_in_the_world_is_common_in_a_small_country() -> None:
    """A country of 60 records has names of its own, and what it does not list is taken for no rarer than 1 in 300."""
    given = ["Ognyan"] * 20 + [f"Bora{n}" for n in range(40)] + [f"Name{n % 40}" for n in range(2_000)]
    table = standardise_columns(
        pa.table({"kind": ["person"] * 2_060, "given_name": given, "country": ["BG"] * 60 + ["US"] * 2_000})
    )
    found = learned_frequencies(table, table.organizations(), {})["given_name"]
    assert found["bg|ognyan"] == pytest.approx(18.5 / 60)
    assert found["bg|"] == pytest.approx(1 / 300)
    assert found["us|"] == pytest.approx(1 / 2_000)
    assert found["ognyan"] == pytest.approx(18.5 / 2_060)


def test_a_company_of_frequent_words_is_no_rare_one() -> None:
    """Neither name is listed, but one is of words that many firms bear."""
    frequent = [f"Garcia Nova{n}" for n in range(300)] + [f"Lumo{n} Envases" for n in range(300)]
    names = [*frequent, "Garcia Envases", "Garcia Envases", "Quillobar Pinzertum", "Quillobar Pinzertum"]
    table = standardise_columns(
        pa.table({"kind": ["organization"] * 604, "organization_name": names, "country": ["ES"] * 604})
    )
    shares = learned_frequencies(table, table.organizations(), {})
    assert "es|garcia envases" not in shares["company_name"]
    assert shares["company_word"]["es|garcia"] == pytest.approx(300.5 / 604)
    model = Model.from_dict({**MODEL.to_dict(), "frequencies": shares})
    low, high = np.array([600, 602]), np.array([601, 603])
    one = rarity_bits(table, (low, high), compare(table, low, high), np.ones(2, np.int64), model)["company_name"]
    rare = 1 / 604
    assert one[1] - one[0] == pytest.approx(np.log2((300.5 / 604) ** 2 / rare**2))
