"""The main way from end to end over real processes: records come in by files and a webhook, become golden, and go out to four systems;
a merge and its unmerge; a correction at the owner; and nothing that only comes back makes news."""

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from apps.connectors import sandbox
from apps.connectors.sandbox.running import Far
from tests import pipeline
from tests.faults.fleet import Fleet, own_fleet

pytestmark = pytest.mark.flow
CRM, ERP, SUPPORT = 200, 200, 100
POLICY = {"crm": "update_both", "erp": "deactivate", "billing": "cross_reference", "support": "merge"}
SECRET = """
import json, sys, django
django.setup()
from apps.connectors.models import Connection
from apps.connectors.secrets import add_secret
print(add_secret(Connection.objects.get(system__code="support").id))
"""
MERGE = """
import json, sys, django
django.setup()
from apps.common.act import Act
from apps.customers.models import SourceRecord
from apps.matching import judge
told = json.load(sys.stdin)
record = lambda key: SourceRecord.objects.get(system__code=key[0], external_id=key[1])
if told["verb"] == "merge":
    judge.merge(customers=[record(k).customer_id for k in told["records"]], act=Act("user:alice", "they are one"))
else:
    one = record(told["records"][0])
    judge.unmerge(customer=one.customer_id, records=[record(k).id for k in told["records"]], act=Act("user:alice", "they are not"))
"""
OUT = "SELECT count(*) FROM delivery WHERE state IN ('waiting', 'sending', 'uncertain')"
BEHIND = "SELECT (SELECT position FROM feed_head) - (SELECT position FROM feed_reader WHERE name = 'plan') + (SELECT count(*) FROM plan_due)"


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with own_fleet() as hub:
        yield hub


def person(n: int) -> dict[str, Any]:
    """The same person in every system, each of which knows a part."""
    told = pipeline.person(n)
    return {
        "given": told["given_name"],
        "family": told["family_name"],
        "mail": told["email"],
        "phone": told["phone"].replace(" ", ""),
    }


def crm_record(n: int) -> dict[str, Any]:
    p = person(n)
    return {"Id": f"C-{n:04d}", "RecordType": "Person", "FirstName": p["given"], "LastName": p["family"], "PersonEmail": p["mail"],
            "Phone": p["phone"], "BillingCity": "Köln", "BillingStreet": f"Domweg {n}", "BillingCountry": "DE", "Status__c": "Active"}  # fmt: skip


def erp_record(n: int, terms: str = "NET30") -> dict[str, Any]:
    p = person(n)
    return {"customerid": f"{70_000_000 + n}", "customertype": "person", "firstname": p["given"], "lastname": p["family"],
            "telephone": p["phone"], "city": "Köln", "line1": f"Domweg {n}", "country": "DE", "paymentterms": terms}  # fmt: skip


def support_record(n: int) -> dict[str, Any]:
    p = person(n)
    return {"id": str(9_000 + n), "contact_type": "person", "given_name": p["given"], "family_name": p["family"], "email": p["mail"],
            "phone": p["phone"], "status": "active"}  # fmt: skip


def until(enough: Callable[[], Any], what: str, seconds: float = 120) -> None:
    ends = time.monotonic() + seconds
    while not enough():
        assert time.monotonic() < ends, what
        time.sleep(0.25)


def settled(hub: Fleet) -> None:
    """Nothing is left to plan or to tell, twice in a row."""

    def quiet() -> bool:
        hub.tend()
        left = hub.one(OUT) + hub.one(BEHIND) + hub.one("SELECT count(*) FROM event WHERE position IS NULL")
        return left == 0

    until(quiet, "deliveries are left")
    time.sleep(1.5)
    until(quiet, "deliveries are left")


def polled(hub: Fleet) -> None:
    """Every target was read once more from now on."""
    hub.query("UPDATE connection SET poll_due_at = now() - interval '1 second'")
    until(lambda: hub.one("SELECT count(*) FROM connection WHERE poll_due_at < now()") == 0, "nobody polls")
    settled(hub)


