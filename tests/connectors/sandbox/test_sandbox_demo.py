"""The demo's records as the systems' own: nothing lost, nothing tidied."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from apps.connectors.sandbox import Place, native, running
from apps.connectors.sandbox.demo import NAMES, STATUSES
from mdmhub.demo.far import fill
from mdmhub.demo.generator import generate
from mdmhub.demo.systems import FIELDS
from tests.connectors.sandbox.conftest import KINDS

each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def items() -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in generate(600):
        found[record.system].append(record.item)
    return found


def flat(record: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


@each_kind
def test_every_field_of_the_demo_has_a_place(kind: str) -> None:
    assert set(FIELDS[kind]) - set(NAMES[kind]) == set()
    assert len(set(NAMES[kind].values())) == len(NAMES[kind])


@each_kind
def test_every_record_is_loaded_with_its_id_and_every_value(
    kind: str, items: dict[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    """Compared name by name, but for the four whose form differs; those are counted."""
    loaded = {item["record_id"]: native(kind, item["record_id"], item) for item in items[kind]}
    with running(kind, data=tmp_path / "far.db") as far:
        assert far.load(loaded.values()) == len(items[kind])
        kept = {record["_id"]: dict(flat(record)) for record in far.records()}
    assert set(kept) == set(loaded)
    plain = {name: place for name, place in NAMES[kind].items() if name not in
             ("kind", "status", "language", "credit_limit", "source_updated_at")}  # fmt: skip
    for item in items[kind]:
        record = kept[item["record_id"]]
        assert {name: record[place] for name, place in plain.items() if name in item} == {
            name: item[name] for name in plain if name in item
        }
        assert [place for name, place in plain.items() if name not in item and record[place] is not None] == []
        assert record["_modified_at"][:19] == item["source_updated_at"][:19]
    words = Counter(record[NAMES[kind]["status"]] for record in kept.values())
    assert words == Counter(STATUSES[kind].get(item["status"], item["status"]) for item in items[kind])


@each_kind
def test_status_words_are_the_kinds_own(kind: str, items: dict[str, list[dict[str, Any]]]) -> None:
    from apps.connectors.sandbox.kinds import KINDS as SERVERS

    server = SERVERS[kind]
    words = {
        native(kind, "1", {"status": word})[server.status_name]
        for word in ("prospect", "active", "blocked", "inactive", "closed")
    }
    assert words == set(server.declared[server.status_name].choices)


@pytest.mark.parametrize(
    ("kind", "item", "name", "expected"),
    [
        ("crm", {"kind": "organization"}, "RecordType", "Business"),
        ("crm", {"kind": "person"}, "RecordType", "Person"),
        ("erp", {"status": "blocked"}, "blocked", True),
        ("erp", {"status": "active"}, "blocked", False),
        ("erp", {"credit_limit": "39500.00"}, "creditlimit", 39500),
        ("erp", {"credit_limit": "12.5"}, "creditlimit", 12.5),
        ("erp", {"credit_limit": "plenty"}, "creditlimit", "plenty"),
        ("erp", {"credit_limit": None}, "creditlimit", None),
        ("billing", {"language": "de"}, "preferred_locales", ["de"]),
        ("billing", {"language": ""}, "preferred_locales", []),
        ("billing", {"kind": "person"}, "metadata", {"kind": "person"}),
        ("support", {"source_updated_at": "2024-02-03T10:11:12Z"}, "updated_at", "2024-02-03T10:11:12.000000Z"),
        ("support", {"phone": " 030-1 "}, "phone", " 030-1 "),
        ("support", {"phone": None}, "phone", None),
    ],
    ids=str,
)  # fmt: skip
def test_a_value_in_the_kinds_own_form(kind: str, item: dict[str, Any], name: str, expected: Any) -> None:
    assert native(kind, "X-1", item)[name] == expected


@each_kind
def test_a_field_without_a_place_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="shoesize"):
        native(kind, "X-1", {"shoesize": 44})


def test_the_demo_fills_the_four_servers(items: dict[str, list[dict[str, Any]]], tmp_path: Path) -> None:
    with ExitStack() as stack:
        servers = {kind: stack.enter_context(running(kind, data=tmp_path / f"{kind}.db")) for kind in KINDS}
        places = {
            kind: Place(kind, int(far.url.rpartition(":")[2]), far.key, "", tmp_path / "keys.json", far.data)
            for kind, far in servers.items()
        }
        wanted = {kind: len(records) for kind, records in items.items()}
        assert fill(places, 600) == wanted
        assert fill(places, 600) == wanted
        assert {kind: len(far.records()) for kind, far in servers.items()} == wanted
