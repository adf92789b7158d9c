"""The verification: whatever a hand changes in the database is found, and located; and only that."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from apps.customers import store
from apps.events import checkpoints, sealing
from apps.events.checkpoint_keys import make_key, signer
from apps.events.models import Seal
from apps.events.sealed import leaf
from apps.events.sealing import Head, header, root_of
from mdmhub import sealed
from tests import pipeline
from tests.events.sealed_hub import (
    by_hand,
    checkpoint_lines,
    everything,
    found,
    own_file,
    seal_all,
    sequence_of,
    tampering,
    undone,
    verify,
)  # fmt: skip
from tests.pipeline import one, query

pytestmark = pytest.mark.django_db
ROWS = [one_.table for one_ in sealed.SEALED if one_.aspect == "row"]
BY_NAME = {one_.name: one_ for one_ in sealed.SEALED}


@pytest.fixture(autouse=True)
def hub(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Everything has happened, is sealed in small batches, and verifies."""
    file = own_file(settings, tmp_path)
    monkeypatch.setattr(sealing, "BATCH", 20)
    everything()
    seal_all()
    assert verify().findings == []
    return file


def some_key(table: str, place: int = 0) -> Any:
    """A key that stands in the middle of the table's rows."""
    name = BY_NAME[f"{table}:row"].key
    count = one(f"SELECT count(*) FROM {table}")
    return one(f"SELECT {name} FROM {table} ORDER BY {name} OFFSET %s LIMIT 1", min(count // 2 + place, count - 1))


def loosened() -> None:
    """Constraints that stand in the way of a hand are no hindrance to who owns the database."""
    query("SET CONSTRAINTS ALL IMMEDIATE")
    query("ALTER TABLE membership DROP CONSTRAINT membership_never_twice")
    query("DROP INDEX membership_one_open")
    query("DROP INDEX redirect_one_open")


# ── One row ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("table", ROWS)
def test_a_row_that_is_gone_is_found(table: str) -> None:
    key, name = some_key(table), BY_NAME[f"{table}:row"].key
    id_ = UUID(int=key) if isinstance(key, int) else key
    sequence = sequence_of(f"{table}:row", id_)
    with undone():  # what refers to the row would be missed at the end of the test
        by_hand(f"DELETE FROM {table} WHERE {name} = %s", key)
        report = verify()
    assert [(one_.table, one_.id, one_.sequence) for one_ in report.findings if one_.kind == "deleted"] == [
        (table, str(key), sequence)
    ]
    others = {one_.kind for one_ in report.findings} - {"deleted"}
    assert others == ({"edited"} if table in ("erasure", "renamed_key") else set()), (
        "what was erased, or sealed under a former key, has nobody who answers for it"
    )


@pytest.mark.parametrize(
    "column", ["actor", "history_change_reason", "history_date", "name", "addresses", "names", "lineage"]
)
def test_a_snapshot_that_was_edited_is_found(column: str) -> None:
    key = one("SELECT history_id FROM historical_customer WHERE salt IS NOT NULL ORDER BY history_id DESC LIMIT 1")
    change = {
        "history_date": "now()",
        "addresses": """'[{"city": "Bonn"}]'""",
        "lineage": "'[[1]]'",
        "names": "NULL",
    }.get(column, "'x'")
    by_hand(f"UPDATE historical_customer SET {column} = {change} WHERE history_id = %s", key)
    (finding,) = verify().findings
    assert (finding.kind, finding.table, finding.id) == ("edited", "historical_customer", str(key))
    assert finding.sequence == sequence_of("historical_customer:row", key)


def test_a_snapshot_from_before_there_were_names_verifies_and_gets_none_unseen() -> None:
    pipeline.take("crm", pipeline.person(50))
    key = one("SELECT history_id FROM historical_customer ORDER BY history_id DESC LIMIT 1")
    before = ", ".join(name for name in store.SNAPSHOT if name != "names")
    by_hand(
        "UPDATE historical_customer SET names = NULL, digest = sealed_digest(id::text || version::text, salt,"
        f" ROW({before})::text) WHERE history_id = %s",
        key,
    )  # as the release before wrote it
    seal_all()
    assert verify().findings == []
    by_hand("UPDATE historical_customer SET names = '[]' WHERE history_id = %s", key)
    (finding,) = verify().findings
    assert (finding.kind, finding.table, finding.id) == ("edited", "historical_customer", str(key))


def test_two_rows_that_were_swapped_are_found() -> None:
    first, second = some_key("membership"), some_key("membership", 1)
    with tampering():
        columns = "source_record_id, customer_id, since, until, action, actor, reason, model_version, correlation_id"
        loosened()
        query(
            f"UPDATE membership a SET ({columns}) = (SELECT {columns} FROM membership b WHERE b.id <> a.id AND b.id IN (%s, %s))"
            " WHERE a.id IN (%s, %s)",
            first, second, first, second,
        )  # fmt: skip
    assert {f for f in found(verify()) if f[0] == "swapped"} == {
        ("swapped", "membership", str(first)), ("swapped", "membership", str(second)),
    }  # fmt: skip


def test_a_row_that_was_put_in_with_an_older_id_is_found() -> None:
    id_ = UUID("018f0000-0000-7000-8000-000000000001")
    by_hand(
        "INSERT INTO redirect (id, retired_id, successor_id, since, until, reason, actor, correlation_id) SELECT %s, retired_id, successor_id,"
        " since - interval '1 year', until, reason, actor, correlation_id FROM redirect WHERE until IS NOT NULL LIMIT 1",
        id_,
    )
    seal_all()
    assert ("unsealed", "redirect", str(id_)) in found(verify())


def test_a_row_that_was_put_in_for_another_is_found_though_the_count_is_right() -> None:
    id_, gone = UUID("018f0000-0000-7000-8000-000000000001"), some_key("judgement")
    by_hand("UPDATE judgement SET id = %s WHERE id = %s", id_, gone)
    assert {("unsealed", "judgement", str(id_)), ("deleted", "judgement", str(gone))} <= found(verify())


@pytest.mark.parametrize(
    ("aspect", "change"),
    [
        ("membership:ended", "until = until + interval '1 microsecond'"),
        ("membership:ended", "until = NULL"),
        ("redirect:ended", "until = NULL"),
        ("judgement:superseded", "superseded_by = gen_random_uuid()"),
        ("edge:superseded", "superseded_at = superseded_at - interval '1 day'"),
        ("event:placed", "position = position + 1000000"),
        ("change_request:decided", "approver = 'user:mallory'"),
        ("steward_decision:undone", "undone_by = 'user:mallory'"),
        ("note:removed", "removed_why = 'no reason'"),
    ],
    ids=lambda value: value if ":" in value else value.split()[0] + value[-8:],
)  # fmt: skip
def test_what_was_set_later_is_sealed_too(aspect: str, change: str) -> None:
    of = BY_NAME[aspect]
    key = one(f"SELECT {of.key} FROM {of.table} t WHERE {of.when} ORDER BY {of.key} LIMIT 1")
    with tampering():
        loosened()
        query(f"UPDATE {of.table} SET {change} WHERE {of.key} = %s", key)
    (finding,) = verify().findings
    assert (finding.kind, finding.table, finding.id) == ("closing altered", of.table, str(key))
    assert finding.sequence == sequence_of(aspect, key)


def test_a_payload_that_is_taken_away_without_an_erasure_is_found() -> None:
    key = one("SELECT id FROM event WHERE salt IS NOT NULL ORDER BY id LIMIT 1")
    by_hand("UPDATE event SET body = NULL, salt = NULL WHERE id = %s", key)
    assert found(verify()) == {("edited", "event", str(key))}


def test_an_erased_row_that_is_filled_again_is_found() -> None:
    key = one("SELECT history_id FROM historical_customer WHERE salt IS NULL ORDER BY history_id LIMIT 1")
    by_hand("UPDATE historical_customer SET name = 'Somebody Else' WHERE history_id = %s", key)
    assert found(verify()) == {("edited", "historical_customer", str(key))}


def test_a_canonical_form_is_held_against_its_content_digest() -> None:
    key = one(
        "SELECT id FROM source_record_version WHERE salt IS NOT NULL AND length(content_digest) = 16 ORDER BY id LIMIT 1"
    )
    by_hand("""UPDATE source_record_version SET canonical = canonical || '{"language": "tlh"}' WHERE id = %s""", key)
    assert found(verify()) == {("edited", "source_record_version", str(key))}


# ── Whole tables and the chain ──────────────────────────────────────────────────────────────────────────────────────
def test_a_table_that_was_emptied_is_found_row_by_row() -> None:
    count = one("SELECT count(*) FROM membership")
    by_hand("DELETE FROM membership")
    report = verify()
    assert report.counts["deleted"] == count
    assert {one_.table for one_ in report.findings} == {"membership"}


def test_seals_that_were_cut_off_are_found() -> None:
    last = one("SELECT max(sequence) FROM seal")
    with tampering():
        query("DELETE FROM seal WHERE sequence > %s", last - 3)
        query("DELETE FROM checkpoint")
    report = verify()
    (cut,) = [one_ for one_ in report.findings if one_.kind == "chain truncated"]
    assert (cut.id, cut.sequence) == (str(last - 2), last)
    assert "restored?" in cut.detail


def test_a_seal_that_is_lacking_is_found() -> None:
    by_hand("DELETE FROM seal WHERE sequence = 2")
    assert ("seal missing", "seal", "2") in found(verify())


@pytest.mark.parametrize(
    "change",
    ["leaves = set_byte(leaves, 20, 255 - get_byte(leaves, 20))", "root = sha256(root)", "previous = sha256(previous)",
     "count = count - 1", "aspect = 'edge:superseded'", "columns = columns[2:]", "sealed_at = sealed_at - interval '1 s'",
     "newest = newest - 1", "first = gen_random_uuid()"],
    ids=lambda value: value.split()[0],
)  # fmt: skip
def test_a_seal_that_was_altered_is_found(change: str) -> None:
    by_hand(f"UPDATE seal SET {change} WHERE sequence = 3")
    assert ("seal altered", "seal", "3") in found(verify())


def rewrite(change: Callable[[Seal], None]) -> None:
    """The whole chain made again, right in itself, as somebody does who has everything but the key."""
    previous = sealing.GENESIS
    with tampering():
        for seal in Seal.objects.order_by("sequence"):
            change(seal)
            head = Head(
                seal.sequence, seal.aspect, seal.columns, seal.first, seal.last, seal.count, seal.newest, seal.sealed_at
            )
            seal.previous, seal.root = previous, root_of(previous, header(head), bytes(seal.leaves))
            previous = bytes(seal.root)
            seal.save()


def with_an_edited_row() -> str:
    """Edits a row, and makes the chain again so that it fits."""
    key = one("SELECT id FROM membership ORDER BY id LIMIT 1")
    of = BY_NAME["membership:row"]
    by_hand("UPDATE membership SET actor = 'user:mallory' WHERE id = %s", key)

    def change(seal: Seal) -> None:
        leaves = bytes(seal.leaves)
        at = leaves.find(key.bytes)
        if seal.aspect == of.name and at >= 0:
            with connection.cursor() as cursor:
                sealing.prepare(cursor)
                cursor.execute(f"SELECT {leaf(seal.columns)} FROM membership t WHERE id = %s", (key,))
                now = bytes(cursor.fetchone()[0])
            seal.leaves = leaves[: at + 16] + now + leaves[at + 48 :]

    rewrite(change)
    return str(key)


def test_a_chain_that_was_made_again_without_the_key_is_found() -> None:
    with_an_edited_row()
    last = one("SELECT max(sequence) FROM seal")
    assert ("chain rewritten", "seal", str(last)) in found(verify())


def test_and_so_it_is_with_a_checkpoint_that_another_key_signed(hub: Path) -> None:
    with_an_edited_row()
    by_hand("DELETE FROM checkpoint")
    hub.unlink()
    checkpoints.sign(by=signer(make_key()), file=hub)
    report = verify()
    last = one("SELECT max(sequence) FROM seal")
    assert {("bad signature", "checkpoint file", "1"), ("bad signature", "checkpoint", str(last))} <= found(report)
    assert report.signed_upto == 0


def test_a_line_that_was_taken_out_of_the_file_is_missed(hub: Path) -> None:
    pipeline.take("crm", pipeline.person(90))
    seal_all()
    lines = hub.read_text().splitlines(keepends=True)
    assert len(lines) == 2
    hub.write_text(lines[1])
    assert [one_.kind for one_ in verify().findings] == ["checkpoint missing"]


@pytest.mark.parametrize("change", ["sequence", "root", "at", "torn"])
def test_a_line_that_was_altered_is_found(hub: Path, change: str) -> None:
    text = hub.read_text()
    if change == "torn":
        hub.write_text(text[:40] + "\n")
    else:
        place = text.index(f'"{change}": ') + len(change) + 10
        hub.write_text(text[:place] + ("1" if text[place] != "1" else "2") + text[place + 1 :])
    assert {one_.kind for one_ in verify().findings} & {"bad signature", "checkpoint altered"}


def test_a_database_older_than_its_file_is_told_until_somebody_signs_for_it(hub: Path, tmp_path: Path) -> None:
    """Half of what a restore does: the seals of the last run are gone with their rows."""
    before = one("SELECT max(sequence) FROM seal")
    with undone():
        pipeline.take("crm", pipeline.person(90))
        seal_all()
        shutil.copy(hub, tmp_path / "copy")
    (finding,) = verify().findings
    assert (finding.kind, finding.id) == ("chain truncated", str(before + 1))
    checkpoints.accept_restore(why="the disk broke", by=sealed.audit_signer(), file=hub)
    report = verify()
    assert report.findings == []
    assert "the disk broke" in report.notices[0]
    pipeline.take("crm", pipeline.person(91))
    seal_all()
    assert verify().findings == [], "the chain goes on from there"
    assert [line.kind for line in checkpoint_lines()] == ["checkpoint", "checkpoint", "restored", "checkpoint"]


def test_a_signed_word_of_a_restore_cannot_be_used_twice(hub: Path) -> None:
    """Put in again after later lines, it would make void what was signed since."""
    checkpoints.accept_restore(why="the disk broke", by=sealed.audit_signer(), file=hub)
    word = hub.read_text().splitlines(keepends=True)[-1]
    last = one("SELECT max(sequence) FROM seal")
    pipeline.take("crm", pipeline.person(90))
    seal_all()
    with hub.open("a") as out:
        out.write(word)
    with tampering():
        query("DELETE FROM seal WHERE sequence > %s", last)
        query("DELETE FROM checkpoint WHERE sequence > %s", last)
    kinds = {finding.kind for finding in verify().findings}
    assert {"checkpoint altered", "chain truncated"} <= kinds


def test_without_a_file_to_write_nothing_is_signed_and_the_next_run_signs(hub: Path) -> None:
    pipeline.take("crm", pipeline.person(90))
    signed_before = one("SELECT count(*) FROM checkpoint")
    kept = hub.rename(hub.with_name("kept"))
    hub.mkdir()
    with pytest.raises(OSError, match="directory"):
        sealed.seal(seconds=60)
    assert one("SELECT count(*) FROM checkpoint") == signed_before
    hub.rmdir()
    kept.rename(hub)
    sealed.seal(seconds=60)
    assert one("SELECT count(*) FROM checkpoint") == signed_before + 1
    assert verify().findings == []


def test_a_line_after_one_that_was_torn_stands_by_itself(hub: Path) -> None:
    hub.write_text(hub.read_text()[:-20])
    pipeline.take("crm", pipeline.person(90))
    seal_all()
    assert [(line.readable, line.trusted) for line in checkpoint_lines()] == [(False, False), (True, True)]


def test_rows_since_a_moment_and_in_turns() -> None:
    query("SELECT pg_sleep(0.01)")
    moment = one("SELECT clock_timestamp()")
    pipeline.take("crm", pipeline.person(90))
    seal_all()
    whole, part = verify(), verify(since=moment)
    assert part.seals == whole.seals
    assert 0 < part.rows < whole.rows / 10
    first = verify(seconds=0)
    assert (first.whole, first.rows) == (False, 0)
    assert verify(after=whole.upto).rows == 0
