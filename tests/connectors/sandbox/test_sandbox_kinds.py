"""What every kind promises, each in its own words."""

import base64
from datetime import datetime

import pytest

from apps.connectors.sandbox import Far
from tests.connectors.sandbox.calls import SPEECH, call, changes
from tests.connectors.sandbox.conftest import KINDS

each_kind = pytest.mark.parametrize("kind", KINDS)
TEXT = 'Zoë O\'Brien 株式会社 🦊 "quoted" \\ tab\tline\nend &=%+#/?'


@each_kind
def test_a_record_is_made_and_read_back(far: Far, kind: str) -> None:
    speech = SPEECH[kind]
    record_id = speech.made(
        far, "K-1", {speech.name: "Anna Müller", speech.phone: "+49 30 1", speech.status: speech.active}
    )
    found = speech.read(far, record_id)
    assert found.status == 200
    kept = far.record(record_id)
    assert (kept[speech.name], kept[speech.phone], kept[speech.status]) == ("Anna Müller", "+49 30 1", speech.active)
    assert (kept["_key"], kept["_version"], kept["_deleted"], kept["_merged_into"]) == ("K-1", 1, False, None)
    assert kept["_created_at"] == kept["_modified_at"]


@each_kind
def test_an_update_changes_only_what_it_names(far: Far, kind: str) -> None:
    speech = SPEECH[kind]
    record_id = speech.made(far, "K-1", {speech.name: "Anna", speech.phone: "1"})
    assert speech.update(far, record_id, {speech.phone: "2"}).status in (200, 204)
    assert (speech.value(far, record_id, speech.name), speech.value(far, record_id, speech.phone)) == ("Anna", "2")


@each_kind
def test_null_and_empty_text_empty_a_field(far: Far, kind: str) -> None:
    speech = SPEECH[kind]
    record_id = speech.made(far, "K-1", {speech.name: "Anna", speech.phone: "1"})
    speech.update(far, record_id, {speech.phone: ""})
    assert speech.value(far, record_id, speech.phone) is None
    speech.update(far, record_id, {speech.name: None})
    assert speech.value(far, record_id, speech.name) is None


@each_kind
def test_every_text_comes_back_as_it_was(far: Far, kind: str) -> None:
    speech = SPEECH[kind]
    record_id = speech.made(far, TEXT[:40], {speech.name: TEXT})
    assert speech.value(far, record_id, speech.name) == TEXT
    assert far.record(record_id)["_key"] == TEXT[:40]


@each_kind
def test_an_unknown_field_is_refused_by_name(far: Far, kind: str) -> None:
    speech = SPEECH[kind]
    record_id = speech.made(far, "K-1", {speech.name: "Anna"})
    for reply in (speech.create(far, "K-2", {"shoesize": "44"}), speech.update(far, record_id, {"shoesize": "44"})):
        assert reply.status == 400
        assert b"shoesize" in reply.text
    assert len(far.records()) == 1
    assert far.record(record_id)["_version"] == 1


@each_kind
def test_too_long_a_value_is_refused_by_name(far: Far, kind: str) -> None:
    speech = SPEECH[kind]
    name, longest = speech.short
    assert speech.create(far, "K-1", {name: "x" * longest}).status in (200, 201)
    reply = speech.create(far, "K-2", {name: "x" * (longest + 1)})
    assert reply.status == speech.invalid
    assert name.encode() in reply.text
    assert len(far.records()) == 1


@each_kind
def test_a_wrong_type_is_refused_by_name(far: Far, kind: str) -> None:
    speech = SPEECH[kind]
    name, value = speech.typed
    reply = speech.create(far, "K-1", {name: value})
    assert reply.status == speech.invalid
    assert name.encode() in reply.text
    assert far.records() == []


@each_kind
def test_a_status_outside_the_list_is_refused(far: Far, kind: str) -> None:
    speech = SPEECH[kind]
    reply = speech.create(far, "K-1", {speech.status: "zombie"})
    assert reply.status == speech.invalid
    assert speech.status.encode() in reply.text


@each_kind
def test_the_servers_own_fields_cannot_be_written(far: Far, kind: str) -> None:
    speech = SPEECH[kind]
    reply = speech.create(far, "K-1", {speech.modified: "2020-01-01T00:00:00Z"})
    assert reply.status == 400
    assert speech.modified.encode() in reply.text


@each_kind
@pytest.mark.parametrize(
    "given", ["", "Bearer wrong", "Bearer", "Digest x", "Basic !!!"], ids=["none", "wrong", "empty", "other", "broken"]
)
def test_without_the_key_nobody_gets_in(far: Far, kind: str, given: str) -> None:
    reply = call(far, "GET", SPEECH[kind].one("1"), Authorization=given)
    assert reply.status == 401
    word = {"crm": "INVALID_SESSION_ID", "erp": "0x80048306", "billing": "invalid_api_key", "support": "Couldn't auth"}[
        kind
    ]
    assert word in reply.text.decode()


