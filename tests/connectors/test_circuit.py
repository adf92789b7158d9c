"""The breaker of a target: when it opens, what counts for and against it, how long it rests; what pauses a connection."""

from uuid import UUID

import pytest

from apps.common.ids import uuid7
from apps.connectors import backoff, circuit
from apps.connectors.contract import Trouble
from apps.connectors.models import Circuit, Connection
from tests.connectors import outbox
from tests.pipeline import execute, one

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("empty")]


@pytest.fixture
def made() -> Connection:
    return outbox.connect()


def call(made: Connection, *troubles: Trouble | None, detail: str = "", retry_after: float | None = None) -> Circuit:
    """These calls, counted in one go."""
    steps = [(t, backoff.after(t, burned=0, retry_after=retry_after, chance=0)) for t in troubles]
    circuit.note([(made.id, t, detail or (t or ""), step) for t, step in steps])
    return Circuit.objects.get(connection=made)


def rests(made: Connection) -> float:
    return float(
        one(
            "SELECT extract(epoch FROM probe_at - clock_timestamp())::float8 FROM circuit WHERE connection_id = %s",
            made.id,
        )
    )


BAD, GOOD = Trouble.TRANSIENT, None


def test_ten_in_a_row_open_it_for_half_a_minute(made: Connection) -> None:
    assert call(made, *[BAD] * 9).state == "closed"
    found = call(made, Trouble.UNCERTAIN)
    assert (found.state, found.trips) == ("open", 1)
    assert found.opened_at is not None
    assert 25 < rests(made) <= 30


def test_one_that_is_answered_between_begins_the_row_anew(made: Connection) -> None:
    call(made, *[GOOD] * 20)
    found = call(made, *[BAD] * 9, GOOD, *[BAD] * 9)
    assert (found.state, found.failures) == ("closed", 9)


def test_seven_in_ten_within_five_minutes_open_it(made: Connection) -> None:
    assert call(made, *[GOOD, BAD, BAD] * 3).state == "closed"
    assert call(made, BAD).state == "open"


def test_what_was_five_minutes_ago_counts_no_more(made: Connection) -> None:
    call(made, *[GOOD, BAD, BAD] * 3)
    execute("UPDATE circuit SET window_began = window_began - interval '6 minutes'")
    found = call(made, BAD)
    assert (found.state, found.window_calls, found.window_failures) == ("closed", 1, 1)


@pytest.mark.parametrize("trouble", [t for t in Trouble if t not in (Trouble.TRANSIENT, Trouble.UNCERTAIN)])
def test_an_answer_that_is_no_illness_opens_nothing(trouble: Trouble, made: Connection) -> None:
    call(made, *[BAD] * 9)
    found = call(made, *[trouble] * 30)
    assert found.state == "closed"
    assert found.failures == (9 if trouble is Trouble.THROTTLED else 0)


def test_the_rest_doubles_with_each_probe_that_fails_up_to_five_minutes(made: Connection) -> None:
    call(made, *[BAD] * 10)
    found = []
    for _ in range(6):
        execute("UPDATE circuit SET state = 'half_open'")
        call(made, BAD)
        found.append(rests(made))
    assert found == pytest.approx([60, 120, 240, 300, 300, 300], abs=5)


def test_calls_that_were_under_way_when_it_opened_are_no_probes(made: Connection) -> None:
    call(made, *[BAD] * 10)
    for _ in range(8):
        found = call(made, BAD)
    assert (found.state, found.trips) == ("open", 1)
    assert rests(made) <= 30


def test_a_target_that_is_away_for_weeks_can_still_be_counted(made: Connection) -> None:
    execute("UPDATE circuit SET state = 'half_open', trips = 5000")
    assert call(made, BAD).trips == 5001
    assert rests(made) == pytest.approx(300, abs=5)


def test_a_probe_that_is_answered_closes_it(made: Connection) -> None:
    call(made, *[BAD] * 10)
    execute("UPDATE circuit SET state = 'half_open'")
    found = call(made, Trouble.VALIDATION)
    assert (found.state, found.failures, found.trips, found.probe_at, found.opened_at) == ("closed", 0, 0, None, None)


def test_the_longest_wait_that_was_asked_for_is_kept(made: Connection) -> None:
    call(made, Trouble.THROTTLED, retry_after=100)
    found = call(made, Trouble.THROTTLED, retry_after=5)
    assert found.state == "closed"
    assert 90 < one("SELECT extract(epoch FROM not_before - clock_timestamp())::float8 FROM circuit") <= 100


@pytest.mark.parametrize(
    ("trouble", "why"),
    [(Trouble.AUTH, "Its credentials are refused: no\ufffd"), (Trouble.CONFIG, "Its set-up is wrong: no\ufffd")],
)
def test_what_needs_a_person_pauses_with_the_reason(trouble: Trouble, why: str, made: Connection) -> None:
    call(made, trouble, GOOD, detail="no\x00")
    made.refresh_from_db()
    assert (made.mode, made.paused_by) == ("paused", "hub:deliver")
    assert made.paused_reason.startswith(why.partition("\ufffd")[0])


def test_a_person_s_reason_is_not_written_over(made: Connection) -> None:
    execute("UPDATE connection SET mode = 'paused', paused_reason = 'moving house', paused_by = 'user:alice'")
    call(made, Trouble.AUTH)
    made.refresh_from_db()
    assert made.paused_reason == "moving house"


def test_a_target_without_a_circuit_is_no_error() -> None:
    circuit.note(
        [
            (UUID(int=1), BAD, "", backoff.after(BAD, burned=0, retry_after=None, chance=0)),
            (uuid7(), None, "", backoff.Next("done")),
        ]
    )
    assert Circuit.objects.count() == 0
