"""What the REST adapter makes of answers, well formed or not: statuses, waits, errors inside, things where they should not be."""

import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import pytest

from apps.connectors import registry
from apps.connectors.contract import Answer, Op, Trouble, Write
from tests.connectors.scripted import Said, Scripted, scripted

T = Trouble
DOCUMENT: dict[str, Any] = {
    "connection": {"adapter": "rest", "system": "x", "kind": "other"},
    "auth": {"kind": "header", "name": "X-Api-Key"},
    "record": {"id": "/id", "etag": "/version", "hub_key": "/key", "deleted": "/gone", "changed_at": "/at"},
    "errors": {
        "code": ["/error/code", "/fault"],
        "message": "/error/text",
        "field": ["/error/fields", "/error/field"],
        "failed": "/error",
        "success": "/ok",
        "codes": {"QUOTA": "throttled", "LOCKED": "conflict", "TWICE": "duplicate"},
        "statuses": {"418": "fatal"},
    },
    "operations": {
        "create": {"method": "POST", "path": "/c", "id": ["/id", "/made/id"]},
        "update": {
            "method": "PUT",
            "path": "/c/{external_id}",
            "etag_header": "If-Match",
            "headers": {"X-Key": "{hub_key}"},
        },
        "find": {"method": "GET", "path": "/c", "query": {"key": "{hub_key}", "all": "1"}, "record": "/items/0"},
        "read": {"method": "GET", "path": "/c/{external_id}"},
        "changes": {
            "method": "GET",
            "path": "/changes",
            "query": {"since": "{cursor.since}", "n": "{limit}"},
            "records": "/items",
            "next": {"since": "/next"},
            "most": 2,
        },
        "probe": {"method": "GET", "path": "/ping"},
    },
}
CREATE = Write(Op.CREATE, "key-1", "idem-1", "trace-1", {"name": "x"})
UPDATE = Write(Op.UPDATE, "key-1", "idem-2", "trace-2", {"name": "y"}, external_id="a b/c?", etag='"7"')


@pytest.fixture
def far() -> Iterator[Scripted]:
    with scripted() as server:
        yield server


@pytest.fixture
def adapter(far: Scripted):
    document = DOCUMENT | {"connection": DOCUMENT["connection"] | {"base_url": f"{far.url}/base/"}}
    assert registry.check(document) == []
    made = registry.make("rest", document, {"token": "key-of-ours"}, ["127.0.0.1"])
    yield made
    made.close()


def says(far: Scripted, *args: Any, **kwargs: Any) -> None:
    far.answer = lambda asked: Said(*args, **kwargs)


def test_what_leaves(far: Scripted, adapter):
    says(far, 200, {"id": 5})
    assert adapter.write(CREATE, timeout=5).external_id == "5"
    assert adapter.write(UPDATE, timeout=5).external_id == "a b/c?"
    adapter.find("k&1", timeout=5)
    first, second, third = far.asked
    assert (first.method, first.path, first.json) == ("POST", "/base/c", {"name": "x"})
    assert (first.headers["x-api-key"], first.headers["x-correlation-id"]) == ("key-of-ours", "trace-1")
    assert first.headers["content-type"] == "application/json" and first.headers["host"] == far.url[7:]
    assert (second.path, second.headers["if-match"], second.headers["x-key"]) == (
        "/base/c/a%20b%2Fc%3F",
        '"7"',
        "key-1",
    )
    assert third.path == "/base/c?key=k%261&all=1" and "content-type" not in third.headers


def test_a_header_can_only_be_one_header(far: Scripted, adapter):
    write = Write(Op.UPDATE, "k\r\nX-Evil: 1", "i", "trace\r\nX-Evil: 2\u4e00", {"name": "y"}, external_id="1")
    assert adapter.write(write, timeout=5).trouble is None
    assert "x-evil" not in far.asked[0].headers
    assert far.asked[0].headers["x-correlation-id"] == "trace??X-Evil: 2?"


def test_connections_are_kept(far: Scripted, adapter):
    says(far, 200, {"id": 1})
    for _ in range(5):
        assert adapter.write(CREATE, timeout=5).trouble is None
    assert far.connections == 1
    says(far, 200, {"id": 1}, {"Connection": "close"})
    for _ in range(3):
        assert adapter.write(CREATE, timeout=5).trouble is None
    assert far.connections == 3


