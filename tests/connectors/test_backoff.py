"""What comes after a call, for every trouble and every number of burned attempts; when a target is left alone."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.connectors.backoff import AT_ONCE, LEAST_PAUSE, STEPS, Breaker, Next, after
from apps.connectors.contract import Trouble

BURNED = range(len(STEPS) + 2)
ENDS = (Trouble.VALIDATION, Trouble.NOT_FOUND, Trouble.DUPLICATE, Trouble.FATAL, Trouble.PING_PONG)


def test_done_is_done() -> None:
    assert after(None, burned=3, retry_after=9, chance=1) == Next("done")


@pytest.mark.parametrize("trouble", list(Trouble))
@pytest.mark.parametrize("burned", BURNED)
def test_every_trouble(trouble: Trouble, burned: int) -> None:
    found = after(trouble, burned=burned, retry_after=None, chance=1)
    if trouble in (Trouble.AUTH, Trouble.CONFIG):
        assert found == Next("waiting", pauses=True), "no delivery can mend it, so none pays for it"
    elif trouble is Trouble.THROTTLED:
        assert found == Next("waiting", STEPS[0], holds=True)
    elif trouble in ENDS or burned >= len(STEPS):
        assert found == Next("failed", burns=True)
    elif trouble is Trouble.CONFLICT:
        assert found == Next("waiting", AT_ONCE + burned, burns=True)
    elif trouble is Trouble.UNCERTAIN:
        assert found == Next("uncertain", STEPS[burned], burns=True)
    else:
        assert (trouble, found) == (Trouble.TRANSIENT, Next("waiting", STEPS[burned], burns=True))


@pytest.mark.parametrize("trouble", [Trouble.TRANSIENT, Trouble.UNCERTAIN, Trouble.CONFLICT])
def test_attempts_come_to_an_end(trouble: Trouble) -> None:
    burned = 0
    for step in itertools.count(1):
        found = after(trouble, burned=burned, retry_after=None, chance=0.5)
        burned += found.burns
        if found.state == "failed":
            assert step == len(STEPS) + 1
            return


@given(st.sampled_from([Trouble.AUTH, Trouble.CONFIG, Trouble.THROTTLED]), st.integers(0, 1000))
def test_what_is_not_the_deliverys_fault_never_ends_it(trouble: Trouble, burned: int) -> None:
    found = after(trouble, burned=burned, retry_after=None, chance=0.5)
    assert (found.state, found.burns) == ("waiting", False)


@given(
    st.sampled_from([Trouble.TRANSIENT, Trouble.UNCERTAIN]), st.integers(0, len(STEPS) - 1), st.floats(0, 1),
    st.one_of(st.none(), st.floats(0, 86_400)),
)  # fmt: skip
def test_a_wait_is_jittered_within_its_step_and_never_shorter_than_the_target_asked(
    trouble: Trouble, burned: int, chance: float, retry_after: float | None
) -> None:
    found = after(trouble, burned=burned, retry_after=retry_after, chance=chance)
    assert found.delay >= (retry_after or 0.0)
    assert found.delay <= max(STEPS[burned], LEAST_PAUSE, retry_after or 0.0)
    assert found.holds is False


@pytest.mark.parametrize(("asked", "waited"), [(None, STEPS[0]), (0.0, STEPS[0]), (0.2, LEAST_PAUSE), (77.0, 77.0)])
def test_throttled_holds_the_target_as_long_as_it_asked(asked: float | None, waited: float) -> None:
    assert after(Trouble.THROTTLED, burned=0, retry_after=asked, chance=0).delay == waited


def test_the_steps_are_some_28_hours_together() -> None:
    assert 27 * 3600 < sum(STEPS) < 30 * 3600
    assert list(STEPS) == sorted(STEPS)


@pytest.mark.parametrize(
    ("failures", "calls", "failed", "opens"),
    [
        (9, 9, 9, False), (10, 10, 10, True), (10, 1_000, 10, True), (0, 9, 9, False), (3, 10, 7, True), (3, 10, 6, False),
        (3, 1_000, 700, True), (3, 1_000, 699, False), (0, 0, 0, False),
    ],
)  # fmt: skip
def test_when_the_breaker_opens(failures: int, calls: int, failed: int, opens: bool) -> None:
    assert Breaker().opens(failures=failures, calls=calls, failed=failed) is opens


def test_how_long_the_breaker_rests() -> None:
    assert [Breaker().rests(n) for n in range(7)] == [30, 30, 60, 120, 240, 300, 300]
    assert Breaker().rests(5_000) == 300
