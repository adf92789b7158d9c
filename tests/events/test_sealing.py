"""The sealer: everything has a seal once, whatever order it was committed in, whoever else seals."""

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from apps.common.ids import uuid7
from apps.common.seal import digest, new_salt
from apps.events import sealing, verifying
from apps.events.models import Event, Seal, SealCursor
from apps.events.sealed import Sealed
from mdmhub import sealed
from tests import pipeline
from tests.events.sealed_hub import everything, own_file, seal_all, signed, undone, verify
from tests.pipeline import person, query

EVENTS = next(one for one in sealed.SEALED if one.name == "event:row")


@pytest.fixture(autouse=True)
def _own_file(settings: Any, tmp_path: Path) -> None:
    own_file(settings, tmp_path)


def event(**values: Any) -> Event:
    """An event with a digest of its own, as the hub writes it."""
    subject, salt = uuid7(), new_salt()
    given = {
        "type": "customer.changed", "subject_id": subject, "version": 1, "occurred_at": timezone.now(), "actor": "a test",
        "correlation_id": uuid7(), "body": {}, "salt": salt, "digest": digest(f"customer.changed{subject}1".encode(), salt, b"{}"),
    }  # fmt: skip
    return Event.objects.create(**{**given, **values})


def sealed_ids(aspect: str = "event:row") -> list[bytes]:
    return [
        bytes(seal.leaves)[at : at + 16]
        for seal in Seal.objects.filter(aspect=aspect).order_by("sequence")
        for at in range(0, len(seal.leaves), 48)
    ]


@pytest.mark.django_db
def test_everything_that_happened_is_sealed_signed_and_verifies() -> None:
    everything()
    seal_all()
    assert set(Seal.objects.values_list("aspect", flat=True)) == {one.name for one in sealed.SEALED}
    report = verify()
    assert report.findings == []
    assert (report.waiting, report.rows) == (0, sum(Seal.objects.values_list("count", flat=True)))
    assert report.signed_upto == Seal.objects.count() == signed()[-1]
    assert sealing.backlog(tables=sealed.SEALED).rows == 0
    seal_all()
    assert Seal.objects.count() == report.seals, "there was nothing left to seal"


@pytest.mark.django_db
def test_sequences_have_no_gap_and_each_seal_follows_from_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "BATCH", 3)
    monkeypatch.setattr(sealing, "CHUNK", 5)
    made = [event().id.bytes for _ in range(13)]
    assert sealing.seal(tables=[EVENTS]) == sealing.Sealing(rows=13, seals=5)
    rows = list(Seal.objects.order_by("sequence"))
    assert [row.sequence for row in rows] == [1, 2, 3, 4, 5]
    assert [row.count for row in rows] == [3, 2, 3, 2, 3]
    assert [bytes(row.previous) for row in rows] == [sealing.GENESIS, *(bytes(row.root) for row in rows[:-1])]
    assert sealed_ids() == made


@pytest.mark.django_db
def test_a_row_without_its_turn_waits_and_is_told() -> None:
    sealing.seal(tables=[EVENTS])
    event(), event()
    told = sealing.backlog(tables=[EVENTS])
    assert told.rows == 2
    assert told.oldest is not None
    assert 0 <= told.oldest < 60


@pytest.mark.django_db
def test_a_run_ends_in_time_and_the_next_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "CHUNK", 2)
    for _ in range(5):
        event()
    first = sealing.seal(tables=[EVENTS], seconds=-1)
    assert (first.rows, first.behind) == (0, True)
    assert sealing.seal(tables=[EVENTS]).rows == 5


@pytest.mark.django_db
def test_rows_of_an_hour_ago_that_come_now_are_not_taken_for_new_ones() -> None:
    """What is older than every transaction that was open when the sealer looked was not there: it gets no seal."""
    sealing.seal(tables=[EVENTS])
    at = int((timezone.now() - timedelta(hours=1)).timestamp() * 1000)
    late = event(id=type(uuid7())(int=(at << 80) | (uuid7().int & ((1 << 80) - 1))))
    assert sealing.seal(tables=[EVENTS]).rows == 0
    assert [(one.kind, one.id) for one in verify().findings] == [("unsealed", str(late.id))]


