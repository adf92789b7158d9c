"""Every verb in any order: after every step every promise holds.

A failing story is printed as it was found. HUB_SHRINK=1 looks for a shorter one, which takes many minutes."""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from apps.customers.models import System
from tests.invariants.machine import Hub

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.flow]
PHASES = [phase for phase in Phase if phase is not Phase.shrink or os.environ.get("HUB_SHRINK")]


def run(examples: int, steps: int) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        phases=PHASES,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    try:
        run_state_machine_as_test(Hub, settings=chosen)
    finally:  # systems outlive a test
        System.objects.update(delete_policy=System.DeletePolicy.DOWNGRADE)


def test_a_hundred_stories_of_thirty_steps() -> None:
    run(100, 30)


@pytest.mark.slow
def test_a_thousand_stories_of_a_hundred_steps() -> None:
    run(1_000, 100)
