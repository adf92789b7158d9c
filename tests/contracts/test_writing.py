"""What every adapter promises of its writes, at every target."""

from dataclasses import replace

import pytest

from apps.connectors.contract import Adapter, Answer, Can, Op, Trouble
from tests.contracts.targets import CUSTOMER, TIMEOUT, Target, plain

pytestmark = pytest.mark.contract


def told(target: Target, adapter: Adapter, values=CUSTOMER, key="key-1") -> Answer:
    """A record made there, as the driver knows it afterwards: with its id and, where there is one, its version."""
    answer = adapter.write(target.create(key, values), timeout=TIMEOUT)
    assert answer.trouble is None, answer
    assert answer.external_id
    return answer


def latest(adapter: Adapter, answer: Answer) -> str | None:
    if Can.ETAG not in adapter.can:
        return None
    return adapter.read(answer.external_id, timeout=TIMEOUT).etag


def expected(target: Target, values) -> dict:
    """What the target can hold of the values, as it reads back."""
    return {
        name: value
        for name, value in values.items()
        if name in target.mapping.writes and name in target.mapping.columns
    }


def test_a_record_is_made(target: Target, adapter: Adapter):
    answer = told(target, adapter)
    held = target.held()["key-1"]
    wanted = expected(target, CUSTOMER)
    assert {"city", "status", "kind"} <= wanted.keys()
    assert {name: held.get(name) for name in wanted} == wanted
    assert answer.ms >= 0 and answer.request
    if Can.FIND in adapter.can:
        found = adapter.find("key-1", timeout=TIMEOUT)
        assert (found.trouble, found.external_id, found.record.hub_key) == (None, answer.external_id, "key-1")


def test_what_the_hub_says_of_itself_arrives(target: Target, adapter: Adapter):
    told(target, adapter)
    native = target.native({name: CUSTOMER[name] for name in ("customer_id", "hub_version")})
    assert len(native) >= 1
    if target.far:
        record = target.far.records()[0]
        for name, value in native.items():
            stored = record[name]
            wanted = {k: str(v) for k, v in value.items()} if isinstance(value, dict) else value
            assert wanted.items() <= stored.items() if isinstance(value, dict) else stored == wanted
    assert target.correlations() == ["trace-key-1"]


def test_the_same_create_again_makes_no_second_record(target: Target, adapter: Adapter):
    first = told(target, adapter)
    second = target.adapter().write(target.create(), timeout=TIMEOUT)
    assert target.count() == 1
    if {Can.UPSERT, Can.REPLAY, Can.BATCH} & adapter.can:
        assert (second.trouble, second.external_id) == (None, first.external_id)
    else:
        assert second.trouble is Trouble.DUPLICATE
        assert adapter.find("key-1", timeout=TIMEOUT).external_id == first.external_id


def test_an_update_writes_what_it_is_told_and_nothing_else(target: Target, adapter: Adapter):
    made = told(target, adapter)
    before = target.held()["key-1"]
    write = target.told(Op.UPDATE, "key-1", {"city": "Bonn"}, external_id=made.external_id, etag=latest(adapter, made))
    answer = adapter.write(write, timeout=TIMEOUT)
    assert (answer.trouble, answer.external_id) == (None, made.external_id)
    after = target.held()["key-1"]
    assert after["city"] == "Bonn"
    ignored = {"city", "source_updated_at"}
    assert {n: v for n, v in after.items() if n not in ignored} == {n: v for n, v in before.items() if n not in ignored}


def test_none_empties(target: Target, adapter: Adapter):
    made = told(target, adapter)
    write = target.told(
        Op.UPDATE,
        "key-1",
        {"city": None, "phone": None, "language": None},
        external_id=made.external_id,
        etag=latest(adapter, made),
    )
    assert adapter.write(write, timeout=TIMEOUT).trouble is None
    held = target.held()["key-1"]
    assert [held.get(name) or None for name in ("city", "phone", "language")] == [None, None, None]
    assert held["country"] == "DE"


