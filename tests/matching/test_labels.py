"""Labels: what is wrong with a line is said, what is right teaches, chooses the threshold, and is obeyed."""

import numpy as np
import pyarrow as pa
import pytest

from apps.matching import partition, resolving
from apps.matching.comparison_levels import COMPARISONS, level_number
from apps.matching.labels import LEAST, NO_LABELS, Labels, Line, labels_from, labels_of
from apps.matching.labels_threshold import advise, corrected_by, wilson
from apps.matching.resolving import Options, Resolved, resolve
from apps.matching.scoring import Scores
from mdmhub.demo.generator import generate
from tests.matching.given import LIMITS, MODEL

IDS = pa.array(["a", "b", "c", "d"])


def test_each_pair_counts_once_whichever_way_it_is_written() -> None:
    labels, problems = labels_of([Line(2, "a", "b", "1"), Line(3, "b", "a", "yes"), Line(4, "c", "b", False)], IDS)
    assert problems == []
    assert labels.pairs(same=True) == [(0, 1)]
    assert labels.pairs(same=False) == [(1, 2)]


def test_what_cannot_be_used_is_said_by_line_and_the_rest_counts() -> None:
    lines = [
        Line(2, "a", "z", "1"), Line(3, "a", "a", "1"), Line(4, "a", "b", "perhaps"), Line(5, None, "b", "0"),
        Line(6, "c", "d", "true"), Line(7, "d", "c", "no"), Line(8, "a", "c", 1.0),
    ]  # fmt: skip
    labels, problems = labels_of(lines, IDS)
    assert labels.pairs(same=True) == [(0, 2)]
    assert labels.pairs(same=False) == []
    assert problems == [
        "line 2: there is no record z",
        "line 3: record a is labelled with itself",
        "line 4: perhaps is no verdict; write 1 or 0, yes or no",
        "line 5: a record's id is missing",
        "lines 6, 7: one pair is labelled both ways, so none of them counts",
    ]


def test_half_is_held_out_by_the_ids_alone() -> None:
    ids = pa.array([f"r{n}" for n in range(2_000)])
    pairs = [(n, n + 1, True) for n in range(0, 2_000, 2)]
    held = labels_from(pairs, ids).held_out
    assert 0.45 < held.mean() < 0.55
    backwards = labels_from([(1_999 - b, 1_999 - a, same) for a, b, same in pairs], pa.array(ids.to_pylist()[::-1]))
    assert backwards.held_out.tolist() == held.tolist()


def scored(weight: np.ndarray) -> Scores:
    bits = weight.astype(np.float32)
    levels, flags = np.zeros((len(bits), len(COMPARISONS)), np.int8), np.zeros(len(bits), np.int16)
    return Scores(bits, (1 / (1 + np.exp2(-bits))).astype(np.float32), levels, flags)


def test_labels_correct_odds_that_promise_too_much_or_too_little() -> None:
    rng = np.random.default_rng(3)
    weight = rng.uniform(0, 6, 20_000)
    for off in (-1.5, 0.0, 1.0):
        same = rng.random(len(weight)) < 1 / (1 + np.exp2(-(weight + off)))
        assert corrected_by(weight, same) == pytest.approx(off, abs=0.15)
    assert corrected_by(weight[:0], np.zeros(0, np.bool_)) == 0.0


def test_the_threshold_keeps_the_precision_that_was_wished() -> None:
    """Weights that promise 2 bits too much: with labels what is joined is right as often as it was wished."""
    rng = np.random.default_rng(5)
    weight = rng.uniform(-3, 14, 40_000)
    same = rng.random(len(weight)) < 1 / (1 + np.exp2(-(weight - 2.0)))
    chosen = rng.choice(len(weight), 2_000, replace=False)
    labels = Labels(chosen, chosen + 1, same[chosen], rng.random(2_000) < 0.5)
    scores = scored(weight)
    found = advise(labels, scores.where(chosen), scores, LIMITS, 0.98)
    joined = weight >= found.thresholds.automatic
    assert 0.98 <= same[joined].mean() < 0.998
    assert found.chooses and found.warnings == []
    assert [one.chosen for one in found.by_weight].count(True) == 1
    one = next(one for one in found.by_weight if one.weight == 4.0)
    held = chosen[labels.held_out]
    assert one.joined == (weight[held] >= 4).sum()
    assert one.precision == pytest.approx(same[held][weight[held] >= 4].mean(), abs=1e-4)


