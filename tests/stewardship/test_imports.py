"""Imports in the browser, over Django's own client: upload, columns, run, result, and everything that may go wrong on the way."""

import csv
import io
import stat
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.accounts.models import User
from apps.connectors import runs
from apps.connectors.models import Mapping, Run
from apps.customers.models import Quarantine, System
from apps.stewardship import uploads
from tests import pipeline
from tests.stewardship.given import browser, text

pytestmark = pytest.mark.django_db(transaction=True)
MESSY = """Kundennummer;Firma;Vorname;Nachname;E-Mail;Telefon;Straße;Hausnummer;PLZ;Ort;Land;Geburtsdatum;Segment
K-1;;Jürgen;Müller;juergen.mueller@example.com;030 1234567;Hauptstraße;12;10115;Berlin;Deutschland;03.05.1978;Gold
K-2;Müller Maschinenbau GmbH;;;info@mueller-mb.example;+49 89 5550199;Industrieweg;4a;80331;München;DE;;Silber
K-3;;Zeynep;Öztürk;zeynep@example.com;;Lindenallee;7;50667;Köln;DE;31.02.1990;
;;Ohne;Nummer;ohne@example.com;;;;;;DE;01.01.1980;
K-5;;=cmd|' /C calc'!A0;Formel;formel@example.com;;Weg;3;20095;Hamburg;DE;31.02.1991;
K-6;;Peter;Zuviel;peter@example.com;;Weg;9;20095;Hamburg;DE;1970-07-01;;zuviel
"""


@pytest.fixture(autouse=True)
def hub(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    pipeline.systems()


@pytest.fixture
def integrator() -> Client:
    return browser("integrator")


def send(client: Client, content: str | bytes, name: str = "kunden.csv", system: str = "crm") -> Any:
    data = content if isinstance(content, bytes) else content.encode()
    chosen = System.objects.get(code=system).id
    return client.post("/imports/new/", {"system": chosen, "file": SimpleUploadedFile(name, data)})


def form(answer: Any, **changes: str) -> dict[str, str]:
    """What the browser would send from the columns page."""
    context = answer.context
    sent = {f"column-{c.index}": c.chosen for c in context["columns"]}
    return {**sent, **context["settings"], "mapping": str(context["base"].id) if context["base"] else "", **changes}


def execute(run: Run) -> Run:
    assert runs.claim(run.id) == run.id
    return runs.execute(run.id)


def test_from_a_messy_file_to_golden_records(integrator: Client) -> None:
    uploaded = send(integrator, MESSY)
    address = uploaded["Location"]
    page = integrator.get(address)
    chosen = {c.name: c.chosen for c in page.context["columns"]}
    assert chosen["Kundennummer"] == "record_id"
    assert chosen["E-Mail"] == "email"
    assert chosen["Hausnummer"] == ""
    preview = page.context["preview"]
    assert (preview.looked_at, preview.bad) == (6, 4)
    assert "31.02.1990" in text(page)

    house, segment = (next(c.index for c in page.context["columns"] if c.name == n) for n in ("Hausnummer", "Segment"))
    changed = form(page, country="DE", **{f"column-{house}": "address_line1", f"column-{segment}": "extra."})
    again = integrator.post(address, changed)
    assert "Hauptstraße 12" in text(again)
    assert "+49301234567" in text(again)

    started = integrator.post(address, {**form(again), "action": "run", "name": "SAP export"})
    run = Run.objects.get()
    assert started["Location"] == f"/imports/{run.id}/"
    assert run.mapping is not None
    assert (run.mapping.name, run.mapping.version, run.mapping.created_by) == ("SAP export", 1, "user:integrator")
    assert "queued" in text(integrator.get(f"/imports/{run.id}/"))
    done = execute(run)
    assert done.state == "succeeded", done.error
    result = text(integrator.get(f"/imports/{run.id}/"))
    assert "<strong>6</strong> in" in result
    assert "<strong>2</strong> linked" in result
    assert "<strong>4</strong> quarantined" in result
    assert pipeline.where().keys() == {"crm:K-1", "crm:K-2"}
    assert integrator.get(address).status_code == 404


def test_the_saved_mapping_is_offered_next_time_and_grows_a_version(integrator: Client) -> None:
    for number, name in enumerate(("SAP export", "SAP export", "SAP export"), start=1):
        address = send(integrator, MESSY)["Location"]
        page = integrator.get(address)
        assert (page.context["base"] is None) is (number == 1)
        country = "AT" if number == 3 else "DE"
        integrator.post(address, {**form(page, country=country, name=name), "action": "run"})
    assert list(Mapping.objects.order_by("version").values_list("version", flat=True)) == [1, 2]
    assert Run.objects.filter(mapping__version=1).count() == 2
    fresh = integrator.get(send(integrator, MESSY)["Location"] + "?mapping=")
    assert fresh.context["base"] is None


def test_the_rejected_rows_come_back_as_a_harmless_table(integrator: Client) -> None:
    address = send(integrator, MESSY)["Location"]
    integrator.post(address, {**form(integrator.get(address)), "action": "run"})
    run = execute(Run.objects.get())
    answer = integrator.get(f"/imports/{run.id}/rejected.csv")
    assert answer["Content-Disposition"] == 'attachment; filename="kunden-rejected.csv"'
    content = b"".join(answer.streaming_content).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(content)))
    assert [r["line"] for r in rows] == ["4", "5", "6", "7"]
    assert {r["field"] for r in rows} >= {"birth_date", "record_id"}
    assert all(r["cause"] for r in rows)
    assert not [cell for r in rows for cell in r.values() if cell[:1] in ("=", "+", "-", "@", "\t")]


