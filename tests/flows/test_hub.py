"""The hub that the flow tests find: as full as it is said to be, and a stranger to the people of these tests."""

import pytest

from tests import pipeline, preloaded
from tests.pipeline import person

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.flow]
PEOPLE = [person(n) for n in range(301)]  # what test_intake and test_side_by_side take from
OTHERS = ["Ada Lovelace", "Zoe Zeta", "Werft 0 GmbH", "Werft 1 GmbH", "Werft 2 GmbH"]


def test_the_hub_is_as_full_as_it_is_said_to_be() -> None:
    """A preloaded run that found empty hubs would show nothing."""
    read = "SELECT coalesce(sum((counts->>'read')::int), 0), coalesce(sum((counts->>'quarantined')::int), 0) FROM run"
    ((came, quarantined),) = pipeline.query(read)
    assert came == preloaded.wanted()
    assert pipeline.one("SELECT count(*) FROM source_record") == came - quarantined
    assert pipeline.one("SELECT count(*) FROM source_record WHERE state <> 'built'") == 0
    assert pipeline.one("SELECT count(*) FROM event WHERE position IS NULL") == 0
    assert pipeline.broken() == []


def test_the_people_of_the_tests_are_not_in_it_yet() -> None:
    """Names and mail addresses are theirs alone, so "one golden record each" has one meaning whoever else is there."""
    names = OTHERS + [f"{p['given_name']} {p['family_name']}" for p in PEOPLE]
    mails = ["ada@lovelace.example"] + [p["email"] for p in PEOPLE]
    assert pipeline.query("SELECT name FROM customer WHERE lower(name) = ANY(%s)", [n.lower() for n in names]) == []
    assert pipeline.query("SELECT value FROM lookup_key WHERE kind = 'email' AND value = ANY(%s)", mails) == []
