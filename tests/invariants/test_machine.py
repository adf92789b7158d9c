"""Every verb in any order: after every step every promise holds."""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.invariants.machine import Hub

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.flow]


def run(examples: int, steps: int) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        phases=[Phase.generate] if os.environ.get("NOSHRINK") else list(Phase),
    )
    run_state_machine_as_test(Hub, settings=chosen)


def test_a_hundred_stories_of_thirty_steps() -> None:
    run(100, 30)


@pytest.mark.slow
def test_a_thousand_stories_of_a_hundred_steps() -> None:
    run(1_000, 100)
