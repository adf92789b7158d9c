"""An import from the file to the golden record, over real processes; and a bad record mended."""

import re
from collections.abc import Callable
from pathlib import Path

from django.contrib.auth.models import AbstractBaseUser
from playwright.sync_api import Page, expect

from apps.connectors.models import Run
from tests import pipeline
from tests.browser.given import person, worker
from tests.browser.screenshots import screenshot

__all__ = ["screenshot"]
LogIn = Callable[[AbstractBaseUser], None]
MESSY = """Kundennummer;Firma;Anrede;Vorname;Nachname;E-Mail;Telefon;Straße;Hausnummer;PLZ;Ort;Land;USt-IdNr.;Geburtsdatum;Segment
K-1001;;Herr;Jürgen;Müller;juergen.mueller@example.com;030 1234567;Hauptstraße;12;10115;Berlin;Deutschland;;03.05.1978;Gold
K-1002;Müller Maschinenbau GmbH;;;;info@mueller-mb.example;+49 89 5550199;Industrieweg;4a;80331;München;DE;DE136695976;;Silber
K-1003;;Frau;Zeynep;Öztürk;zeynep.oeztuerk@example.com;0171 5550123;Lindenallee;7;50667;Köln;Germany;;31.02.1990;
K-1004;;Frau;Anna;Schmidt;anna.schmidt@example.com;;Am Markt;1;01067;Dresden;DE;;1985-11-30;Gold
;;Herr;Ohne;Nummer;ohne@example.com;;;;;;DE;;01.01.1980;
K-1006;;Herr;=cmd|' /C calc'!A0;Formel;formel@example.com;;Weg;3;20095;Hamburg;DE;;;
K-1007;Бюро «Север»;;;;office@sever.example;+7 495 123-45-67;ул. Ленина;5;101000;Москва;Russland;;;
"""


def test_a_messy_file_becomes_golden_records_and_its_bad_rows_are_mended(
    page: Page, log_in: LogIn, tmp_path: Path, screenshot: Callable[[Page, str], Path]
) -> None:
    pipeline.systems()
    log_in(person("integrator"))
    file = tmp_path / "kunden.csv"
    file.write_bytes(b"\xef\xbb\xbf" + MESSY.encode())
    page.goto("/imports/")
    page.get_by_role("link", name="Import a file").first.click()
    page.get_by_label("Which system").select_option(label="CRM (crm)")
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Upload and look at it").click()

    expect(page.get_by_label("Kundennummer")).to_have_value("record_id")
    expect(page.get_by_label("E-Mail")).to_have_value("email")
    expect(page.get_by_label("Hausnummer")).to_have_value("")
    page.get_by_label("Hausnummer").select_option("address_line1")
    expect(page.locator("#preview")).to_contain_text("Hauptstraße 12")
    page.get_by_label("Country where a row names none").select_option("DE")
    expect(page.locator("#preview")).to_contain_text("+49301234567")
    expect(page.locator("#preview")).to_contain_text("2 of the first 7 would go to quarantine")
    screenshot(page, "import-columns")

    page.get_by_role("button", name="Run the import").click()
    expect(page.get_by_text("It starts as soon as a worker is free.")).to_be_visible()
    with worker(tmp_path / "worker.log"):
        expect(page.get_by_role("heading", name="What became of them")).to_be_visible(timeout=60_000)
    expect(page.locator(".sum")).to_have_text(
        re.compile(r"7 in.*5 linked.*0 unchanged.*0 older than known.*2 quarantined", re.DOTALL)
    )
    expect(page.locator("#progress")).not_to_have_attribute("hx-trigger", re.compile("."))
    assert Run.objects.get().state == "succeeded"
    with page.expect_download() as download:
        page.get_by_role("link", name="Rejected rows as CSV").click()
    assert download.value.suggested_filename == "kunden-rejected.csv"

    page.get_by_role("link", name="Mend 2 in quarantine").click()
    page.get_by_role("link", name="K-1003").click()
    field = page.get_by_label("Date of birth")
    expect(field).to_have_attribute("aria-invalid", "true")
    screenshot(page, "quarantine")
    field.fill("1990-02-30")
    page.get_by_role("button", name="Send through").click()
    expect(page.get_by_text("still cannot be taken in")).to_be_visible()
    field.fill("1990-02-28")
    page.get_by_role("button", name="Send through").click()
    expect(page.get_by_text("The record was taken in: created.")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("Zeynep Öztürk")


def test_a_run_nobody_wants_any_more_is_stopped(page: Page, log_in: LogIn, tmp_path: Path) -> None:
    pipeline.systems()
    log_in(person("integrator"))
    file = tmp_path / "kunden.csv"
    file.write_text(MESSY)
    page.goto("/imports/new/")
    page.get_by_label("Which system").select_option(label="ERP (erp)")
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Upload and look at it").click()
    page.get_by_role("button", name="Run the import").click()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("The import stops.")).to_be_visible()
    expect(page.get_by_text("cancelled")).to_be_visible()


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(page: Page, log_in: LogIn, tmp_path: Path) -> None:
    pipeline.systems()
    log_in(person("integrator"))
    file = tmp_path / "kunden.csv"
    file.write_text(MESSY)
    page.goto("/imports/new/")
    page.get_by_label("Which system").select_option(label="CRM (crm)")
    field = page.locator("input[type=file]")
    page.locator("[data-drop]").evaluate("zone => zone.dataset.most = '100'")
    field.set_input_files(file)
    expect(page.locator("[data-file-name]")).to_contain_text("The file is larger than")
    page.get_by_role("button", name="Upload and look at it").click()
    assert page.url.endswith("/imports/new/")
    page.locator("[data-drop]").evaluate("zone => zone.dataset.most = '10000'")
    field.set_input_files(file)
    page.get_by_role("button", name="Upload and look at it").click()
    expect(page.get_by_label("Kundennummer")).to_have_value("record_id")


def test_many_bad_records_are_discarded_at_once(page: Page, log_in: LogIn) -> None:
    pipeline.systems()
    pipeline.take(
        "crm", *({"record_id": f"C-{n}", "kind": "person", "name": "X Y", "country": "Atlantis"} for n in range(3))
    )
    log_in(person("steward"))
    page.goto("/quarantine/")
    discard = page.get_by_role("button", name="Discard")
    expect(discard).to_be_disabled()
    page.get_by_label("Choose all").check()
    expect(page.get_by_text("3 chosen")).to_be_visible()
    page.get_by_label("Choose C-1").uncheck()
    page.get_by_label("Discard the chosen ones").fill("no such country")
    discard.click()
    expect(page.get_by_text("2 discarded.")).to_be_visible()
    expect(page.locator("[data-row]")).to_have_count(1)
