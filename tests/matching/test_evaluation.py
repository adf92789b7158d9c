"""Figures against the truth: as a person would count them, with intervals that hold, and a page that shows them all."""

import re
from html.parser import HTMLParser
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.matching import evaluation
from apps.matching.comparison_levels import VETO
from apps.matching.evaluation_document import UNKNOWN, of_clusters, of_file
from apps.matching.evaluation_keys import keys_of_pairs
from apps.matching.evaluation_report import html
from apps.matching.frequencies import generic_values
from apps.matching.pairs import pairs_of
from apps.matching.resolving import Clock, Options, resolve_standardised
from apps.matching.standardise_columns import standardise_columns
from mdmhub.demo.generator import generate
from tests.matching.given import MODEL

labels = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12)


@given(labels)
def test_figures_are_those_of_counting_pair_by_pair(both: list[tuple[int, int]]) -> None:
    entity, cluster = (evaluation.codes(side) for side in zip(*both, strict=True))
    found = evaluation.clusters_against(entity, cluster, resamples=3)
    pairs = list(combinations(range(len(both)), 2))
    said = {p for p in pairs if cluster[p[0]] == cluster[p[1]]}
    true = {p for p in pairs if entity[p[0]] == entity[p[1]]}
    assert found["pairs"].precision.value == pytest.approx(len(said & true) / len(said) if said else 1.0, abs=1e-4)
    assert found["pairs"].recall.value == pytest.approx(len(said & true) / len(true) if true else 1.0, abs=1e-4)
    right = [
        sum(entity[a] == entity[b] and cluster[a] == cluster[b] for b in range(len(both))) for a in range(len(both))
    ]
    precision = np.mean([r / np.sum(cluster == own) for r, own in zip(right, cluster, strict=True)])
    recall = np.mean([r / np.sum(entity == own) for r, own in zip(right, entity, strict=True)])
    assert found["b_cubed"].precision.value == pytest.approx(precision, abs=1e-4)
    assert found["b_cubed"].f1.value == pytest.approx(2 * precision * recall / (precision + recall), abs=1e-4)


def test_an_interval_holds_the_figure_and_narrows_with_more_entities() -> None:
    rng = np.random.default_rng(2)
    widths = []
    for size in (200, 5_000):
        entity = np.repeat(np.arange(size), 3)
        cluster = np.where(rng.random(3 * size) < 0.1, 3 * size + np.arange(3 * size), entity)
        recall = evaluation.clusters_against(entity, np.unique(cluster, return_inverse=True)[1])["pairs"].recall
        assert recall.low < recall.value < recall.high
        widths.append(recall.high - recall.low)
    assert widths[1] < widths[0] / 3
    again = [evaluation.pairs_against(entity > 2, entity > 1, seed=4) for _ in range(2)]
    assert again[0] == again[1]


def test_the_curve_counts_what_never_met_and_leaves_out_vetoes() -> None:
    same, weight = np.array([True, True, False, True]), np.array([9.0, 4.0, 4.0, 8.0])
    steps = {step["weight"]: step for step in evaluation.curve(same, weight, np.array([0, 0, 0, VETO]), true=5)}
    assert (steps[4.0]["pairs"], steps[4.0]["precision"], steps[4.0]["recall"]) == (3, 0.66667, 0.4)
    assert (steps[8.0]["pairs"], steps[8.0]["precision"], steps[8.0]["recall"]) == (1, 1.0, 0.2)


def test_calibration_by_band() -> None:
    bands = evaluation.calibration(np.array([True, False, True]), np.array([0.6, 0.7, 1.0]), np.zeros(3, np.int16))
    assert [(b["from"], b["to"], b["pairs"], b["actual"]) for b in bands] == [(0.5, 0.75, 2, 0.5), (0.999, 1.0, 1, 1.0)]
    assert bands[0]["expected"] == pytest.approx(0.65)


def test_records_that_the_truth_does_not_know_are_left_out() -> None:
    found = of_clusters(np.array([0, 0, UNKNOWN, 1]), np.array([7, 7, 7, 9]))
    assert (found["records"], found["not_in_the_truth"], found["largest"]) == (3, 1, 2)
    assert found["quality"]["pairs"]["f1"]["value"] == 1.0