def test_a_record_is_put_out_of_use_and_back(target: Target, adapter: Adapter):
    made = told(target, adapter)
    for op, status in ((Op.DEACTIVATE, "inactive"), (Op.REACTIVATE, "active")):
        write = target.told(op, "key-1", {"status": status}, external_id=made.external_id, etag=latest(adapter, made))
        assert adapter.write(write, timeout=TIMEOUT).trouble is None
        assert target.held()["key-1"]["status"] == status


def test_out_of_use_needs_no_fields(rest: Target):
    """The document says how a target puts a record out of use."""
    adapter = rest.adapter()
    made = told(rest, adapter)
    for op, status in ((Op.DEACTIVATE, "inactive"), (Op.REACTIVATE, "active")):
        write = rest.told(op, "key-1", {}, external_id=made.external_id, etag=latest(adapter, made))
        assert adapter.write(write, timeout=TIMEOUT).trouble is None
        assert rest.held()["key-1"]["status"] == status
    assert rest.held()["key-1"]["city"] == "Berlin"


def test_a_version_that_is_not_the_latest_is_a_conflict(target: Target, adapter: Adapter):
    made = told(target, adapter)
    if Can.ETAG not in adapter.can:
        assert made.etag is None or not target.is_rest
        return
    etag = latest(adapter, made)
    target.far.edit(made.external_id, {"phone" if target.name == "support" else "telephone": "+4930999"})
    write = target.told(Op.UPDATE, "key-1", {"city": "Bonn"}, external_id=made.external_id, etag=etag)
    answer = adapter.write(write, timeout=TIMEOUT)
    assert answer.trouble is Trouble.CONFLICT
    assert target.held()["key-1"]["city"] == "Berlin"
    fresh = replace(write, etag=latest(adapter, made))
    assert adapter.write(fresh, timeout=TIMEOUT).trouble is None
    assert (target.held()["key-1"]["city"], target.held()["key-1"]["phone"]) == ("Bonn", "+4930999")


def test_an_update_without_a_version_is_not_sent_where_one_is_needed(make_target):
    erp = make_target("erp")
    adapter = erp.adapter()
    made = told(erp, adapter)
    before = erp.far.requests()["requests"]["total"]
    answer = adapter.write(
        erp.told(Op.UPDATE, "key-1", {"city": "Bonn"}, external_id=made.external_id), timeout=TIMEOUT
    )
    assert (answer.trouble, answer.code) == (Trouble.CONFLICT, "etag_unknown")
    assert erp.far.requests()["requests"]["total"] == before


def test_a_record_that_is_not_there(target: Target, adapter: Adapter):
    write = target.told(Op.UPDATE, "key-9", {"city": "Bonn"}, external_id="99999999", etag='W/"1"')
    answer = adapter.write(write, timeout=TIMEOUT)
    if target.is_rest:
        assert answer.trouble is Trouble.NOT_FOUND
        assert adapter.read("99999999", timeout=TIMEOUT).trouble is Trouble.NOT_FOUND
        found = adapter.find("key-9", timeout=TIMEOUT)
        assert (found.trouble, found.external_id, found.record) == (None, None, None)
    else:
        assert answer.trouble is None  # whoever reads the file finds out
        assert adapter.find("key-9", timeout=TIMEOUT).trouble is Trouble.CONFIG


def test_a_field_the_target_does_not_know_is_named(target: Target, adapter: Adapter):
    write = target.create()
    write = replace(write, fields={**write.fields, "shoe_size": "44"})
    answer = adapter.write(write, timeout=TIMEOUT)
    assert answer.trouble is Trouble.VALIDATION
    assert "shoe_size" in answer.detail and answer.code
    assert target.count() == 0


def test_a_value_the_target_does_not_take_is_named(rest: Target):
    status = rest.mapping.columns["status"][0]
    write = rest.create()
    answer = rest.adapter().write(replace(write, fields={**write.fields, status: "Wonderful"}), timeout=TIMEOUT)
    assert (answer.trouble, rest.count()) == (Trouble.VALIDATION, 0)
    assert status in answer.detail


