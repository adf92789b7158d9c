"""The pages for people."""

import re
from html import unescape
from urllib.parse import quote, urlencode

import pytest

from apps.connectors.sandbox import Far
from tests.connectors.sandbox.calls import SPEECH, Reply, call
from tests.connectors.sandbox.conftest import KINDS

KIND = "crm"
each_kind = pytest.mark.parametrize("kind", KINDS)
EVIL = "<script>alert(1)</script>\"'&"


def get(far: Far, path: str) -> str:
    reply = call(far, "GET", path, Authorization="")
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    return reply.text.decode()


def post(far: Far, record_id: str, form: dict[str, str], **headers: str) -> Reply:
    sent = {"Origin": far.url, "Content_Type": "application/x-www-form-urlencoded", **headers}
    return call(far, "POST", f"/records/{quote(record_id, safe='')}", urlencode(form), **sent)


@each_kind
def test_the_list_shows_what_arrived(far: Far, kind: str) -> None:
    speech = SPEECH[kind]
    record_id = speech.made(far, "K-1", {speech.name: "Anna Müller", speech.phone: "+49 30 77"})
    page = get(far, "/")
    for text in (record_id, "Anna Müller", "+49 30 77", "K-1", "hub", "1 record"):
        assert text in page
    assert f'href="/records/{record_id}"' in page


@each_kind
def test_the_page_of_a_record_shows_fields_and_history(far: Far, kind: str) -> None:
    speech = SPEECH[kind]
    record_id = speech.made(far, "K-1", {speech.name: "Anna"})
    speech.update(far, record_id, {speech.name: "Bert"}, X_Correlation_ID="corr-7")
    page = get(far, f"/records/{record_id}")
    assert "corr-7" in page
    assert re.search(r"<b>\w*</b> Anna → Bert", page, re.IGNORECASE)
    assert f'name="{speech.name}" value="Bert"' in page


@each_kind
def test_nothing_that_is_kept_becomes_markup(far: Far, kind: str) -> None:
    speech = SPEECH[kind]
    record_id = "</a>" + EVIL
    far.load([{speech.id: record_id, speech.name: EVIL, speech.status: EVIL}])
    far.edit(record_id, {speech.phone: EVIL[:40]}, who=EVIL)
    page = get(far, "/?q=" + quote("<script>"))
    assert "<script" not in page
    assert EVIL in unescape(page)
    [link] = re.findall(r'href="(/records/[^"]+)"', page)
    assert "<script" not in get(far, unescape(link))


@each_kind
def test_somebody_changes_a_field_with_the_form(far: Far, kind: str) -> None:
    speech = SPEECH[kind]
    record_id = speech.made(far, "K-1", {speech.name: "Anna", speech.phone: "1"})
    page = get(far, f"/records/{record_id}")
    form = {
        unescape(name): unescape(value)
        for name, value in re.findall(r'<input [^>]*name="([^"]+)" value="([^"]*)"', page)
    }
    assert (form[speech.name], form[speech.phone]) == ("Anna", "1")
    reply = post(far, record_id, form | {speech.phone: "2", "do": "save"})
    assert (reply.status, reply.headers["location"]) == (303, f"/records/{record_id}")
    last = far.requests()["log"][-1]
    assert (last["who"], last["changed"]) == ("somebody", [speech.phone])


@each_kind
def test_an_unchanged_form_writes_nothing(far: Far, kind: str) -> None:
    speech = SPEECH[kind]
    record_id = speech.made(far, "K-1", {speech.name: "Anna"})
    assert post(far, record_id, {speech.name: "Anna", "do": "save"}).status == 303
    assert far.record(record_id)["_version"] == 1


@each_kind
def test_a_wrong_value_is_told_on_the_page(far: Far, kind: str) -> None:
    speech = SPEECH[kind]
    record_id = speech.made(far, "K-1", {})
    name, longest = speech.short
    reply = post(far, record_id, {name: "x" * (longest + 1), "do": "save"})
    cut = kind == "erp" and name == "organizationname"
    assert reply.status == (303 if cut else 400)
    assert b'role="alert"' in reply.text
    assert str(longest) in reply.text.decode()