# ── a whole file ────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture(scope="module")
def judged() -> tuple[Any, Any, Any, dict[str, Any]]:
    records = list(generate(1_500, seed=11, stories=False))[:1_500]
    names = sorted({name for one in records for name in one.item} - {"record_id"})
    table = pa.table({n: pa.array([one.item.get(n) or None for one in records], pa.string()) for n in names})
    entity = evaluation.codes([one.entity_id for one in records])
    encoded = standardise_columns(table)
    found = resolve_standardised(encoded, MODEL, Options(cores=1), Clock(lambda phase: None), [])
    return encoded, found, entity, of_file(encoded, found, entity)


def test_every_missed_pair_has_its_reason_and_every_figure_its_source(
    judged: tuple[Any, Any, Any, dict[str, Any]],
) -> None:
    _, found, _, document = judged
    missed = document["missed"]
    assert missed["pairs"] == missed["never_met"] + missed["too_light_to_keep"] + missed["kept_apart"] > 0
    recall = document["quality"]["pairs"]["recall"]["value"]
    assert recall == pytest.approx(1 - missed["pairs"] / document["true_pairs"], abs=1e-4)
    by_comparison: dict[str, int] = {}
    for row in document["confusion"]:
        by_comparison[row["comparison"]] = by_comparison.get(row["comparison"], 0) + row["missed"]
    assert set(by_comparison.values()) == {missed["pairs"]}, "each missed pair shows one level of each comparison"
    assert sum(band["pairs"] for band in document["calibration"]) == int(((found.scores.flags & VETO) == 0).sum())


def test_keys_that_bring_pairs_together_are_those_that_matching_uses(
    judged: tuple[Any, Any, Any, dict[str, Any]],
) -> None:
    encoded, _, entity, document = judged
    records = encoded.without(generic_values(encoded))
    low, high = evaluation.pairs_within(entity)
    met = set(zip(*(side.tolist() for side in pairs_of(records, MODEL)[:2]), strict=True))
    true = list(zip(low.tolist(), high.tolist(), strict=True))
    found = keys_of_pairs(records, low, high, MODEL)
    assert {true[at] for at in found["never"].tolist()} == set(true) - met
    assert document["keys"]["never_met"] == len(set(true) - met) > 0
    kinds = {kind["key"]: kind for kind in found["kinds"]}
    assert 0 < kinds["the same email"]["pairs"] < len(true)
    assert 0 < sum(kind["alone"] for kind in kinds.values()) < len(true)


class Page(HTMLParser):
    """Counts elements and reads every attribute."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: dict[str, int] = {}
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.attributes += attrs


def test_the_page_stands_alone_and_has_a_table_beside_each_drawing(
    judged: tuple[Any, Any, Any, dict[str, Any]],
) -> None:
    page = html(judged[3], "<b> against truth")
    seen = Page(page)
    assert seen.tags["svg"] == 4
    assert seen.tags["table"] == 6
    assert not {"script", "link", "img", "iframe", "b"} & seen.tags.keys()
    assert not {name for name, _ in seen.attributes} & {"src", "href", "style", "onclick"}
    assert "url(" not in page and "http" not in page
    assert [name for name, _ in seen.attributes].count("role") == 10


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_colour_of_the_page_can_be_read(judged: tuple[Any, Any, Any, dict[str, Any]], *, dark: bool) -> None:
    page = html(judged[3], "x")
    found = re.findall(r":root \{([^}]*)\}", page)[int(dark)]
    colour = dict(re.findall(r"--(\w+): (#\w+)", found))
    for name in ("text", "quiet", "one", "two"):
        for ground in ("ground", "surface"):
            assert contrast(colour[name], colour[ground]) >= 4.5, (name, ground)


def contrast(one: str, other: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""

    def light(text: str) -> float:
        digits = text[1:] if len(text) == 7 else "".join(2 * digit for digit in text[1:])
        parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)