STATUSES = [
    (400, T.VALIDATION, T.VALIDATION), (401, T.AUTH, T.AUTH), (402, T.AUTH, T.AUTH), (403, T.AUTH, T.AUTH),
    (404, T.CONFIG, T.NOT_FOUND), (405, T.CONFIG, T.CONFIG), (406, T.CONFIG, T.CONFIG), (408, T.THROTTLED, T.THROTTLED),
    (409, T.CONFLICT, T.CONFLICT), (410, T.CONFIG, T.NOT_FOUND), (412, T.CONFLICT, T.CONFLICT), (413, T.VALIDATION, T.VALIDATION),
    (415, T.CONFIG, T.CONFIG), (418, T.FATAL, T.FATAL), (422, T.VALIDATION, T.VALIDATION), (425, T.THROTTLED, T.THROTTLED),
    (428, T.CONFIG, T.CONFIG), (429, T.THROTTLED, T.THROTTLED), (451, T.FATAL, T.FATAL), (500, T.UNCERTAIN, T.UNCERTAIN),
    (501, T.CONFIG, T.CONFIG), (502, T.UNCERTAIN, T.UNCERTAIN), (503, T.TRANSIENT, T.TRANSIENT), (504, T.UNCERTAIN, T.UNCERTAIN),
    (507, T.TRANSIENT, T.TRANSIENT), (599, T.TRANSIENT, T.TRANSIENT), (301, T.CONFIG, T.CONFIG), (307, T.CONFIG, T.CONFIG),
]  # fmt: skip


@pytest.mark.parametrize(("status", "create", "update"), STATUSES, ids=str)
@pytest.mark.parametrize("body", [{}, {"error": {"code": "SAYS_NOTHING"}}, None], ids=["empty", "code", "none"])
def test_statuses(far: Scripted, adapter, status, create, update, body):
    says(far, status, body)
    for write, wanted in ((CREATE, create), (UPDATE, update)):
        answer = adapter.write(write, timeout=5)
        assert (answer.trouble, answer.status) == (wanted, status)
        assert answer.code == ("redirect" if status < 400 else "SAYS_NOTHING" if body else f"http_{status}")


@pytest.mark.parametrize(
    ("status", "body", "wanted"),
    [
        (403, {"error": {"code": "QUOTA"}}, T.THROTTLED),
        (400, {"fault": "LOCKED"}, T.CONFLICT),
        (500, {"error": {"code": "TWICE", "text": "there is one"}}, T.DUPLICATE),
        (200, {"error": {"code": "QUOTA"}}, T.THROTTLED),
        (200, {"error": {"code": "NEW", "text": "bad", "field": "name"}}, T.VALIDATION),
        (200, {"error": {"code": "NEW"}}, T.FATAL),
        (200, {"ok": False}, T.FATAL),
        (200, {"ok": True, "error": None, "id": 1}, None),
        (200, {"error": "", "id": 1}, None),
        (200, {"error": [], "id": 1}, T.FATAL),
        (201, {"made": {"id": 0}}, None),
    ],
    ids=str,
)
def test_the_targets_own_words(far: Scripted, adapter, status, body, wanted):
    says(far, status, body)
    assert adapter.write(CREATE, timeout=5).trouble is wanted


def test_the_field_is_named(far: Scripted, adapter):
    says(far, 422, {"error": {"code": "X", "text": "is too long", "fields": {"name": ["…"], "other": []}}})
    assert adapter.write(CREATE, timeout=5).detail == "name: is too long"
    says(far, 422, {"error": {"code": "X", "text": "name is too long", "field": "name"}})
    assert adapter.write(CREATE, timeout=5).detail == "name is too long"


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (429, {"Retry-After": "7"}, 7),
        (429, {"Retry-After": "0.5"}, 0.5),
        (429, {"Retry-After": "999999999"}, 86_400),
        (429, {"Retry-After": "-5"}, None),
        (429, {"Retry-After": "soon"}, None),
        (429, {"Retry-After": "nan"}, None),
        (429, {"RateLimit-Reset": "12"}, 12),
        (429, {"X-RateLimit-Reset": "12", "X-RateLimit-Remaining": "0"}, 12),
        (429, {"X-RateLimit-Reset": "12", "X-RateLimit-Remaining": "5"}, None),
        (429, {"Retry-After": "3", "X-RateLimit-Reset": "12"}, 3),
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9"}, 9),
        (403, {"Retry-After": "4"}, 4),
        (503, {"Retry-After": "4"}, 4),
        (408, {"Retry-After": "4"}, 4),
        (429, {}, None),
    ],
    ids=str,
)
def test_how_long_to_stay_away(far: Scripted, adapter, status, headers, wait):
    says(far, status, {}, headers)
    answer = adapter.write(CREATE, timeout=5)
    assert (answer.trouble, answer.retry_after) == (Trouble.THROTTLED, wait)