@pytest.mark.django_db(transaction=True)
def test_a_row_that_is_committed_late_is_sealed_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction stays open while the sealer passes; what others committed after it was begun is sealed, and then what it wrote."""
    pipeline.empty()
    monkeypatch.setattr(sealing, "MARGIN", 0)  # so that nothing but the open transaction keeps the place back
    written, go_on = threading.Event(), threading.Event()
    late: list[bytes] = []

    def slow() -> None:
        try:
            with transaction.atomic():
                query("SELECT 1")  # the transaction begins, and only then is an id made
                late.append(event().id.bytes)
                written.set()
                assert go_on.wait(30)
        finally:
            connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    try:
        assert written.wait(30)
        early = [event().id.bytes for _ in range(3)]
        for _ in range(3):
            seal_all()
        assert sealed_ids() == early
        assert all(id_ > late[0] for id_ in early), "the open one is older than what is sealed"
    finally:
        go_on.set()
        thread.join()
    seal_all()
    assert sealed_ids() == [*early, late[0]]
    assert verify().findings == []


@pytest.mark.django_db(transaction=True)
def test_numbers_that_were_given_in_a_transaction_still_open_are_sealed_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number says nothing of the time; what was given after the sealer last looked lies above what it saw then."""
    pipeline.empty()
    from apps.connectors.models import DeliveryAttempt

    attempts = next(one for one in sealed.SEALED if one.table == "delivery_attempt")

    def attempt() -> int:
        return DeliveryAttempt.objects.create(delivery_id=uuid7(), number=1, started_at=timezone.now(), ms=1).id

    def ids() -> list[int]:
        return [int.from_bytes(id_) for id_ in sealed_ids(attempts.name)]

    first = attempt()
    sealing.seal(tables=[attempts])
    written, go_on = threading.Event(), threading.Event()
    late: list[int] = []

    def slow() -> None:
        try:
            with transaction.atomic():
                late.append(attempt())
                written.set()
                assert go_on.wait(30)
        finally:
            connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    try:
        assert written.wait(30)
        after = attempt()
        for _ in range(3):
            sealing.seal(tables=[attempts])
        assert ids() == [first, after]
        assert late[0] < after
    finally:
        go_on.set()
        thread.join()
    sealing.seal(tables=[attempts])
    assert ids() == [first, after, late[0]]
    assert verify().findings == []


@pytest.mark.django_db(transaction=True)
def test_two_sealers_seal_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline.empty()
    monkeypatch.setattr(sealing, "BATCH", 5)
    monkeypatch.setattr(sealing, "CHUNK", 10)
    made = {event().id.bytes for _ in range(200)}
    start = threading.Barrier(2)

    def run() -> None:
        try:
            start.wait(30)
            while True:
                done = sealing.seal(tables=[EVENTS])
                if not done.busy and not done.rows:
                    return
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sealed_ids()) == 200
    assert set(sealed_ids()) == made
    assert list(Seal.objects.order_by("sequence").values_list("sequence", flat=True)) == list(range(1, 41))
    assert SealCursor.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_it_verifies_while_rows_come_and_are_sealed_and_signed() -> None:
    pipeline.empty()
    ended = threading.Event()

    def work() -> None:
        try:
            while not ended.is_set():
                event()
                sealed.seal(seconds=10)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        while Seal.objects.count() < 20:
            assert verify().findings == []
    finally:
        ended.set()
        thread.join()
    assert verify().findings == []


@pytest.mark.django_db(transaction=True)
def test_what_is_signed_between_the_file_and_the_database_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file was read, and then, before the database is, the sealer signs: the table knows a line that was not read."""
    pipeline.empty()
    event()
    seal_all()
    real = verifying.prepare

    def work() -> None:
        try:
            event()
            sealed.seal(seconds=10)
        finally:
            connection.close()

    def late(cursor: Any) -> None:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        real(cursor)

    monkeypatch.setattr(verifying, "prepare", late)
    report = verify()
    assert report.findings == []
    assert report.seals == 2


@pytest.mark.django_db
def test_the_same_row_has_the_same_leaf_under_other_settings_of_a_session() -> None:
    pipeline.systems()
    pipeline.take("crm", person(1))
    seal_all()
    for setting in (
        "TimeZone = 'Asia/Tokyo'",
        "DateStyle = 'German'",
        "extra_float_digits = -10",
        "bytea_output = 'escape'",
    ):
        with undone():
            query(f"SET LOCAL {setting}")
            assert verify().findings == []


@pytest.mark.django_db
def test_a_column_that_comes_later_does_no_harm_to_older_seals() -> None:
    event(), event()
    seal_all()
    query("ALTER TABLE event ADD COLUMN later text DEFAULT 'x'")
    event()
    seal_all()
    assert verify().findings == []
    assert ["later" in seal.columns for seal in Seal.objects.filter(aspect="event:row").order_by("sequence")] == [
        False,
        True,
    ]


def test_places_follow_the_key_or_the_column() -> None:
    numbered = Sealed("t", order="number")
    assert numbered.shown(type(uuid7())(int=12)) == "12"
    assert Sealed("t", order="number", by="position").numbered is False
    id_ = type(uuid7())(int=(1_700_000_000_123 << 80) | (7 << 76))
    assert Sealed("t").place_of(id_, None) == 1_700_000_000_123_000
    assert Sealed("t", order="time").place_of(id_, 42) == 42
