"""Export: what is searched and narrowed, whole, harmless, masked for most, and logged."""

import csv
import io
import json
import logging
from typing import Any
from uuid import UUID

import pytest

from apps.customers import queries_export, queries_search
from tests import pipeline
from tests.stewardship.given import ANNA, ANNA_ERP, browser

pytestmark = pytest.mark.django_db
ANNA_WHOLE = {**ANNA, "phone": "+49 30 901820", "national_id": "12345678", "extra": {}}


@pytest.fixture
def customers() -> UUID:
    pipeline.systems()
    found = pipeline.customer_of("crm", ANNA_WHOLE)
    assert pipeline.customer_of("erp", ANNA_ERP) == found
    pipeline.take(
        "crm", {"record_id": "=2+2", "kind": "organization", "name": '=HYPERLINK("x")', "city": "@sum", "country": "PL"}
    )
    pipeline.take("billing", {"record_id": "3", "kind": "person", "name": '-1 Müller, "Süß"\nzwei', "country": "DE"})
    return found


def export(role: str, query: str = "") -> Any:
    return browser(role).get(f"/customers/export/?{query}")


def body(answer: Any) -> str:
    assert answer.status_code == 200, answer
    return b"".join(answer.streaming_content).decode()


def table(answer: Any) -> list[dict[str, str]]:
    written = body(answer)
    assert written.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(written[1:], newline="")))


def lines(answer: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in body(answer).splitlines()]


def test_csv_has_flat_values_and_where_they_come_from(customers: UUID) -> None:
    answer = export("admin", "q=anne&format=csv")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert 'filename="customers-' in answer["Content-Disposition"]
    (row,) = table(answer)
    assert row["id"] == str(customers)
    assert row["systems"] == "crm:C-1; erp:K-77"
    assert (row["given_name"], row["email"], row["city"], row["birth_date"]) == (
        "Anne",
        ANNA["email"],
        "Dresden",
        "1985-11-30",
    )
    assert row["credit_limit"] == "1200.00"
    assert row["version"] == str(pipeline.one("SELECT version FROM customer WHERE id = %s", customers))
    assert row["updated_at"].endswith("+00:00")


def test_ndjson_is_one_customer_a_line(customers: UUID) -> None:
    answer = export("admin", "format=ndjson&country=DE")
    assert answer["Content-Type"] == "application/x-ndjson; charset=utf-8"
    found = {line["id"]: line for line in lines(answer)}
    assert len(found) == 2
    assert found[str(customers)]["systems"] == [
        {"system": "crm", "external_id": "C-1"},
        {"system": "erp", "external_id": "K-77"},
    ]
    assert found[str(customers)]["national_id"] == "12345678"


def test_no_cell_is_a_formula(customers: UUID) -> None:
    rows = table(export("admin"))
    assert len(rows) == 3
    cells = [cell for row in rows for cell in row.values() if cell]
    assert [c for c in cells if c[0] in "=+-@\t\r\n"] == []
    by_name = {row["name"]: row for row in rows}
    assert by_name['\'=HYPERLINK("x")']["city"] == "'@sum"
    assert any(name.startswith("'-1 Müller") for name in by_name)
    assert {row["phone"] for row in rows} == {"", "'+4930901820"}


@pytest.mark.parametrize("role", ["steward", "approver"])
@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_who_may_not_read_everything_gets_sensitive_values_masked(customers: UUID, role: str, form: str) -> None:
    answer = export(role, f"q=anne&format={form}")
    (row,) = table(answer) if form == "csv" else lines(answer)
    assert (row["national_id"], row["birth_date"]) == ("•••78", "•••30")
    assert row["email"] == ANNA["email"]


@pytest.mark.parametrize("role", ["integrator", "admin"])
def test_who_reads_the_change_feed_gets_all_values(customers: UUID, role: str) -> None:
    assert table(export(role, "q=anne"))[0]["national_id"] == "12345678"


def test_who_may_only_look_at_customers_may_not_export_them(customers: UUID) -> None:
    assert export("viewer").status_code == 403
    assert browser("nobody", roles=[]).get("/customers/export/").status_code == 403
    assert "customers/export" not in browser("viewer").get("/customers/").content.decode()
    assert "customers/export" in browser("steward").get("/customers/").content.decode()


@pytest.mark.parametrize(
    ("query", "number"),
    [("", 3), ("country=PL", 1), ("kind=person", 2), ("q=anne&country=PL", 0), ("system=erp", 1), ("records=2", 1), ("quality=unreachable", 2),
     ("sort=name", 3), ("q=nobodyatall", 0), ("kind=dragon", 3), ("q=%00", 3), ("after=zzz", 3)],
)  # fmt: skip
def test_what_is_exported_is_what_the_page_counts(customers: UUID, query: str, number: int) -> None:
    assert len(table(export("admin", query))) == number
    assert browser("admin").get(f"/customers/?{query}", follow=True).context["counts"].total == number


def test_a_text_that_finds_too_much_is_exported_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline.systems()
    pipeline.take(
        "crm",
        *({"record_id": f"{n}", "kind": "person", "name": f"Name{n} Mustermann", "country": "DE"} for n in range(30)),
    )
    monkeypatch.setattr(queries_search, "MOST", 7)
    monkeypatch.setattr(queries_search, "_FEW", 3)
    monkeypatch.setattr(queries_export, "AT_ONCE", 4)
    assert len({row["id"] for row in table(export("admin", "q=mustermann"))}) == 30


def test_declared_attributes_have_columns(customers: UUID) -> None:
    pipeline.execute(
        """UPDATE customer SET extra = '{"tier": "gold", "iban": "DE02120300000000202051", "=x": true}' WHERE id = %s""",
        customers,
    )
    (row,) = table(export("steward", "q=anne"))
    assert (row["extra.tier"], row["extra.iban"], row["extra.=x"]) == ("gold", "•••51", "True")
    assert "extra.tier" not in table(export("steward", "country=PL"))[0]


def test_who_exported_what_is_logged_without_what_was_typed(customers: UUID, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "apps.stewardship.views.export"):
        body(export("steward", "q=anne&country=DE&format=ndjson"))
        body(export("admin", "country=DE"))
        broken = export("admin")
        next(iter(broken.streaming_content))
        broken.close()
    first, second, third = [r.getMessage() for r in caplog.records if r.name == "apps.stewardship.views.export"]
    assert "user:steward" in first
    assert "facets country=DE" in first
    assert "masked, 1 rows" in first
    assert "anne" not in first
    assert "text none, facets country=DE, all values, 2 rows" in second
    assert "0 rows, broken off" in third
    assert all(len(str(getattr(r, "correlation_id", ""))) == 36 for r in caplog.records if "exported" in r.getMessage())


def test_who_only_asks_for_the_head_exports_nothing(customers: UUID, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "apps.stewardship.views.export"):
        assert browser("admin").head("/customers/export/").status_code == 200
    assert "exported" not in caplog.text


def test_another_format_is_refused(customers: UUID) -> None:
    assert export("admin", "format=xlsx").status_code == 400
    assert browser("admin").post("/customers/export/").status_code == 405
