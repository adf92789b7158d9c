"""Documents of connections: what is wrong with one is told entry by entry, before anything is called."""

import copy
from typing import Any

import pytest

from apps.connectors import registry
from apps.connectors.contract import Can
from apps.connectors.documents import DocumentError, read_document
from tests.contracts.targets import CONNECTIONS, FILE_DOCUMENT, shipped

KINDS = ("crm", "erp", "billing", "support")


def problems(document: dict[str, Any]) -> dict[str, str]:
    found = registry.check(document)
    assert all(error.detail.endswith((".", "?")) for error in found)
    return {error.field: error.code for error in found}


@pytest.mark.parametrize("kind", KINDS)
def test_the_shipped_documents_are_whole(kind: str):
    document = shipped(kind)
    assert problems(document) == {}
    assert (document["connection"]["system"], document["connection"]["kind"]) == (kind, kind)
    adapter = registry.make("rest", document, {"token": "x"}, [])
    assert {Can.CREATE, Can.UPDATE, Can.DEACTIVATE, Can.FIND, Can.READ, Can.CHANGES, Can.LIST} <= adapter.can
    assert registry.mapping_of(document).writes >= {"customer_id", "hub_version", "kind", "status", "city"}
    adapter.close()


def test_there_is_a_document_for_every_sandbox_system():
    assert sorted(path.stem for path in CONNECTIONS.glob("*.toml")) == sorted(KINDS)


def test_what_the_shipped_targets_can():
    made = {kind: registry.make("rest", shipped(kind), {}, []) for kind in KINDS}
    special = {Can.UPSERT, Can.REPLAY, Can.ETAG, Can.MERGE, Can.BATCH}
    assert {kind: adapter.can & special for kind, adapter in made.items()} == {
        "crm": {Can.UPSERT, Can.MERGE},
        "erp": {Can.ETAG},
        "billing": {Can.REPLAY},
        "support": {Can.UPSERT, Can.ETAG, Can.MERGE},
    }
    assert {kind: adapter.replay_hours for kind, adapter in made.items()} == {
        "crm": 0,
        "erp": 0,
        "billing": 24,
        "support": 0,
    }
    for adapter in made.values():
        adapter.close()


CHANGES: list[tuple[str, Any, dict[str, str]]] = [
    ("connection.base_url", "", {"connection.base_url": "missing"}),
    ("connection.base_url", "ftp://x", {"connection.base_url": "bad_scheme"}),
    ("connection.base_url", "https://user:pw@example.org", {"connection.base_url": "userinfo"}),
    ("connection.base_ulr", "x", {"connection.base_ulr": "unknown_field"}),
    ("connection.body", "xml", {"connection.body": "wrong_type"}),
    ("connection.in_flight", 0, {"connection.in_flight": "wrong_type"}),
    ("connection.timeout", "5", {"connection.timeout": "wrong_type"}),
    ("connection.adapter", "rset", {"connection.adapter": "unknown_value"}),
    ("connection.system", "", {"connection.system": "missing"}),
    ("auth.kind", "magic", {"auth.kind": "wrong_type"}),
    ("auth", {"kind": "header"}, {"auth.name": "missing"}),
    ("auth", {"kind": "oauth2"}, {"auth.token_url": "bad_scheme"}),
    ("record.id", "Id", {"record.id": "wrong_type"}),
    ("record", {}, {"record.id": "missing"}),
    ("errors.codes", {"X": "transeint"}, {"errors.codes": "wrong_type"}),
    ("errors.statuses", {"999": "fatal"}, {"errors.statuses": "unknown_value"}),
    ("operations", {}, {"operations": "missing"}),
    ("operations.craete", {"method": "POST", "path": "/x"}, {"operations.craete": "unknown_field"}),
    ("operations.create.method", "FETCH", {"operations.create.method": "wrong_type"}),
    ("operations.create.path", "x", {"operations.create.path": "wrong_type"}),
    ("operations.create.path", "/{hub_kee}", {"operations.create.path": "unknown_value"}),
    ("operations.create", {"method": "POST"}, {"operations.create.path": "missing"}),
    ("operations.create", "POST", {"operations.create": "wrong_type"}),
    ("operations.create.repeat", "idempotency", {"operations.create.idempotency_header": "missing"}),
    ("operations.changes", {"method": "GET", "path": "/x"}, {"operations.changes.records": "missing", "operations.changes.next": "missing"}),
    ("operations.changes.query", {"a": "{cursor.nowhere}"}, {"operations.changes.query": "unknown_value"}),
    ("mapping.columns.emial", "x", {"mapping.emial": "unknown_field"}),
    ("mapping.out.colums", {}, {"mapping.out.colums": "unknown_field"}),
    ("maping", {}, {"maping": "unknown_field"}),
]  # fmt: skip