@each_kind
def test_basic_with_the_key_as_user_is_billings_alone(far: Far, kind: str) -> None:
    basic = "Basic " + base64.b64encode(f"{far.key}:".encode()).decode()
    reply = call(far, "GET", SPEECH[kind].one("nobody"), Authorization=basic)
    assert reply.status == (404 if kind == "billing" else 401)


@each_kind
def test_what_is_not_there_is_not_found(far: Far, kind: str) -> None:
    speech = SPEECH[kind]
    assert speech.read(far, "nobody").status == 404
    assert speech.update(far, "nobody", {speech.name: "x"}).status == 404
    assert speech.delete(far, "nobody").status == 404
    assert call(far, "GET", "/no/such/address").status == 404


@each_kind
def test_a_wrong_method_is_told(far: Far, kind: str) -> None:
    method = "PUT" if kind != "support" else "PATCH"
    assert call(far, method, SPEECH[kind].one("1"), {}).status == 405


@each_kind
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"text"', b'{"a": NaN}', b"\xff\xfe", b'{"a": "\\ud800"}', b"[" * 100_000],
    ids=["nothing", "half", "list", "text", "nan", "bytes", "half-surrogate", "deep"],
)
def test_a_body_that_is_no_object_is_refused(far: Far, kind: str, body: bytes) -> None:
    """In the kind's own shape, and the server goes on."""
    path = {"crm": "/services/data/v62.0/sobjects/Account", "erp": "/api/data/customers", "billing": "/v1/customers"}
    where = path.get(kind, "/api/v2/contacts/create_or_update.json")
    reply = call(far, "POST", where, body, Content_Type="application/json")
    assert reply.status == 400
    assert reply.body
    assert far.records() == []


@each_kind
def test_another_media_type_is_refused(far: Far, kind: str) -> None:
    path = {"crm": "/services/data/v62.0/sobjects/Account", "erp": "/api/data/customers", "billing": "/v1/customers"}
    where = path.get(kind, "/api/v2/contacts/create_or_update.json")
    assert call(far, "POST", where, b"<a/>", Content_Type="text/xml").status == 415


@each_kind
@pytest.mark.parametrize("page", [1, 2, 100])
def test_the_list_of_changes_has_every_record_once_page_by_page(far: Far, kind: str, page: int) -> None:
    speech = SPEECH[kind]
    made = [speech.made(far, f"K-{number}", {speech.name: f"N{number}"}) for number in range(5)]
    found = changes(far, page=page)
    assert [str(record[speech.id]) for record in found] == made
    moments = [datetime.fromisoformat(record[speech.modified]) for record in found]
    assert moments == sorted(set(moments))


@each_kind
def test_an_empty_list_of_changes_is_the_end(far: Far, kind: str) -> None:
    assert changes(far, page=10) == []


@each_kind
def test_a_change_and_a_deletion_appear_in_the_list(far: Far, kind: str) -> None:
    speech = SPEECH[kind]
    first, second = (speech.made(far, key, {speech.name: key}) for key in ("K-1", "K-2"))
    far.edit(first, {speech.phone: "7"})
    assert speech.delete(far, second).status in (200, 204)
    found = changes(far, page=10)[-2:]
    assert [str(record[speech.id]) for record in found] == [first, second]
    assert found[0][speech.phone] == "7"
    mark = {"crm": "IsDeleted", "erp": "@removed", "billing": "deleted", "support": "deleted_at"}[kind]
    assert found[1][mark]
    assert not found[0].get(mark)


@each_kind
def test_a_deleted_record_is_closed_and_frees_its_key(far: Far, kind: str) -> None:
    speech = SPEECH[kind]
    record_id = speech.made(far, "K-1", {speech.name: "Anna"})
    assert speech.delete(far, record_id).status in (200, 204)
    assert speech.update(far, record_id, {speech.name: "Bert"}).status == 404
    assert speech.delete(far, record_id).status == 404
    assert speech.made(far, "K-1", {speech.name: "Carl"}) != record_id


@each_kind
def test_a_write_that_changes_nothing_is_a_new_version_all_the_same(far: Far, kind: str) -> None:
    speech = SPEECH[kind]
    record_id = speech.made(far, "K-1", {speech.name: "Anna"})
    before = far.record(record_id)
    speech.update(far, record_id, {speech.name: "Anna"})
    after = far.record(record_id)
    assert after["_version"] == before["_version"] + 1
    assert after["_modified_at"] > before["_modified_at"]
    assert far.requests()["writes"]["unchanged"] == 1


@each_kind
def test_a_body_too_long_ends_the_connection(far: Far, kind: str) -> None:
    reply = call(far, "POST", SPEECH[kind].one("1"), b"x", Content_Length="6000000")
    assert reply.status == 413
    assert reply.headers["connection"] == "close"


@each_kind
def test_a_body_without_a_length_is_refused(far: Far, kind: str) -> None:
    assert call(far, "POST", SPEECH[kind].one("1"), Transfer_Encoding="chunked").status == 411


@each_kind
def test_a_cheap_probe_answers(far: Far, kind: str) -> None:
    path = {"crm": "/services/data/v62.0/limits", "erp": "/api/data/WhoAmI", "billing": "/v1/account"}
    assert call(far, "GET", path.get(kind, "/api/v2/users/me.json")).status == 200
