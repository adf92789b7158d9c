"""resolve with labels, evaluate_matching and train_matching: files in, figures out, and a hub that learns from itself."""

import csv
import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command

from apps.common.errors import Retryable
from apps.matching import match, sweep
from apps.matching.activation import activate, keep_draft, queue_some
from apps.matching.judge import join, separate
from apps.matching.model import active_model
from apps.matching.models import Edge, MatchModel, Redo
from apps.matching.parameters import Model
from mdmhub.demo.generator import generate
from tests import pipeline

RECORDS = 1_200


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """records.csv, truth.csv and the clusters that `resolve` makes of them."""
    folder = tmp_path_factory.mktemp("files")
    records = list(generate(RECORDS, seed=5, stories=False))[:RECORDS]
    names = sorted({name for one in records for name in one.item} - {"record_id"})
    rows = [[str(n), *(one.item.get(name) or "" for name in names)] for n, one in enumerate(records)]
    write(folder / "records.csv", ["record_id", *names], rows)
    write(folder / "truth.csv", ["record_id", "entity_id"], [[str(n), one.entity_id] for n, one in enumerate(records)])
    call_command(
        "resolve", str(folder / "records.csv"), output=folder / "clusters.csv", pairs=folder / "pairs.csv", cores=1
    )
    return folder


def write(path: Path, head: list[str], rows: list[list[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([head, *rows])


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def run(*args: Any, **options: Any) -> dict[str, Any]:
    out = StringIO()
    call_command(*map(str, args), json=True, stdout=out, **options)
    return dict(json.loads(out.getvalue()))


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_clusters_obey_labels_and_bad_lines_are_told(files: Path, tmp_path: Path) -> None:
    entity = {row["record_id"]: row["entity_id"] for row in read(files / "truth.csv")}
    weak = sorted(read(files / "pairs.csv"), key=lambda row: float(row["weight"]))[:30]
    labelled = [
        [row["left"], row["right"], "yes" if entity[row["left"]] == entity[row["right"]] else "no"] for row in weak
    ]
    write(tmp_path / "labels.csv", ["left", "right", "match"], [*labelled, ["0", "0", "1"], ["0", "none", "0"]])
    told = run("resolve", files / "records.csv", output=tmp_path / "out.csv", labels=tmp_path / "labels.csv", cores=1)
    cluster = {row["record_id"]: row["cluster_id"] for row in read(tmp_path / "out.csv")}
    assert {(cluster[a] == cluster[b]) for a, b, said in labelled if said == "yes"} == {True}
    assert {(cluster[a] == cluster[b]) for a, b, said in labelled if said == "no"} == {False}
    assert "labels.csv, line 32: record 0 is labelled with itself" in told["warnings"]
    assert "labels.csv, line 33: there is no record none" in told["warnings"]
    assert told["labels"]["learned_from"] + told["labels"]["held_out"] == 30


def test_files_that_share_ids_are_judged_by_the_ids_that_resolve_writes(files: Path, tmp_path: Path) -> None:
    """Two halves of a file, each numbered from 0: the figures are those of the clusters that `resolve` writes for the two."""
    records, entities = read(files / "records.csv"), [row["entity_id"] for row in read(files / "truth.csv")]
    half, truth = len(records) // 2, []
    for name, first in (("crm", 0), ("erp", half)):
        own = records[first : first + half]
        rows = [[str(n), *list(row.values())[1:]] for n, row in enumerate(own)]
        write(tmp_path / f"{name}.csv", list(records[0]), rows)
        truth += [[f"{name}:{n}", entities[first + n]] for n in range(half)]
    write(tmp_path / "truth.csv", ["record_id", "entity_id"], truth)
    both = tmp_path / "crm.csv", tmp_path / "erp.csv"
    run("resolve", *both, output=tmp_path / "clusters.csv", cores=1)
    err = StringIO()
    judged = run("evaluate_matching", *both, truth=tmp_path / "truth.csv", stderr=err)
    of_clusters = run("evaluate_matching", truth=tmp_path / "truth.csv", clusters=tmp_path / "clusters.csv")
    assert judged["quality"] == of_clusters["quality"]
    assert judged["quality"]["pairs"]["recall"]["value"] > 0.5
    assert "file:record_id" in err.getvalue()


def test_the_held_out_labels_are_shown_before_a_cluster_is_made(files: Path, tmp_path: Path) -> None:
    pairs = read(files / "pairs.csv")[:40]
    lines = [json.dumps({"left": row["left"], "right": row["right"], "match": True}) for row in pairs]
    (tmp_path / "labels.ndjson").write_text("\n".join(lines), encoding="utf-8")
    err = StringIO()
    call_command(
        "resolve", str(files / "records.csv"), output=tmp_path / "out.csv", labels=tmp_path / "labels.ndjson",
        labels_learn_only=True, cores=1, stderr=err, stdout=StringIO(),
    )  # fmt: skip
    told = err.getvalue()
    assert 0 < told.index("held out. Of these, joined from") < told.index("<- chosen") < told.index("cluster")


def test_clusters_and_files_are_judged_alike(files: Path, tmp_path: Path) -> None:
    truth = files / "truth.csv"
    whole = run("evaluate_matching", files / "records.csv", truth=truth, html=tmp_path / "report.html")
    alone = run("evaluate_matching", truth=truth, clusters=files / "clusters.csv")
    assert whole["quality"] == alone["quality"]
    assert whole["quality"]["pairs"]["f1"]["value"] > 0.9
    assert (tmp_path / "report.html").read_text(encoding="utf-8").count("<svg") == 4


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"truth": "truth.csv"}, "name either files of records or --clusters"),
        ({"clusters": "clusters.csv"}, "Files are judged against a truth"),
        ({"truth": "nowhere.csv", "clusters": "clusters.csv"}, "There is no file"),
        ({"truth": "clusters.csv", "clusters": "clusters.csv"}, "clusters.csv has no column entity_id"),
    ],
    ids=["nothing_to_judge", "no_truth", "no_file", "no_column"],
)
def test_what_is_missing_is_said(files: Path, options: dict[str, str], told: str) -> None:
    with pytest.raises(CommandError, match=told):
        call_command("evaluate_matching", **{name: files / value for name, value in options.items()})


