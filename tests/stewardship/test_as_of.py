"""A customer as it stood at a moment: its values, its members, the id that stood for it, and moments that there were not."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from django.utils import timezone

from apps.common.errors import Rejected
from apps.customers import queries
from apps.customers.models import Customer
from apps.matching import judge
from apps.stewardship import as_of
from tests import pipeline
from tests.pipeline import bob, person
from tests.stewardship.given import browser, text
from tests.stewardship.given_history import at, merged, sent

pytestmark = pytest.mark.django_db(transaction=True)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(autouse=True)
def _clean() -> None:
    pipeline.empty()
    pipeline.systems()


def stood(customer: UUID, moment: datetime, role: str = "viewer", **fields: Any) -> str:
    query = urlencode({"at": moment.isoformat()})
    return text(browser(role, **fields).get(f"/customers/{customer}/as-of/?{query}"))


def versions(customer: UUID) -> list[datetime]:
    return list(Customer.history.filter(id=customer).order_by("version").values_list("history_date", flat=True))


def test_the_values_of_a_moment_and_what_differs_today() -> None:
    sent("crm", person(1, website="old.example.org", language="de"))
    sent("crm", person(1, website="new.example.org", language="de"))
    customer = at("crm:P1")
    first, second = versions(customer)
    for moment in (first, second - timedelta(microseconds=1)):
        seen = stood(customer, moment)
        assert "version 1" in seen
        assert re.search(r'class="was">[^/]*old\.example\.org', seen)
        assert re.search(r'class="now">[^/]*new\.example\.org', seen)
    today = stood(customer, second)
    assert "version 2</span>" in today
    assert 'class="was"' not in today
    assert "old.example.org" not in today
    assert 'rel="prev"' in today
    assert 'rel="next"' not in today


def members(customer: UUID, moments: Sequence[datetime]) -> list[list[str]]:
    detail = queries.customer_detail(customer)
    return [[m.external_id for m in as_of.standing(detail, moment).members] for moment in moments]


def test_members_then_are_those_of_the_version_from_its_first_moment_to_its_last() -> None:
    survivor, retired, _ = merged()
    judge.unmerge(customer=survivor, records=[pipeline.record_ids()["erp:P2"]], act=bob())
    made = versions(survivor)
    ends = [later - timedelta(microseconds=1) for later in made[1:]]
    assert members(survivor, made) == [["P1"], ["P1", "P2"], ["P1"]]
    assert members(survivor, ends) == [["P1"], ["P1", "P2"]]
    born, gone, back = versions(retired)
    assert members(retired, [born, gone - timedelta(microseconds=1), back]) == [["P2"]] * 3
    assert members(retired, [gone]) == [["P1", "P2"]], "it stood for the survivor then"


def test_the_versions_before_and_after_are_offered() -> None:
    survivor, retired, _ = merged()
    first, second = versions(survivor)
    stood_then = as_of.standing(queries.customer_detail(survivor), first)
    assert (stood_then.before, stood_then.after) == (None, as_of.Neighbour(2, second))
    late = as_of.standing(queries.customer_detail(retired), timezone.now())
    assert (late.snapshot.id, late.before, late.after) == (survivor, as_of.Neighbour(1, first), None)


def test_a_version_that_was_erased_by_law_still_says_when_and_who_was_part_of_it() -> None:
    sent("crm", person(1, city="Ulm"))
    sent("crm", person(1, city="Bonn"))
    customer = at("crm:P1")
    with transaction.atomic():
        pipeline.execute("SET LOCAL session_replication_role = replica")
        pipeline.execute("UPDATE historical_customer SET salt = NULL, addresses = '[]' WHERE version = 1")
    then = as_of.standing(queries.customer_detail(customer), versions(customer)[0])
    assert (then.erased, then.lines, [m.external_id for m in then.members]) == (True, [], ["P1"])
    assert "were erased" in stood(customer, versions(customer)[0])


def test_a_retired_id_shows_which_id_stood_for_it() -> None:
    survivor, retired, _ = merged()
    early, late = stood(retired, versions(retired)[0]), stood(retired, timezone.now())
    assert "was a customer of its own" in early
    assert "version 1</span>" in early
    assert f"<code>{retired}</code>" in early or str(retired) in early
    assert "version 2</span>" in late
    assert f"/customers/{survivor}/" in late


def test_times_are_read_in_the_users_zone() -> None:
    sent("crm", person(1, city="Ulm"))
    customer = at("crm:P1")
    there = versions(customer)[0].astimezone(ZoneInfo("Asia/Tokyo")).replace(tzinfo=None) + timedelta(seconds=1)
    page = browser("viewer", time_zone="Asia/Tokyo").get(f"/customers/{customer}/as-of/?at={there.isoformat()}")
    assert "version 1</span>" in text(page)
    assert "JST" in text(page)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("2999-01-01T00:00", "still to come"), ("0001-01-01T00:00", "did not know"), ("1999-01-01T00:00", "did not know"),
        ("2026-02-30T10:00", "no date"), ("tomorrow", "no date"), ("\x00", "no date"), ("\u202e2026", "no date"),
        ("9" * 5000, "no date"), ("2026-01-01T00:00+99:99", "no date"), ("٢٠٢٦-01-01T00:00", "no date"), ("", "Choose a moment"),
    ],
)  # fmt: skip
def test_a_moment_there_was_not_gets_a_sentence(asked: str, said: str) -> None:
    sent("crm", person(1))
    answer = browser("viewer").get(f"/customers/{at('crm:P1')}/as-of/?{urlencode({'at': asked})}")
    assert answer.status_code == 200
    assert said in text(answer)


def test_hours_that_the_clock_left_out_or_gave_twice() -> None:
    with pytest.raises(Rejected, match="put forward"):
        as_of.moment("2026-03-29T02:30", BERLIN)
    moment, said = as_of.moment("2025-10-26T02:30", BERLIN)
    assert moment == datetime(2025, 10, 26, 0, 30, tzinfo=UTC)
    assert "came twice" in said
    assert as_of.moment("2025-10-26T02:30+01:00", BERLIN) == (datetime(2025, 10, 26, 1, 30, tzinfo=UTC), "")
    with pytest.raises(Rejected, match="no date"):
        as_of.moment("0001-01-01T00:00", ZoneInfo("Asia/Tokyo"))


def test_every_moment_of_the_history_leads_to_how_it_stood() -> None:
    survivor, _, _ = merged()
    viewer = browser("viewer")
    seen = text(viewer.get(f"/customers/{survivor}/history/"))
    links = re.findall(r'href="(/customers/[^"]+/as-of/\?at=[^"]+)"', seen)
    assert len(links) == 4
    for link in links:
        version = text(viewer.get(link.replace("&amp;", "&")))
        assert "As it stood at" in version
        assert "did not know" not in version