@pytest.mark.parametrize(
    "text",
    [
        "Müller & Söhne = \"GmbH\" 'x' <b>;,|\\ %41 {hub_key}",
        "\u674e\u5c0f\u9f8d \U0001f9a9 \u0627\u0644\u0639\u0631\u0628\u064a\u0629 e\u0301",
        "line one\nline two\ttab",
        "bell\x07 escape\x1b\x7f\x85\u2028",
        "=1+1",
        "' leading quote",
    ],
    ids=["marks", "scripts", "lines", "controls", "formula", "quote"],
)
def test_texts_arrive_as_they_are(target: Target, adapter: Adapter, text: str):
    name = "family_name" if "family_name" in target.mapping.writes else "name"
    if text.startswith("'") and not target.is_rest:
        text = text[2:]  # a reader of the files cannot tell the guard from a quote
    told(target, adapter, {**CUSTOMER, name: text})
    held = target.held()["key-1"][name]
    assert held == text


def test_merging(target: Target, adapter: Adapter):
    winner, *losers = (told(target, adapter, key=f"key-{n}") for n in range(3))
    ids = tuple(answer.external_id for answer in losers)
    write = target.told(Op.MERGE, "key-0", {}, external_id=winner.external_id, losers=ids)
    answer = adapter.write(write, timeout=TIMEOUT)
    if Can.MERGE not in adapter.can:
        assert (answer.trouble, answer.code) == (Trouble.CONFIG, "cannot")
        return
    assert (answer.trouble, answer.external_id) == (None, winner.external_id)
    found = {record["_id"]: record for record in target.far.records()}
    assert [(found[i]["_deleted"], found[i]["_merged_into"]) for i in ids] == [(True, winner.external_id)] * 2
    assert target.count() == 1


def test_many_writes_at_once_get_one_answer_each(target: Target, adapter: Adapter):
    writes = [target.create(f"key-{n}") for n in range(5)]
    writes[2] = replace(writes[2], fields={**writes[2].fields, "shoe_size": 1})
    answers = adapter.write_all(writes, timeout=TIMEOUT)
    assert [answer.trouble for answer in answers] == [None, None, Trouble.VALIDATION, None, None]
    assert target.held().keys() == {"key-0", "key-1", "key-3", "key-4"}
    if Can.BATCH in adapter.can:
        assert len(target.files()) == 1


def test_no_credential_and_no_sensitive_value_stays(target: Target, adapter: Adapter):
    answers = [told(target, adapter)]
    if target.is_rest:
        answers.append(adapter.find("key-1", timeout=TIMEOUT))
        target.far.faults(auth_off=True)
        answers.append(adapter.write(target.create("key-2"), timeout=TIMEOUT))
        assert answers[-1].trouble is Trouble.AUTH
    for answer in answers:
        shown = plain([answer.request, answer.response, answer.detail, answer.code])
        assert not [secret for secret in target.credentials.values() if len(secret) > 4 and secret in shown]
        assert "Bearer" not in shown and "uthorization" not in shown
        assert CUSTOMER["tax_id"] not in shown
        assert len(answer.request) <= 4_000 and len(answer.response) <= 4_000
    assert "•••76" in answers[0].request or "tax_id" not in target.mapping.writes


def test_what_is_not_declared_says_so(target: Target, adapter: Adapter):
    calls = {
        Can.FIND: lambda: adapter.find("key-1", timeout=TIMEOUT),
        Can.READ: lambda: adapter.read("1", timeout=TIMEOUT),
        Can.LIST: lambda: adapter.list({}, limit=1, timeout=TIMEOUT).answer,
        Can.CHANGES: lambda: adapter.changes({}, limit=1, timeout=TIMEOUT).answer,
    }
    for can, call in calls.items():
        answer = call()
        assert (answer.trouble is Trouble.CONFIG and answer.code == "cannot") == (can not in adapter.can), can


def test_a_cheap_look_shows_that_we_are_let_in(target: Target, adapter: Adapter):
    assert adapter.probe(timeout=TIMEOUT).trouble is None
    if target.is_rest:
        target.credentials = {"token": "wrong-token"}
    elif target.name == "sftp":
        target.credentials = {"username": "hub", "password": "wrong"}
    else:
        target.folder.joinpath("missing")
        target.allowed = ()
    answer = target.adapter().probe(timeout=TIMEOUT)
    assert answer.trouble is (Trouble.CONFIG if target.name == "folder" else Trouble.AUTH)