def test_of_a_few_labels_nothing_is_chosen() -> None:
    few = labels_from([(0, 1, True)], IDS)
    found = advise(few, scored(np.array([9.0])), scored(np.array([9.0])), LIMITS, 0.995)
    assert (found.chooses, found.thresholds) == (False, LIMITS)
    assert found.warnings == [
        f"Only 1 labels can be used; the threshold stays as it is until there are {LEAST} or more."
    ]


def test_wilson() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(98, 100) == (0.93, 0.9945)


# ── in a whole run ──────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture(scope="module")
def file() -> tuple[pa.Table, list[str]]:
    """1,500 records as a file would give them, and the entity of each."""
    records = list(generate(1_500, seed=11, stories=False))[:1_500]
    names = sorted({name for one in records for name in one.item} - {"record_id"})
    columns = {name: pa.array([one.item.get(name) or None for one in records], pa.string()) for name in names}
    return pa.table(columns), [one.entity_id for one in records]


@pytest.fixture(scope="module")
def plain(file: tuple[pa.Table, list[str]]) -> Resolved:
    return resolve(file[0], MODEL, Options(cores=1))


def labelled(found: Resolved, entity: list[str], count: int, *, wrong: bool = False) -> Labels:
    near = np.argsort(np.abs(found.scores.weight - found.model.thresholds.automatic), kind="stable")[:count]
    pairs = sorted((int(found.low[at]), int(found.high[at])) for at in near)
    return labels_from(
        [(a, b, (entity[a] == entity[b]) != wrong) for a, b in pairs], pa.array([str(n) for n in range(len(entity))])
    )


def test_two_cores_find_what_one_finds(
    file: tuple[pa.Table, list[str]], plain: Resolved, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taught by labels too; every part of the work is shared, however little there is."""
    monkeypatch.setattr(resolving, "MANY", 1)
    monkeypatch.setattr(partition, "MANY", 2)
    labels = labelled(plain, file[1], 60)
    one, two = (resolve(file[0], MODEL, Options(cores=cores, labels=labels)) for cores in (1, 2))
    assert two.model.hash == one.model.hash != MODEL.hash
    assert two.label.tolist() == one.label.tolist()
    assert two.scores.weight.tolist() == one.scores.weight.tolist()
    assert sorted(two.doubts) == sorted(one.doubts)
    assert two.blocks == one.blocks


def test_labels_teach_and_are_obeyed(file: tuple[pa.Table, list[str]], plain: Resolved) -> None:
    labels = labelled(plain, file[1], 60)
    told = []
    found = resolve(file[0], MODEL, Options(cores=1, labels=labels, shown=told.append))
    assert told == [found.advice]
    assert found.model.hash != plain.model.hash
    assert all(found.label[a] == found.label[b] for a, b in labels.pairs(same=True))
    assert all(found.label[a] != found.label[b] for a, b in labels.pairs(same=False))


def test_only_learned_from_they_bind_nobody(file: tuple[pa.Table, list[str]], plain: Resolved) -> None:
    labels = labelled(plain, file[1], 8, wrong=True)
    bound, free = (
        resolve(file[0], MODEL, Options(train=False, cores=1, labels=labels, obeyed=obeyed)) for obeyed in (True, False)
    )
    unlabelled = resolve(file[0], MODEL, Options(train=False, cores=1))
    assert free.label.tolist() == unlabelled.label.tolist()
    assert bound.label.tolist() != unlabelled.label.tolist()


def test_labels_move_what_is_believed_of_a_level(file: tuple[pa.Table, list[str]], plain: Resolved) -> None:
    """Said to be one customer again and again, people with other addresses of mail make that speak less against."""
    place, other = COMPARISONS.index("email"), level_number("email", "different")
    kinds, mails = (file[0].column(name).to_pylist() for name in ("kind", "email"))
    people = [n for n in range(1_500) if kinds[n] == "person" and mails[n]][:80]
    pairs = [(a, b, True) for a, b in zip(people[::2], people[1::2], strict=True)]
    labels = labels_from(pairs, pa.array([str(n) for n in range(1_500)]))
    taught, held = (
        resolve(file[0], MODEL, Options(cores=1, labels=labels._replace(held_out=np.full(len(pairs), out))))
        for out in (False, True)
    )
    assert taught.model.bits[0, place, other] > plain.model.bits[0, place, other] + 0.05
    assert held.trained is not None and plain.trained is not None
    assert held.trained.model.hash == plain.trained.model.hash, "what is held out teaches nothing"


def test_no_labels_change_nothing(file: tuple[pa.Table, list[str]], plain: Resolved) -> None:
    again = resolve(file[0], MODEL, Options(cores=1, labels=NO_LABELS))
    assert again.advice is None
    assert again.model.hash == plain.model.hash