def test_a_formula_as_a_record_id_is_disarmed(integrator: Client) -> None:
    address = send(integrator, "record_id,name,birth_date\n=1+1,X Y,yesterday\n")["Location"]
    sent = form(integrator.get(address), **{"column-2": "birth_date"})
    integrator.post(address, {**sent, "action": "run"})
    run = execute(Run.objects.get())
    content = b"".join(integrator.get(f"/imports/{run.id}/rejected.csv").streaming_content).decode("utf-8-sig")
    assert "'=1+1" in content


def test_a_ragged_line_can_be_mended_cell_by_cell(integrator: Client) -> None:
    address = send(integrator, MESSY)["Location"]
    integrator.post(address, {**form(integrator.get(address), country="DE"), "action": "run"})
    execute(Run.objects.get())
    row = Quarantine.objects.get(line=7)
    page = integrator.get(f"/quarantine/{row.id}/")
    shown = {f.name: f.value for f in page.context["mending"].fields}
    assert (shown["record_id"], shown["family_name"]) == ("K-6", "Zuviel")
    integrator.post(f"/quarantine/{row.id}/", {f"field:{name}": value for name, value in shown.items()})
    assert "crm:K-6" in pipeline.where()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("kunden.xlsx", b"PK\x03\x04 and more", "Excel"),
        ("kunden.csv.gz", b"\x1f\x8b\x08\x00", "gzip"),
        ("kunden.csv", b"", "empty"),
        ("kunden.csv", b"id;name\n", "no records"),
        ("kunden.csv", b"id;id\n1;2\n", "more than once"),
        ("kunden.parquet", b"nothing of the kind", "Parquet"),
    ],
    ids=["excel", "gzip", "empty", "header only", "duplicate header", "no parquet"],
)
def test_a_file_of_no_use_is_refused_in_a_sentence_and_not_kept(
    integrator: Client, tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    answer = send(integrator, content, name)
    assert answer.status_code == 200
    assert sentence.lower() in " ".join(answer.context["form"].errors["file"]).lower()
    assert list((tmp_path / "uploads").iterdir()) == []


def test_a_file_beyond_the_limit_is_refused_and_never_kept(integrator: Client, settings: Any, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    settings.FILE_UPLOAD_TEMP_DIR, settings.FILE_UPLOAD_MAX_MEMORY_SIZE = str(spool), 1000
    settings.MAX_UPLOAD_BYTES = 300_000
    assert send(integrator, MESSY).status_code == 302
    refused = send(integrator, MESSY + "K-7;;Anna;Berg;;;;;;;;;\n" * 20_000)
    assert refused.status_code == 200
    assert refused.context["form"].errors == {
        "file": ["The file is larger than 293.0 KB. Split it, or load it on the server with manage.py ingest."]
    }
    assert refused.context["form"]["system"].value(), "the rest of the form is kept"
    assert list(spool.iterdir()) == []
    assert len(list((tmp_path / "uploads").iterdir())) == 1
    assert 'data-most="300000"' in text(integrator.get("/imports/new/"))


def test_the_limit_itself_is_allowed(integrator: Client, settings: Any) -> None:
    settings.MAX_UPLOAD_BYTES = len(MESSY.encode())
    assert send(integrator, MESSY).status_code == 302
    settings.MAX_UPLOAD_BYTES -= 1
    assert "larger than" in text(send(integrator, MESSY))


def test_the_file_is_the_hubs_alone_and_its_name_is_only_a_label(integrator: Client, tmp_path: Path) -> None:
    send(integrator, MESSY, "../../<b>evil\u202e.CSV")
    (kept,) = (tmp_path / "uploads").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert kept.suffix == ".csv"


def test_an_upload_belongs_to_the_session_that_brought_it(integrator: Client) -> None:
    address = send(integrator, MESSY)["Location"]
    assert browser("admin").get(address).status_code == 404
    assert integrator.get(f"/imports/new/{uuid4()}/").status_code == 404


def test_only_a_few_drafts_are_kept(integrator: Client, tmp_path: Path) -> None:
    for _ in range(7):
        send(integrator, MESSY)
    assert len(list((tmp_path / "uploads").iterdir())) == 5


def test_an_account_for_one_system_is_offered_no_other() -> None:
    User.objects.create(username="partner", roles=["integrator"], systems=["erp"])
    partner = browser("partner")
    assert send(partner, MESSY, system="crm").status_code == 200
    assert send(partner, MESSY, system="erp").status_code == 302


def test_a_file_without_an_id_column_cannot_run(integrator: Client) -> None:
    address = send(integrator, "name;ort\nAnna;Berlin\nBert;Bonn\n")["Location"]
    page = integrator.get(address)
    assert page.context["preview"].wrong
    assert integrator.post(address, {**form(page), "action": "run"}).status_code == 200
    assert not Run.objects.exists()


def test_forged_columns_are_left_out(integrator: Client) -> None:
    address = send(integrator, MESSY)["Location"]
    page = integrator.get(address)
    answer = integrator.post(
        address, form(page, **{"column-3": "__class__", "column-4": "extra.name", "kind": "dragon", "country": "XX"})
    )
    assert answer.status_code == 200
    assert "cannot be declared again" in text(answer)


def test_a_run_can_be_stopped_once(integrator: Client) -> None:
    address = send(integrator, MESSY)["Location"]
    integrator.post(address, {**form(integrator.get(address)), "action": "run"})
    run = Run.objects.get()
    integrator.post(f"/imports/{run.id}/cancel/")
    assert Run.objects.get().state == "cancelled"
    assert "ended already" in text(integrator.post(f"/imports/{run.id}/cancel/", follow=True))


def test_polling_stops_when_the_run_has_ended(integrator: Client) -> None:
    address = send(integrator, MESSY)["Location"]
    integrator.post(address, {**form(integrator.get(address)), "action": "run"})
    run = Run.objects.get()
    part = integrator.get(f"/imports/{run.id}/progress/")
    assert part.status_code == 200
    assert "hx-trigger" in text(part)
    execute(run)
    part = integrator.get(f"/imports/{run.id}/progress/")
    assert part.status_code == 286
    assert "hx-trigger" not in text(part)


@pytest.mark.parametrize("name", ["kunden.ndjson", "kunden.json"], ids=["ndjson", "json"])
def test_json_files_have_columns_too(integrator: Client, name: str) -> None:
    lines = [
        '{"id": "1", "mail": "a@b.example", "nachname": "Adler"}',
        '{"id": "2", "vorname": "Bea", "nachname": "Busch"}',
    ]
    content = "\n".join(lines) if name.endswith("ndjson") else "[" + ",".join(lines) + "]"
    page = integrator.get(send(integrator, content, name)["Location"])
    assert [c.name for c in page.context["columns"]] == ["id", "mail", "nachname", "vorname"]
    assert page.context["preview"].bad == 0


def test_a_mapping_of_value_tables_survives_a_change_of_columns() -> None:
    base = {"columns": {"status": "Zustand"}, "values": {"status": {"A": "active"}}, "constants": {"currency": "EUR"}}
    chosen = [
        uploads.Column(n, i, c, None, "", ()) for i, (n, c) in enumerate([("Nr", "record_id"), ("Zustand", "status")])
    ]
    mapping = uploads.document(chosen, base, country="DE", kind="person")
    assert mapping.apply({"Nr": "1", "Zustand": "a"})[0] == {
        "record_id": "1",
        "status": "active",
        "kind": "person",
        "currency": "EUR",
    }