def take_in(hub: Fleet, web: str, secret: str, folder: Path) -> None:
    """Two files and a webhook."""
    crm, erp = folder / "crm.ndjson", folder / "erp.ndjson"
    crm.write_text("".join(json.dumps(crm_record(n)) + "\n" for n in range(CRM)))
    erp.write_text("".join(json.dumps(erp_record(n)) + "\n" for n in range(CRM // 2, CRM // 2 + ERP)))
    for system, path, row in (("crm", crm, crm_record(0)), ("erp", erp, erp_record(0))):
        hub.python(MAPPING, {"system": system, "path": str(folder / f"{system}.toml"), "columns": list(row)})
        hub.manage("ingest", str(path), "--system", system, "--mapping", str(folder / f"{system}.toml"))
    body = json.dumps({"records": [support_record(n) for n in range(CRM, CRM + SUPPORT)]})
    now = datetime.now(UTC)
    headers = {
        "webhook-id": "msg_1", "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", now, body), "Content-Type": "application/json",
    }  # fmt: skip
    request = urllib.request.Request(f"{web}/api/v1/hooks/{NAMES['support']}", body.encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 202


MAPPING = """
import json, sys, django
django.setup()
from pathlib import Path
from apps.connectors.mapping import Mapping
from apps.connectors.models import Mapping as Row
told = json.load(sys.stdin)
row = Row.objects.filter(system__code=told["system"]).order_by("-version").first()
known = set(told["columns"])
mapping = Mapping.from_dict(row.body)
columns = {name: found for name, found in mapping.columns.items() if set(found) <= known}
Path(told["path"]).write_text(Mapping(columns=columns, values={n: v for n, v in mapping.values.items() if n in columns}).to_toml())
"""
NAMES: dict[str, str] = {}


def there(far: Far) -> dict[str, dict[str, Any]]:
    return {r["_id"]: r for r in far.records()}


def test_the_whole_way(fleet: Fleet, tmp_path: Path) -> None:
    with ExitStack() as stack:
        fars = {k: stack.enter_context(sandbox.running(k, data=tmp_path / f"{k}.db")) for k in POLICY}
        fars["crm"].load([crm_record(n) for n in range(CRM)])
        fars["erp"].load([erp_record(n) for n in range(CRM // 2, CRM // 2 + ERP)])
        fars["support"].load([support_record(n) for n in range(CRM, CRM + SUPPORT)])
        fleet.prepare({k: {"url": f.url, "key": f.key, "policy": {"on_merge": POLICY[k]}} for k, f in fars.items()})
        NAMES.update(fleet.query("SELECT y.code, c.name FROM connection c JOIN system y ON y.id = c.system_id"))
        web = fleet.web()
        fleet.tend()
        until(lambda: _answers(web), "the web does not answer")
        take_in(fleet, web, fleet.python(SECRET).strip(), tmp_path)
        people = CRM // 2 + ERP
        until(lambda: fleet.one("SELECT count(*) FROM customer WHERE active") == people, "not every record came in")
        settled(fleet)
        assert sum(len(there(f)) for f in fars.values()) == CRM + ERP + SUPPORT, (
            "something was sent before two people said so"
        )
        fleet.go_live()
        settled(fleet)
        assert {k: len(there(f)) for k, f in fars.items()} == dict.fromkeys(fars, people), (
            "everybody stands everywhere once"
        )
        versions = fleet.one("SELECT sum(version) FROM customer")
        polled(fleet)
        assert fleet.one("SELECT sum(version) FROM customer") == versions, "an echo made a version"
        told = fleet.one("SELECT count(*) FROM delivery")

        _merge_and_unmerge(fleet, fars)

        fars["erp"].edit("70000150", {"paymentterms": "NET60", "city": "Bonn"})
        polled(fleet)
        mail = person(150)["mail"]
        assert [r["payment_terms"] for r in there(fars["billing"]).values() if r["email"] == mail] == ["NET60"]
        assert there(fars["crm"])["C-0150"]["BillingCity"] == "Bonn", "the correction did not reach the CRM"
        versions = fleet.one("SELECT sum(version) FROM customer")
        polled(fleet)
        assert fleet.one("SELECT sum(version) FROM customer") == versions, "an echo made a version"
        assert fleet.one("SELECT count(*) FROM delivery WHERE state = 'failed'") == 0
        assert fleet.one("SELECT count(*) FROM delivery") < told + 60
        assert fleet.query("SELECT * FROM broken_invariants LIMIT 5") == []


def _answers(web: str) -> bool:
    try:
        with urllib.request.urlopen(f"{web}/livez", timeout=2):
            return True
    except OSError:
        return False


def _merge_and_unmerge(fleet: Fleet, fars: dict[str, Far]) -> None:
    """Customers 10 and 20 are said to be one, then not: two records in each of the four systems."""
    pair = [["crm", "C-0010"], ["crm", "C-0020"]]
    before = {k: _of_the_two(f) for k, f in fars.items()}
    assert {k: len(b) for k, b in before.items()} == dict.fromkeys(fars, 2)
    fleet.python(MERGE, {"verb": "merge", "records": pair})
    settled(fleet)
    polled(fleet)
    after = {k: _of_the_two(f, before[k]) for k, f in fars.items()}
    one, other = after["crm"].values()
    assert one["PersonEmail"] == other["PersonEmail"], "update both"
    assert sorted(r["statuscode"] or "" for r in after["erp"].values())[-1] == "Inactive", "deactivate the later one"
    # Which record was made first, and whose values are golden, are two things: the one that goes on may say all of it already.
    (later,) = _duplicates(fleet, "billing", before["billing"])
    assert _telling(after["billing"][later]) == _telling(before["billing"][later]), (
        "cross-reference only: left as it is"
    )
    (goes_on,) = set(after["billing"]) - {later}
    assert after["billing"][goes_on]["email"] == one["PersonEmail"], "the record that goes on says what is golden"
    assert sorted(r["_merged_into"] is not None for r in after["support"].values()) == [False, True], "merge there"
    fleet.python(MERGE, {"verb": "unmerge", "records": pair[1:]})
    settled(fleet)
    polled(fleet)
    for kind, far in fars.items():
        right = _of_the_two(far)
        live = [r for r in right.values() if not r["_deleted"]]
        assert sorted(map(_telling, live)) == sorted(map(_telling, before[kind].values())), f"{kind} was not put right"


def _duplicates(fleet: Fleet, kind: str, known: dict[str, Any]) -> list[str]:
    """Which of the `known` ids of a target are marked as second records of one customer."""
    links = fleet.query(
        f"SELECT l.external_id FROM link l JOIN system y ON y.id = l.system_id WHERE y.code = '{kind}' AND l.state = 'duplicate'"
    )
    return [key for (key,) in links if key in known]


def _of_the_two(far: Far, known: dict[str, Any] | None = None) -> dict[str, dict[str, Any]]:
    """The records of the two people: by their telephone numbers, or `known` ids."""
    phones = {person(10)["phone"], person(20)["phone"]}
    found = there(far)
    if known is not None:
        return {i: found[i] for i in known}
    return {i: r for i, r in found.items() if phones & {r.get("Phone"), r.get("telephone"), r.get("phone")}}


def _telling(record: dict[str, Any]) -> str:
    """What a record says of its person, without ids and stamps."""
    names = ("FirstName", "LastName", "PersonEmail", "Phone", "BillingCity", "firstname", "lastname", "telephone", "line1", "email",
             "phone", "name", "given_name", "family_name", "individual_name")  # fmt: skip
    return json.dumps([record.get(n) for n in names])