def test_a_moment_to_come_back(far: Scripted, adapter):
    says(far, 429, {}, {"Retry-After": formatdate(time.time() + 60, usegmt=True)})
    assert 57 <= adapter.write(CREATE, timeout=5).retry_after <= 61
    says(far, 429, {}, {"Retry-After": formatdate(time.time() - 60, usegmt=True)})
    assert adapter.write(CREATE, timeout=5).retry_after == 0
    says(far, 429, {}, {"X-RateLimit-Reset": str(int(time.time()) + 60)})
    assert 57 <= adapter.write(CREATE, timeout=5).retry_after <= 61


def test_redirects_are_told_not_followed(far: Scripted, adapter):
    says(far, 302, b"<html>", {"Location": "http://169.254.169.254/latest", "Content-Type": "text/html"})
    answer = adapter.write(CREATE, timeout=5)
    assert (answer.trouble, answer.code, len(far.asked)) == (Trouble.CONFIG, "redirect", 1)
    says(far, 308, None, {"Location": "http://169.254.169.254/latest"})
    assert "169.254.169.254" in adapter.write(CREATE, timeout=5).detail


BROKEN = {
    "html": Said(200, b"<html>", {"Content-Type": "text/html"}),
    "no_json": Said(200, b"{'id': 1}"),
    "half_json": Said(200, b'{"id": 1'),
    "not_a_number": Said(200, b'{"id": NaN}'),
    "bad_utf8": Said(200, b'{"id": "\xff"}'),
    "no_http": Said(raw=b"hello\r\n\r\n"),
    "nothing": Said(raw=b""),
    "half_head": Said(raw=b"HTTP/1.1 200 OK\r\nContent-Le"),
    "half_body": Said(raw=b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"),
    "bad_chunk": Said(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}"),
    "endless_head": Said(raw=b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 500),
    "long_line": Said(raw=b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 100_000 + b"\r\n\r\n"),
    "too_long": Said(200, b'"' + b"x" * 1_000_001 + b'"'),
    "too_long_chunks": Said(
        raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"fffff\r\n" + b"x" * 0xFFFFF + b"\r\n") * 2
    ),
    "gzip_lie": Said(200, b"no gzip", {"Content-Encoding": "gzip"}),
    "no_id": Said(201, {"name": "x"}),
    "list": Said(200, [1, 2]),
    "text": Said(200, "fine"),
    "empty": Said(200, None),
    "odd_id": Said(200, {"id": None}),
}


@pytest.mark.parametrize("name", BROKEN, ids=str)
def test_after_an_answer_that_is_none_a_create_is_uncertain(far: Scripted, adapter, name: str):
    far.answer = lambda asked: BROKEN[name]
    answer = adapter.write(CREATE, timeout=5)
    assert (answer.trouble, answer.external_id) == (Trouble.UNCERTAIN, None), answer
    assert len(answer.response) <= 4000 and answer.detail
    far.answer = lambda asked: Said(201, {"id": 3})
    assert adapter.write(CREATE, timeout=5).external_id == "3"


@pytest.mark.parametrize("name", BROKEN, ids=str)
def test_after_an_answer_that_is_none_a_read_is_not(far: Scripted, adapter, name: str):
    far.answer = lambda asked: BROKEN[name]
    for answer in (adapter.read("1", timeout=5), adapter.find("key-1", timeout=5)):
        assert answer.trouble in (Trouble.TRANSIENT, Trouble.CONFIG, Trouble.FATAL)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n"
SLOW = {
    "then_nothing": ((0.5, HEAD + b"{"), (1.5, b'"id": 1}  ')),
    "byte_by_byte": ((0, HEAD), *((0.15, bytes([byte])) for byte in b'{"id": 1} ')),
    "slow_head": tuple((0.04, bytes([byte])) for byte in HEAD + b'{"id": 1} '),
}


