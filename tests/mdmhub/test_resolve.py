"""manage.py resolve: files in, clusters out; what is odd about a file is said and stops nothing."""

import csv
import json
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command

from mdmhub.demo.generator import generate

PEOPLE = [
    {"record_id": "a", "given_name": "Annika", "family_name": "Brandvold", "birth_date": "1971-06-09", "city": "Bergen", "country": "NO"},
    {"record_id": "b", "given_name": "Anika", "family_name": "Brandvold", "birth_date": "1971-06-09", "city": "Bergen", "country": "NO"},
    {"record_id": "c", "given_name": "Oskar", "family_name": "Hauge", "birth_date": "1944-12-01", "city": "Oslo", "country": "NO"},
]  # fmt: skip


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return path


def run(*files: Path, output: Path, **options: Any) -> dict[str, Any]:
    out = StringIO()
    call_command("resolve", *map(str, files), output=output, json=True, stdout=out, **options)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def clusters(path: Path) -> dict[str, str]:
    if path.suffix == ".parquet":
        return {row["record_id"]: row["cluster_id"] for row in pq.read_table(path).to_pylist()}
    with path.open(newline="", encoding="utf-8") as file:
        return {row["record_id"]: row["cluster_id"] for row in csv.DictReader(file)}


def test_csv_in_clusters_out_no_database_asked(tmp_path: Path) -> None:
    told = run(write(tmp_path / "people.csv", PEOPLE), output=tmp_path / "out.csv", pairs=tmp_path / "pairs.csv")
    assert clusters(tmp_path / "out.csv") == {"a": "a", "b": "a", "c": "c"}
    assert (told["records"], told["clusters"]) == (3, 2)
    (pair,) = csv.DictReader((tmp_path / "pairs.csv").open(encoding="utf-8"))
    assert (pair["left"], pair["right"], pair["given_name"], pair["birth_date"]) == ("a", "b", "alike", "same")
    assert float(pair["probability"]) > 0.9


@pytest.mark.parametrize("suffix", ["ndjson", "parquet"])
def test_other_formats_and_other_names_of_columns(tmp_path: Path, suffix: str) -> None:
    rows = [{"Nr": one["record_id"], "First name": one["given_name"], "wer": one["family_name"], "DOB": one["birth_date"]} for one in PEOPLE]  # fmt: skip
    path = tmp_path / f"people.{suffix}"
    if suffix == "ndjson":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    told = run(path, output=tmp_path / "out.parquet", map=["record_id=Nr", "family_name=wer"])
    assert clusters(tmp_path / "out.parquet") == {"a": "a", "b": "a", "c": "c"}
    taken = told["columns"][path.name]
    assert (taken["given_name"], taken["birth_date"], taken["family_name"]) == (["First name"], ["DOB"], ["wer"])


def test_two_files_with_the_same_ids_and_one_record_per_file(tmp_path: Path) -> None:
    one, other = write(tmp_path / "crm.csv", PEOPLE), write(tmp_path / "erp.csv", PEOPLE)
    told = run(one, other, output=tmp_path / "out.csv", one_per_system=True)
    found = clusters(tmp_path / "out.csv")
    assert any("file:record_id" in warning for warning in told["warnings"])
    assert found["crm:c"] == found["erp:c"]
    by_cluster: dict[str, list[str]] = {}
    for record, cluster in found.items():
        by_cluster.setdefault(cluster, []).append(record.partition(":")[0])
    assert all(len(files) == len(set(files)) for files in by_cluster.values())


@pytest.mark.parametrize(
    ("rows", "clusters_found"),
    [
        ([{"record_id": "1", "name": ""}], 1),
        ([{"record_id": str(n), "given_name": "", "family_name": ""} for n in range(50)], 50),
        ([{"record_id": str(n), "given_name": "A", "family_name": "B"} for n in range(80)], 80),
        ([{"record_id": str(n), "name": "x" * 10_000} for n in range(3)], None),
    ],
    ids=["one", "nothing", "letters", "long"],
)
def test_odd_records_are_no_trouble(tmp_path: Path, rows: list[dict[str, Any]], clusters_found: int | None) -> None:
    told = run(write(tmp_path / "odd.csv", rows), output=tmp_path / "out.csv")
    assert told["records"] == len(rows)
    assert clusters_found in (None, told["clusters"])


def test_no_record_at_all(tmp_path: Path) -> None:
    (tmp_path / "none.csv").write_text("record_id,given_name\n", encoding="utf-8")
    assert run(tmp_path / "none.csv", output=tmp_path / "out.csv")["records"] == 0
    assert (tmp_path / "out.csv").read_text().strip().replace('"', "") == "record_id,cluster_id"


def test_fifty_thousand_identical_records_take_no_longer_than_their_number(tmp_path: Path) -> None:
    """They share every key, so every key is oversized: nobody is compared, nobody explodes."""
    one = {k: v for k, v in PEOPLE[0].items() if k != "record_id"}
    table = pa.table({"record_id": [str(n) for n in range(50_000)], **{k: [v] * 50_000 for k, v in one.items()}})
    pq.write_table(table, tmp_path / "same.parquet")
    told = run(tmp_path / "same.parquet", output=tmp_path / "out.csv")
    assert told["pairs"] == 0
    assert any("birth_date" in warning and "same value" in warning for warning in told["warnings"])
    assert any(key["oversized"] for key in told["keys"].values())


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    people = write(tmp_path / "people.csv", PEOPLE)
    with pytest.raises(CommandError, match=r"no column nobody"):
        run(people, output=tmp_path / "out.csv", map=["family_name=nobody"])
    with pytest.raises(CommandError, match=r"no file"):
        run(tmp_path / "gone.csv", output=tmp_path / "out.csv")
    with pytest.raises(CommandError, match=r"more than once"):
        run(write(tmp_path / "twice.csv", [PEOPLE[0], PEOPLE[0]]), output=tmp_path / "out.csv")
    with pytest.raises(CommandError, match=r"no folder"):
        run(people, output=tmp_path / "nowhere" / "out.csv")
    with pytest.raises(CommandError, match=r"probability"):
        run(people, output=tmp_path / "out.csv", threshold=2.0)


def test_it_learns_from_a_thousand_records_and_says_so(tmp_path: Path) -> None:
    names = (*PEOPLE[0], "email", "phone")
    made = islice(generate(1_000, seed=2), 1_200)
    rows = [{name: one.item.get(name) or "" for name in names} | {"record_id": str(n)} for n, one in enumerate(made)]
    path = write(tmp_path / "many.csv", rows)
    told, plain = run(path, output=tmp_path / "a.csv"), run(path, output=tmp_path / "b.csv", no_train=True)
    assert told["trained"]["person"]["same"] > 10
    assert plain["trained"] is None
    assert told["model"] != plain["model"]
