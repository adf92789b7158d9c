"""The set that benchmarks match: `benchmarks/people_and_companies.py` writes it, each time the same for one seed."""

import csv
import json
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from apps.customers.canonical import FLAT_FIELDS, parse
from benchmarks.people_and_companies import write

ROOT = Path(__file__).resolve().parents[2]
COUNT = 200


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    command = [sys.executable, "benchmarks/people_and_companies.py", str(COUNT), "--output", str(folder)]
    told = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, timeout=60).stdout
    assert json.loads(told)["records"] == COUNT
    return folder


def truth_of(folder: Path) -> dict[str, str]:
    with (folder / "truth.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len({line["record_id"] for line in lines}) == len(lines)
    return {line["record_id"]: line["entity_id"] for line in lines}


def test_the_set_holds_as_many_records_as_asked_for_each_under_its_own_id(made: Path) -> None:
    records = pq.read_table(made / "records.parquet").to_pylist()
    assert len(records) == len({record["record_id"] for record in records}) == COUNT
    assert sorted(path.name for path in made.iterdir()) == ["records.parquet", "truth.csv", "truth.parquet"]
    assert set(records[0]) <= {*FLAT_FIELDS, "system"}
    assert {record["system"] for record in records} == {"crm", "erp", "billing", "support"}
    assert {record["kind"] for record in records} == {"person", "organization"}
    assert all(value is None or (value and isinstance(value, str)) for one in records for value in one.values())


def test_the_hub_can_take_every_record(made: Path) -> None:
    for record in pq.read_table(made / "records.parquet").to_pylist():
        parsed = parse({name: value for name, value in record.items() if value and name != "system"})
        assert not parsed.problems, record
        assert not parsed.unknown


def test_truth_names_every_record_once_and_some_customers_twice(made: Path) -> None:
    truth = truth_of(made)
    assert set(truth) == set(pq.read_table(made / "records.parquet")["record_id"].to_pylist())
    assert truth == {row["record_id"]: row["entity_id"] for row in pq.read_table(made / "truth.parquet").to_pylist()}
    sizes = Counter(Counter(truth.values()).values())
    assert sizes[1] > 40
    assert sizes[2] > 15
    assert "entity_id" not in pq.read_schema(made / "records.parquet").names


def test_place_and_id_do_not_betray_the_customer(made: Path, tmp_path: Path) -> None:
    """Records of one customer are made one after the other; chance alone may leave two of them side by side."""
    write(tmp_path, 2_000, part=300)
    for folder, most in ((made, 6), (tmp_path, 8)):
        truth = truth_of(folder)
        ids = pq.read_table(folder / "records.parquet")["record_id"].to_pylist()
        assert ids == [str(number) for number in range(1, len(ids) + 1)]
        entities = [truth[record_id] for record_id in ids]
        assert sum(one == other for one, other in pairwise(entities)) <= most
        made_when = [int(entity[1:]) for entity in entities]
        assert sum(one < other for one, other in pairwise(made_when)) in range(int(len(ids) * 0.4), int(len(ids) * 0.6))


def test_one_seed_gives_one_set_and_another_seed_another(made: Path, tmp_path: Path) -> None:
    write(tmp_path / "again", COUNT)
    write(tmp_path / "other", COUNT, seed=8)
    records = pq.read_table(made / "records.parquet")
    assert records.equals(pq.read_table(tmp_path / "again" / "records.parquet"))
    assert (made / "truth.csv").read_bytes() == (tmp_path / "again" / "truth.csv").read_bytes()
    assert not records.equals(pq.read_table(tmp_path / "other" / "records.parquet"))


def test_a_set_of_no_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 or more"):
        write(tmp_path, 0)