# ── the hub ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def hub(db: None) -> Iterator[dict[str, UUID]]:
    """Source records by id, matched by the shipped model."""
    pipeline.systems()
    records = list(generate(RECORDS, seed=5, stories=False))[:RECORDS]
    pipeline.take_all([(one.system, one.item) for one in records], [250] * 5)
    yield pipeline.record_ids()


def judge_some(count: int) -> None:
    """Verdicts on the pairs nearest the threshold, in turn."""
    edges = list(Edge.objects.filter(superseded_at=None).order_by("weight", "id")[:count])
    for number, edge in enumerate(edges):
        verdict = separate if number % 2 else join
        verdict(record_a=edge.record_a_id, record_b=edge.record_b_id, act=pipeline.alice())


def test_a_hub_learns_keeps_a_draft_and_is_changed_by_activation_alone(hub: dict[str, UUID]) -> None:
    judge_some(24)
    before = active_model()
    told = run("train_matching", dry_run=True)
    assert (told["version"], MatchModel.objects.count()) == (None, 1)
    told = run("train_matching")
    draft = MatchModel.objects.get(version=told["version"])
    assert (draft.state, draft.hash) == ("draft", told["hash"])
    assert told["records"] == RECORDS
    assert told["labels"]["learned_from"] + told["labels"]["held_out"] == 24
    assert told["changes"]["prior"]["person"]["from"] != told["changes"]["prior"]["person"]["to"]
    assert len(told["changes"]["levels"]) == 10
    assert Model.from_dict(draft.parameters).frequencies["family_name"] != before.model.frequencies["family_name"]
    assert active_model().version == before.version
    assert Redo.objects.count() == 0

    told = run("train_matching", activate=True)
    assert (told["version"], told["state"]) == (draft.version, "active"), "the same records teach the same"
    assert told["queued"] == Redo.objects.count() == RECORDS
    pipeline.drain_all()
    assert Redo.objects.count() == 0
    assert set(Edge.objects.filter(superseded_at=None).values_list("model_version", flat=True)) == {draft.version}
    assert pipeline.broken() == []


def test_spreading_goes_on_where_a_dead_process_stopped(hub: dict[str, UUID]) -> None:
    document = Model.load_default().to_dict()
    document["thresholds"]["automatic"] = 6.0
    draft = keep_draft(Model.from_dict(document))
    assert keep_draft(Model.from_dict(document)).version == draft.version, "kept twice is kept once"
    activate(draft.version)
    assert queue_some(most=500) == 500
    assert MatchModel.objects.get(version=draft.version).queued_to is not None
    while sweep.drain():
        pass
    assert MatchModel.objects.get(version=draft.version).queued_to is None
    assert Redo.objects.count() == 0
    assert set(Edge.objects.filter(superseded_at=None).values_list("model_version", flat=True)) == {draft.version}


def test_who_compared_by_the_model_before_is_told_to_try_again(hub: dict[str, UUID]) -> None:
    before, records = active_model(), list(hub.values())[:5]
    document = Model.load_default().to_dict()
    document["thresholds"]["automatic"] = 6.0
    activate(keep_draft(Model.from_dict(document)).version)
    queue_some()
    with pytest.raises(Retryable, match="Another model of matching came into force"):
        match._apply(records, match._search(records, before), before, pipeline.alice())
    assert Redo.objects.count() == RECORDS, "what has to be decided again still stands in the queue"
    assert not match.match(records, act=pipeline.alice()).failed
    assert Redo.objects.count() == RECORDS - len(records)


def test_a_hub_with_too_few_records_is_told_so(db: None) -> None:
    pipeline.systems()
    pipeline.take("crm", *(pipeline.person(n) for n in range(3)))
    with pytest.raises(CommandError, match="there are 3 records; 1,000 are the least"):
        call_command("train_matching")
    assert MatchModel.objects.count() == 1


def test_verdicts_judge_the_model(hub: dict[str, UUID], tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="Nobody has given a verdict"):
        call_command("evaluate_matching")
    judge_some(10)
    told = run("evaluate_matching", html=tmp_path / "report.html")
    assert (told["verdicts"], told["matches"]) == (10, 5)
    assert told["keys"]["never_met"] == 0, "only pairs that met have an edge"
    assert sum(row["missed"] for row in told["confusion"] if row["comparison"] == "kind") == 5
    assert "Calibration" in (tmp_path / "report.html").read_text(encoding="utf-8")
