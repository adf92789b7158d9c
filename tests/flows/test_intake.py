"""From intake to golden record: over the verbs, and over the command as a process of its own."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from apps.connectors.models import Run
from apps.customers.models import Customer, Quarantine
from apps.customers.queries import customer_detail, history, lineage
from tests import pipeline
from tests.live import live_environment
from tests.pipeline import person

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.flow]
ROOT = Path(__file__).resolve().parents[2]
COLUMNS = ("record_id", "kind", "given_name", "family_name", "birth_date", "email", "phone", "source_updated_at")


def ingest(path: Path, system: str, *options: str, check: bool = True) -> dict[str, Any]:
    """`manage.py ingest … --json` as a user runs it; its one line."""
    command = [sys.executable, "manage.py", "ingest", str(path), "--system", system, "--json", *options]
    environment = live_environment(str(connection.settings_dict["NAME"]))
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout) if done.stdout else {"stderr": done.stderr}
    return answer


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_one_customer_from_four_systems() -> None:
    """Conflicting values: each golden value says which record gave it and why; a change is a new version with one event."""
    same = {"kind": "person", "given_name": "Ada", "family_name": "Lovelace", "email": "ada@lovelace.example"}
    customers = {
        pipeline.customer_of(
            "crm", {"record_id": "1", **same, "phone": "+44 20 7946 0001", "birth_date": "1985-12-10"}
        ),
        pipeline.customer_of("erp", {"record_id": "77", **same, "payment_terms": "NET60", "birth_date": "1985-12-10"}),
        pipeline.customer_of("billing", {"record_id": "b", **same, "payment_terms": "NET30"}),
        pipeline.customer_of("support", {"record_id": "s", **same, "phone": "+44 20 7946 0001"}),
    }
    assert len(customers) == 1
    customer = customers.pop()
    detail = customer_detail(customer)
    assert detail.member_count == 4
    assert detail.values["name"] == "Ada Lovelace"
    assert detail.values["payment_terms"] == "NET60"
    told = {entry.attribute: entry for entry in lineage(customer)}
    assert (told["payment_terms"].rule, told["payment_terms"].winner.system) == ("trust", "erp")
    assert [v.version for v in history(customer)] == list(range(detail.version, 0, -1))
    before = pipeline.activity()
    pipeline.take("crm", {"record_id": "1", **same, "phone": "+44 20 7946 0001", "birth_date": "1985-12-10"})
    assert pipeline.activity() == before
    pipeline.take("crm", {"record_id": "1", **same, "phone": "+44 20 7946 0002", "birth_date": "1985-12-10"})
    assert customer_detail(customer).version == detail.version + 1
    assert pipeline.activity()[1] == before[1] + 1
    assert pipeline.broken() == []


def test_the_command_takes_a_file_twice(tmp_path: Path) -> None:
    path = write(tmp_path / "crm.csv", [person(n) for n in range(300)] + [person(300, birth_date="2024-02-31")])
    customers = Customer.objects.filter(active=True)
    others = customers.count()
    first = ingest(path, "crm")
    assert (first["state"], first["read"], first["created"], first["quarantined"]) == ("succeeded", 301, 300, 1)
    row = Quarantine.objects.get(file_name=path.name)
    assert (row.line, row.problems[0]["field"]) == (302, "birth_date")
    before = pipeline.activity()
    again = ingest(path, "crm")
    assert (again["unchanged"], again["quarantined"], again["linked"]) == (300, 1, 0)
    assert pipeline.activity() == before
    assert customers.count() == others + 300
    assert pipeline.broken() == []


def test_a_dry_run_keeps_nothing(tmp_path: Path) -> None:
    kept = "SELECT (SELECT count(*) FROM source_record), (SELECT count(*) FROM customer), (SELECT count(*) FROM quarantine)"
    before = pipeline.query(kept)
    path = write(tmp_path / "crm.csv", [person(n) for n in range(10)] + [person(10, birth_date="never")])
    answer = ingest(path, "crm", "--dry-run")
    assert (answer["created"], answer["quarantined"], answer["dry_run"]) == (10, 1, True)
    assert pipeline.query(kept) == before
    assert pipeline.broken() == []


def test_a_quiet_load_tells_nobody(tmp_path: Path) -> None:
    told = "SELECT (SELECT count(*) FROM customer WHERE released), (SELECT count(*) FROM event WHERE NOT quiet)"
    before = pipeline.query(told)
    ingest(write(tmp_path / "crm.csv", [person(n) for n in range(5)]), "crm", "--quiet")
    assert Customer.objects.filter(released=False).count() == 5
    assert pipeline.one("SELECT count(*) FROM event WHERE quiet") == 5
    assert pipeline.query(told) == before


def test_an_unknown_system_is_named(tmp_path: Path) -> None:
    runs = Run.objects.count()
    answer = ingest(write(tmp_path / "crm.csv", [person(1)]), "sap", check=False)
    assert "There is no system 'sap'" in answer["stderr"]
    assert Run.objects.count() == runs