@pytest.mark.parametrize("name", SLOW, ids=str)
def test_a_slow_answer_ends_when_the_whole_call_has_to(far: Scripted, adapter, name: str):
    says(far, pieces=SLOW[name])
    begun = time.monotonic()
    answer = adapter.write(CREATE, timeout=0.7)
    assert answer.trouble is Trouble.UNCERTAIN
    assert 0.6 < time.monotonic() - begun < 1.0


def test_very_deep_json_breaks_nothing(far: Scripted, adapter):
    far.answer = lambda asked: Said(200, b'{"id": 1, "a": ' + b"[" * 900 + b"]" * 900 + b"}")
    assert adapter.write(CREATE, timeout=5).external_id == "1"
    far.answer = lambda asked: Said(200, b"[" * 300_000)
    assert adapter.write(CREATE, timeout=5).trouble is Trouble.UNCERTAIN


def test_the_target_may_say_back_what_it_was_told(far: Scripted, adapter):
    """An answer that quotes our key does not get it into what is kept."""
    far.answer = lambda asked: Said(
        400, {"error": {"text": f"bad key {asked.headers['x-api-key']}", "code": "key-of-ours"}}
    )
    answer: Answer = adapter.write(CREATE, timeout=5)
    assert "key-of-ours" not in repr(answer)
    far.answer = lambda asked: Said(500, f"<p>{asked.headers['x-api-key']}</p>".encode(), {"Content-Type": "text/html"})
    assert "key-of-ours" not in repr(adapter.write(CREATE, timeout=5))


def test_a_missing_credential_is_told_before_anything_is_sent(far: Scripted):
    document = DOCUMENT | {"connection": DOCUMENT["connection"] | {"base_url": far.url}}
    adapter = registry.make("rest", document, {}, ["127.0.0.1"])
    answer = adapter.write(CREATE, timeout=5)
    assert (answer.trouble, answer.code, far.asked) == (Trouble.AUTH, "no_credentials", [])
    adapter.close()


def test_find_tells_nothing_there_from_wrong_answers(far: Scripted, adapter):
    for said in (Said(404, {}), Said(200, {"items": []})):
        far.answer = lambda asked, said=said: said
        answer = adapter.find("key-1", timeout=5)
        assert (answer.trouble, answer.code, answer.external_id, answer.record) == (None, "", None, None)
    for body in ({}, None, [], {"items": None}, {"items": {}}, {"items": ["x"]}, {"items": [{"no_id": 1}]}):
        says(far, 200, body)
        answer = adapter.find("key-1", timeout=5)
        assert (answer.trouble, answer.external_id) == (Trouble.CONFIG, None), body
    says(far, 200, {"items": [{"id": 9, "version": 3, "key": "key-1", "gone": 0, "at": "2026-01-01T00:00:00Z"}]})
    answer = adapter.find("key-1", timeout=5)
    record = answer.record
    assert (answer.external_id, answer.etag, record.hub_key, record.deleted) == ("9", "3", "key-1", False)
    assert record.changed_at == "2026-01-01T00:00:00Z"
    says(far, 500, {})
    assert adapter.find("key-1", timeout=5).trouble is Trouble.TRANSIENT


def test_pages(far: Scripted, adapter):
    says(far, 200, {"items": [{"id": 1}, {"id": 2, "gone": "yes"}], "next": "b"})
    page = adapter.changes({"since": "a", "own": 1}, limit=50, timeout=5)
    assert [(r.external_id, r.deleted) for r in page.records] == [("1", False), ("2", True)]
    assert (page.cursor, page.more) == ({"since": "b", "own": 1}, True)
    assert far.asked[0].path == "/base/changes?since=a&n=2"
    says(far, 200, {"items": [{"id": 1}, "odd", {"x": 1}], "next": None})
    page = adapter.changes({"since": "a"}, limit=5, timeout=5)
    assert ([r.external_id for r in page.records], page.cursor) == (["1"], {"since": "a"})
    for body in ({}, {"items": {}}, [], "x"):
        says(far, 200, body)
        page = adapter.changes({"since": "a"}, limit=5, timeout=5)
        assert (page.answer.trouble, page.cursor) == (Trouble.CONFIG, {"since": "a"})
    says(far, 200, {"items": [], "next": "c"})
    assert not adapter.changes({}, limit=5, timeout=5).more