@each_kind
def test_somebody_deletes_with_the_form(far: Far, kind: str) -> None:
    speech = SPEECH[kind]
    record_id = speech.made(far, "K-1", {speech.name: "Anna"})
    assert post(far, record_id, {"do": "delete"}).status == 303
    assert far.record(record_id)["_deleted"] is True
    page = get(far, f"/records/{record_id}")
    assert "deleted" in page
    assert "<form method" not in page
    assert post(far, record_id, {speech.name: "x", "do": "save"}).status == 400


@pytest.mark.parametrize("origin", ["", "null", "http://evil.example", "http://127.0.0.1:1"])
def test_a_form_of_another_page_is_refused(far: Far, origin: str) -> None:
    record_id = SPEECH["crm"].made(far, "K-1", {})
    assert post(far, record_id, {"do": "delete"}, Origin=origin).status == 403
    assert far.record(record_id)["_deleted"] is False


def test_typed_fields_are_read_from_the_form(far: Far) -> None:
    record_id = SPEECH["crm"].made(far, "K-1", {"Status__c": "Active"})
    post(far, record_id, {"MDM_Version__c": "7", "Status__c": "", "do": "save"})
    kept = far.record(record_id)
    assert (kept["MDM_Version__c"], kept["Status__c"]) == (7, None)


@pytest.mark.parametrize("kind", ["billing"])
def test_nested_fields_are_read_from_the_form(far: Far, kind: str) -> None:
    record_id = SPEECH[kind].made(far, "K-1", {"metadata": {"note": "x"}, "preferred_locales": ["de"]})
    post(
        far,
        record_id,
        {"address.city": "Bonn", "metadata.note": "", "preferred_locales": "fr, de", "credit_limit": "1.5"},
    )
    kept = far.record(record_id)
    assert (kept["address"]["city"], kept["metadata"], kept["preferred_locales"]) == (
        "Bonn",
        {"mdm_key": "K-1"},
        ["fr", "de"],
    )
    assert kept["credit_limit"] == 1.5


@pytest.mark.parametrize("kind", ["erp"])
def test_a_yes_or_no_is_read_from_the_form(far: Far, kind: str) -> None:
    record_id = SPEECH[kind].made(far, "K-1", {})
    post(far, record_id, {"blocked": "true"})
    assert far.record(record_id)["blocked"] is True


def test_the_list_pages_and_searches(far: Far) -> None:
    far.load({"Id": f"C-{number:03d}", "Name": f"Nämè {number:03d}"} for number in range(120))
    first, last = get(far, "/"), get(far, "/?page=3")
    assert (first.count('<a href="/records/'), last.count('<a href="/records/')) == (50, 20)
    assert ("Older" in first, "Newer" in first) == (True, False)
    assert ("Older" in last, "Newer" in last) == (False, True)
    assert "120 records" in first
    found = get(far, "/?q=" + quote("NÄMÈ 007"))
    assert found.count('<a href="/records/') == 1
    assert "1 record with" in found


@pytest.mark.parametrize(
    "query", ["page=0", "page=99999", "page=x", "page=-1", "page=" + "9" * 30, "q=%25", "q=%00", "q=%ff"]
)
def test_any_query_gets_a_page(far: Far, query: str) -> None:
    far.load([{"Id": "C-1"}])
    assert "<h1>CRM</h1>" in get(far, f"/?{query}")


def test_merged_records_name_the_winner(far: Far) -> None:
    far.load([{"Id": "C-1", "Name": "One"}, {"Id": "C-2", "Name": "Two"}])
    far.merge("C-1", "C-2")
    for path in ("/", "/records/C-2"):
        assert 'merged into <a href="/records/C-1">C-1</a>' in get(far, path)


def test_a_page_that_is_not_there(far: Far) -> None:
    assert call(far, "GET", "/records/nobody").status == 404
    assert call(far, "POST", "/", b"").status == 405


def test_the_pages_allow_no_script(far: Far) -> None:
    policy = call(far, "GET", "/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
