"""The ERP's own ways."""

import re
from urllib.parse import quote, urlsplit

import pytest

from apps.connectors.sandbox import Far
from tests.connectors.sandbox.calls import CUSTOMERS, call

KIND = "erp"


def create(far: Far, **fields: object):
    return call(far, "POST", CUSTOMERS, fields)


def test_a_create_answers_with_the_record_its_etag_and_address(far: Far) -> None:
    reply = create(far, mdmkey="K-1", name="Acme", creditlimit=1200.5, blocked=True)
    assert reply.status == 201
    assert re.fullmatch(r"\d{8}", reply.body["customerid"])
    assert reply.headers["location"] == f"{CUSTOMERS}({reply.body['customerid']})"
    assert reply.headers["etag"] == reply.body["@odata.etag"]
    assert (reply.body["creditlimit"], reply.body["blocked"]) == (1200.5, True)
    assert call(far, "GET", reply.headers["location"]).body == reply.body


def test_the_same_key_twice_is_a_conflict(far: Far) -> None:
    create(far, mdmkey="K-1")
    reply = create(far, mdmkey="K-1")
    assert (reply.status, reply.body["error"]["code"]) == (409, "0x80040237")
    assert len(far.records()) == 1


def test_the_account_number_is_unique_and_made_when_missing(far: Far) -> None:
    assert create(far, accountnumber="X1").body["accountnumber"] == "X1"
    assert create(far, accountnumber="X1").status == 409
    made = create(far).body["accountnumber"]
    found = call(far, "GET", f"{CUSTOMERS}?$filter=" + quote(f"accountnumber eq '{made}'")).body["value"]
    assert [record["accountnumber"] for record in found] == [made]


def test_an_update_needs_the_etag_of_what_it_saw(far: Far) -> None:
    made = create(far, mdmkey="K-1", city="Bonn").body
    where = f"{CUSTOMERS}({made['customerid']})"
    assert call(far, "PATCH", where, {"city": "Köln"}).status == 428
    done = call(far, "PATCH", where, {"city": "Köln"}, If_Match=made["@odata.etag"])
    assert (done.status, done.body["city"]) == (200, "Köln")
    assert done.headers["etag"] == done.body["@odata.etag"] != made["@odata.etag"]
    stale = call(far, "PATCH", where, {"city": "Ulm"}, If_Match=made["@odata.etag"])
    assert (stale.status, stale.body["error"]["code"]) == (412, "0x80060882")
    assert call(far, "PATCH", where, {"city": "Ulm"}, If_Match="*").status == 200
    assert call(far, "PATCH", where, {"city": "Jena"}, If_Match='W/"0-0"').status == 412
    assert call(far, "GET", where).body["city"] == "Ulm"


def test_a_delete_heeds_the_etag_when_sent(far: Far) -> None:
    made = create(far).body
    where = f"{CUSTOMERS}({made['customerid']})"
    assert call(far, "DELETE", where, If_Match='W/"0-0"').status == 412
    assert call(far, "DELETE", where, If_Match=made["@odata.etag"]).status == 204
    assert call(far, "GET", where).status == 404


@pytest.mark.parametrize("form", ["({})", "('{}')"], ids=["bare", "quoted"])
def test_an_id_may_be_quoted(far: Far, form: str) -> None:
    record_id = create(far).body["customerid"]
    assert call(far, "GET", CUSTOMERS + form.format(record_id)).status == 200


@pytest.mark.parametrize("key", ["K-1", "O'Brien", "ü & =", "a'' b"])
def test_a_record_is_found_by_its_key(far: Far, key: str) -> None:
    record_id = create(far, mdmkey=key).body["customerid"]
    create(far, mdmkey="another")
    wanted = quote("mdmkey eq '{}'".format(key.replace("'", "''")))
    found = call(far, "GET", f"{CUSTOMERS}?$filter={wanted}").body["value"]
    assert [record["customerid"] for record in found] == [record_id]
    assert call(far, "GET", f"{CUSTOMERS}?$filter=" + quote("mdmkey eq 'nobody'")).body["value"] == []


@pytest.mark.parametrize("text", ["name eq 'x'", "mdmkey eq x", "mdmkey eq 'a' or 1 eq 1", "mdmkey eq 'it's'"])
def test_another_filter_is_refused(far: Far, text: str) -> None:
    assert call(far, "GET", f"{CUSTOMERS}?$filter={quote(text)}").status == 400


@pytest.mark.parametrize("query", ["$top=0", "$skip=5", "modified_after=then"])
def test_another_query_is_refused(far: Far, query: str) -> None:
    assert call(far, "GET", f"{CUSTOMERS}?{query}").status == 400


def test_a_long_organization_name_is_cut_without_a_word(far: Far) -> None:
    made = create(far, organizationname="x" * 41).body
    assert made["organizationname"] == "x" * 40
    where = f"{CUSTOMERS}({made['customerid']})"
    assert call(far, "PATCH", where, {"organizationname": "y" * 60}, If_Match="*").body["organizationname"] == "y" * 40


def test_a_deleted_record_is_a_removed_entry_with_its_moment(far: Far) -> None:
    record_id = create(far).body["customerid"]
    far.delete(record_id)
    [entry] = call(far, "GET", f"{CUSTOMERS}?$top=5").body["value"]
    assert set(entry) == {"customerid", "modifiedon", "@removed"}
    assert (entry["customerid"], entry["@removed"]) == (record_id, {"reason": "deleted"})


def test_the_last_page_says_where_to_go_on(far: Far) -> None:
    for number in range(3):
        create(far, mdmkey=f"K-{number}")
    first = call(far, "GET", f"{CUSTOMERS}?$top=2").body
    link = urlsplit(first["@odata.nextLink"])
    assert f"{link.scheme}://{link.netloc}" == far.url
    last = call(far, "GET", f"{link.path}?{link.query}").body
    assert (len(last["value"]), "@odata.nextLink" in last) == (1, False)
    new = create(far, mdmkey="K-3").body["customerid"]
    link = urlsplit(last["@odata.deltaLink"])
    later = call(far, "GET", f"{link.path}?{link.query}").body["value"]
    assert [record["customerid"] for record in later] == [new]


def test_there_is_no_upsert_no_replay_and_no_merge(far: Far) -> None:
    assert call(far, "PATCH", f"{CUSTOMERS}(mdmkey='K-1')", {}, If_Match="*").status == 404
    for _ in range(2):
        reply = call(far, "POST", CUSTOMERS, {"name": "twice"}, Idempotency_Key="I-1")
        assert reply.status == 201
    assert len(far.records()) == 2
    assert call(far, "POST", f"{CUSTOMERS}(1)/merge", {}).status == 404
