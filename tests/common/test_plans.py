"""Settings of a batch: for its transaction alone, and no bound of the connection is lifted."""

import pytest
from django.db import transaction

from apps.common.plans import find_by_index
from tests.pipeline import one

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_connection_keeps_its_bound_and_gets_its_settings_back() -> None:
    before = {name: one(f"SHOW {name}") for name in ("lock_timeout", "enable_hashjoin", "plan_cache_mode")}
    assert before["lock_timeout"] != "0"
    with transaction.atomic():
        find_by_index()
        assert one("SHOW lock_timeout") == before["lock_timeout"]
        assert one("SHOW enable_hashjoin") == "off"
    assert {name: one(f"SHOW {name}") for name in before} == before