@pytest.mark.parametrize(("place", "value", "wanted"), CHANGES, ids=str)
def test_every_fault_is_told_where_it_stands(place: str, value: Any, wanted: dict[str, str]):
    document = copy.deepcopy(shipped("crm"))
    *steps, last = place.split(".")
    at = document
    for step in steps:
        at = at[step]
    at[last] = value
    assert problems(document) == wanted
    if not place.startswith("mapping") and place != "connection.system":
        with pytest.raises(DocumentError):
            registry.make(document["connection"]["adapter"], document, {}, [])


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('[connection]\nadapter = "rset"', "did you mean 'rest'"),
        ('[connection]\nadapter = "rest"\nbase_ulr = "x"', "did you mean 'base_url'"),
        ('[connection]\nadapter = "rest"\n[operations.chnages]', "did you mean 'changes'"),
        ('[connection]\nadapter = "rest"\n[operation.create]', "did you mean 'operations'"),
        ('[connection]\nadapter = "file"\nfoldr = "/x"', "did you mean 'folder'"),
        ('[connection]\nadapter = "file"\n[fiels]\nout = "o"', "did you mean 'files'"),
    ],
    ids=str,
)
def test_what_may_have_been_meant(text: str, meant: str):
    assert any(meant in error.detail for error in registry.check(read_document(text)))


@pytest.mark.parametrize("junk", [{}, {"connection": 5}, {"connection": {}}, {"connection": []}], ids=str)
def test_a_document_without_an_adapter(junk):
    assert problems(junk) == {"connection.adapter": "missing"}


@pytest.mark.parametrize("part", ["connection", "auth", "record", "errors", "operations", "mapping", "files"])
@pytest.mark.parametrize("adapter", ["rest", "file"])
@pytest.mark.parametrize(
    "junk", [None, 5, "x", [], [1], {"x": None}, {"create": 5, "columns": 5, "adapter": []}], ids=str
)
def test_no_junk_raises_anything_else(part: str, adapter: str, junk: Any):
    document = shipped("crm") if adapter == "rest" else read_document(FILE_DOCUMENT)
    document[part] = junk
    for tried in (
        document,
        {**document, "connection": {**shipped("crm")["connection"], "adapter": adapter}, part: junk},
    ):
        found = registry.check(tried)
        assert all(error.field and error.detail for error in found)


def test_text_that_is_no_toml():
    with pytest.raises(DocumentError, match="no TOML"):
        read_document("[connection")


FILES: list[tuple[str, str, Any, str]] = [
    ("connection", "folder", "relative/path", "wrong_type"),
    ("connection", "folder", "/srv/../etc", "wrong_type"),
    ("connection", "folder", "", "missing"),
    ("connection", "port", 99999, "wrong_type"),
    ("connection", "host_key", "ssh-ed25519 nonsense!", "bad_key"),
    ("connection", "host", "sftp.example.org", "missing"),
    ("connection", "host", "user@sftp.example.org", "userinfo"),
    ("files", "out", "../elsewhere", "wrong_type"),
    ("files", "in", ".hidden", "wrong_type"),
    ("files", "prefix", "a/b", "wrong_type"),
    ("files", "delimiter", "x", "wrong_type"),
    ("files", "guard_formulas", "no", "wrong_type"),
]


@pytest.mark.parametrize(("part", "name", "value", "code"), FILES, ids=str)
def test_faults_of_a_document_for_files(part: str, name: str, value: Any, code: str):
    document = read_document(FILE_DOCUMENT)
    assert problems(document) == {}
    document[part][name] = value
    found = registry.check(document)
    assert code in [error.code for error in found if error.field.startswith(part)]


def test_files_without_a_column_to_write():
    document = read_document(FILE_DOCUMENT)
    document["mapping"] = {"columns": {"record_id": "Number"}}
    assert problems(document) == {"mapping.columns": "missing"}
