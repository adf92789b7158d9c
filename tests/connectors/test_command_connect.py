"""manage.py connect: one file connects a system."""

import json
import re
import tomllib
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from apps.connectors import connections, sandbox
from apps.connectors.models import Circuit, Connection, Mapping
from apps.connectors.secrets import open_credentials
from mdmhub.env import BASE_DIR
from tests import outward, pipeline

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("empty")]
KEY = "FAR_KEY_OF_TEST"


def document(folder: Path, url: str, *, change: tuple[str, str] = ("", "")) -> Path:
    text = (outward.DOCUMENTS / "crm.toml").read_text()
    base = tomllib.loads(text)["connection"]["base_url"]
    path = folder / "crm.toml"
    path.write_text(text.replace(base, url).replace(*change) if change[0] else text.replace(base, url))
    return path


def run(*args: Any) -> Any:
    out = StringIO()
    call_command("connect", *map(str, args), "--json", stdout=out)
    return json.loads(out.getvalue())


def test_a_system_is_connected_by_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sandbox.running("crm", data=tmp_path / "crm.db") as far:
        monkeypatch.setenv(KEY, far.key)
        path = document(tmp_path, far.url)
        facts = run(path, "--credential", f"token={KEY}", "--check", "--dry-run")
        assert (facts["new"], facts["dry_run"]) == (True, True)
        assert facts["probe_ms"] >= 0
        assert Connection.objects.count() == 0
        facts = run(path, "--credential", f"token={KEY}", "--check")
        assert (facts["connection"], facts["mode"], facts["new"]) == ("CRM", "observe", True)
        row = Connection.objects.get()
        assert open_credentials(bytes(row.credentials or b""), row.name) == {"token": far.key}
        assert far.key not in json.dumps(row.settings)
        assert Circuit.objects.filter(connection=row).exists()
        assert Mapping.objects.filter(system__code="crm").count() == 1


def test_connected_anew_it_keeps_credentials_and_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with outward.target("crm", tmp_path / "crm.db") as (far, made):
        path = document(tmp_path, far.url, change=("in_flight = 4", "in_flight = 9"))
        facts = run(path, "--check")
        assert (facts["new"], facts["mode"]) == (False, "live")
        made.refresh_from_db()
        assert made.settings["document"]["connection"]["in_flight"] == 9
        assert open_credentials(bytes(made.credentials or b""), made.name) == {"token": far.key}


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    path = document(tmp_path, "http://127.0.0.1:1", change=("[record]", "[recrod]"))
    with pytest.raises(CommandError, match="recrod"):
        run(path)
    path.write_text("[connection")
    with pytest.raises(CommandError, match="no TOML"):
        run(path)
    with pytest.raises(CommandError, match="cannot be read"):
        run(tmp_path / "none.toml")
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(CommandError, match="UTF-8"):
        run(path)
    assert Connection.objects.count() == 0


def test_credentials_come_from_the_environment_alone(tmp_path: Path) -> None:
    path = document(tmp_path, "http://127.0.0.1:1")
    with pytest.raises(CommandError, match="ENVVAR") as raised:
        run(path, "--credential", "s3cret")
    with pytest.raises(CommandError, match="is not set"):
        run(path, "--credential", "token=NOT_SET_ANYWHERE")
    assert Connection.objects.count() == 0
    assert raised.value is not None


def test_a_target_that_does_not_let_us_in_is_not_connected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, "not-the-right-key-at-all")
    with sandbox.running("crm", data=tmp_path / "crm.db") as far:
        path = document(tmp_path, far.url)
        with pytest.raises(CommandError, match="auth") as raised:
            run(path, "--credential", f"token={KEY}", "--check")
        assert "not-the-right-key" not in str(raised.value)
    with pytest.raises(CommandError, match="transient"):
        run(path, "--credential", f"token={KEY}", "--check")
    assert Connection.objects.count() == 0


@override_settings(OUTBOUND_ALLOWED_HOSTS=frozenset())
def test_an_address_inside_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, "x" * 20)
    path = document(tmp_path, "http://127.0.0.1:1")
    with pytest.raises(CommandError):
        run(path, "--credential", f"token={KEY}", "--check")
    assert Connection.objects.count() == 0


def test_what_it_says_to_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sandbox.running("crm", data=tmp_path / "crm.db") as far:
        monkeypatch.setenv(KEY, far.key)
        out = StringIO()
        call_command("connect", str(document(tmp_path, far.url)), "--credential", f"token={KEY}", stdout=out)
        assert "CRM is connected and observes" in out.getvalue()


def test_the_worked_example_of_the_page_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/how-to/connect-a-system.md: its document as it stands, with the address of the running sandbox."""
    page = (BASE_DIR / "docs" / "how-to" / "connect-a-system.md").read_text()
    (text,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    pipeline.systems()
    with sandbox.running("crm", data=tmp_path / "crm.db") as far:
        monkeypatch.setenv(KEY, far.key)
        path = tmp_path / "crm.toml"
        path.write_text(text.replace("http://127.0.0.1:8301", far.url))
        run(path, "--credential", f"token={KEY}", "--check")
        made = Connection.objects.get()
        asked = connections.request_go_live(connection=made.id, act=outward.ALICE)
        connections.decide_go_live(go_live=asked.id, approve=True, act=outward.BOB)
        customer = pipeline.customer_of("erp", pipeline.person(1, city="Ulm"))
        outward.settle()
        (there,) = far.records()
        assert (there["BillingCity"], there["MDM_Id__c"]) == ("Ulm", str(customer))
        far.edit(there["Id"], {"BillingCity": "Bonn"})
        assert outward.poll_all() >= 1
        outward.settle()
        assert outward.states() == {"done": 2}
        assert far.records()[0]["BillingCity"] == "Ulm"
        assert pipeline.broken() == []
