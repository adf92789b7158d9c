"""`manage.py crosswalk`: every id of every system with its customer, as CSV that any reader understands."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.customers.pins import pin
from apps.customers.queries_sources import crosswalk
from tests.customers import given

pytestmark = pytest.mark.django_db

ODD = ['a"b', "a,b", "línea\nnueva", "=1+1", "Ünïcode 名", " spaced "]


def people(*ids: str, code: str = "crm") -> list[Any]:
    return given.customers(
        *[[(code, {"record_id": i, "kind": "person", "name": f"No {n}"})] for n, i in enumerate(ids)]
    )


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_every_id_is_written_as_it_is(tmp_path: Path) -> None:
    customers = people(*ODD)
    path = tmp_path / "crosswalk.csv"
    call_command("crosswalk", output=str(path), stderr=io.StringIO())
    rows = read(path.read_bytes().decode())
    assert rows[0] == ["system", "external_id", "customer_id"]
    assert {(r[1], r[2]) for r in rows[1:]} == {(i.strip(), str(c)) for i, c in zip(ODD, customers, strict=True)}
    assert [p.name for p in tmp_path.iterdir()] == ["crosswalk.csv"]


def test_one_system_to_standard_output() -> None:
    people("1", "2")
    people("9", code="erp")
    out = io.StringIO()
    call_command("crosswalk", system="erp", stdout=out, stderr=io.StringIO())
    assert [r[:2] for r in read(out.getvalue())] == [["system", "external_id"], ["erp", "9"]]


def test_a_stewards_anchor_is_nobodys_id() -> None:
    (customer,) = people("1")
    pin(customer=customer, attribute="status", value="blocked", act=given.ACT)
    assert [row[:2] for row in crosswalk()] == [("crm", "1")]


def test_it_reads_in_chunks_and_in_order() -> None:
    people(*(f"{n:02}" for n in range(23)))
    assert [row[1] for row in crosswalk(chunk=5)] == [f"{n:02}" for n in range(23)]


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no system none"):
        call_command("crosswalk", system="none")
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("crosswalk", output=str(tmp_path / "no" / "such.csv"))
