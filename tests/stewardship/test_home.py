"""The first page: each number is right, in the user's days, and leads to its list."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from apps.common.ids import uuid7
from apps.matching import judge
from apps.stewardship import cases, trends
from apps.stewardship.models import Case
from apps.stewardship.overview import overview
from apps.stewardship.trends import Backlog, Day, backlog, drawing
from tests import pipeline
from tests.stewardship.given import ANNA, BOB, anna, browser, text

pytestmark = pytest.mark.django_db
MOST_QUERIES = 15


def case(opened: datetime, closed: datetime | None = None, due: datetime | None = None, group: str = "") -> UUID:
    """A case of a quarantined record, as it stands in its table."""
    id_ = uuid7()
    pipeline.execute(
        "INSERT INTO steward_case (id, kind, subject, group_key, title, cause, sentence, priority, state, opened_at, due_at, assignee,"
        " deferred_why, closed_by, closed_at, outcome) VALUES (%s, 'quarantine', %s, %s, 't', 'c', '', 3, %s, %s, %s, '', '', '', %s, %s)",
        id_, uuid7(), group or str(id_), "closed" if closed else "open", opened, due or opened + timedelta(days=90), closed,
        "done" if closed else "",
    )  # fmt: skip
    return id_


@pytest.fixture
def customer() -> UUID:
    found = anna()
    pipeline.take("crm", BOB)
    return found


def test_the_backlog_counts_whole_days_backwards_from_now() -> None:
    now = timezone.now()
    noon = timezone.make_aware(datetime.combine(timezone.localdate(), datetime.min.time())) + timedelta(minutes=1)
    case(now - timedelta(days=80))  # long open
    case(now - timedelta(days=80), closed=noon - timedelta(days=3))
    case(noon - timedelta(days=5), closed=noon - timedelta(days=3))
    case(noon - timedelta(days=5))
    case(noon)
    found = {d.day: (d.opened, d.closed, d.open) for d in backlog().days}
    today = timezone.localdate()
    assert len(found) == trends.DAYS == 30
    assert max(found) == today
    assert found[today] == (1, 0, 3)
    assert found[today - timedelta(days=1)] == (0, 0, 2)
    assert found[today - timedelta(days=3)] == (0, 2, 2)
    assert found[today - timedelta(days=4)] == (0, 0, 4)
    assert found[today - timedelta(days=5)] == (2, 0, 4)
    assert found[today - timedelta(days=6)] == (0, 0, 2)
    assert found[today - timedelta(days=29)] == (0, 0, 2)


def test_days_are_the_users_own() -> None:
    """Half past ten in the evening of London is tomorrow in Tokyo; the days around a change of the clocks are whole."""
    moment = datetime.combine(timezone.localdate() - timedelta(days=2), datetime.min.time(), UTC) + timedelta(
        hours=22, minutes=30
    )
    case(moment)
    for zone, later in (("UTC", 0), ("Asia/Tokyo", 1), ("America/New_York", 0), ("Pacific/Kiritimati", 1)):
        with timezone.override(zone):
            days = [d.day for d in backlog().days if d.opened]
        assert days == [moment.date() + timedelta(days=later)], zone


def test_what_is_due_today_and_late_counts_lines_not_cases() -> None:
    midnight = timezone.make_aware(datetime.combine(timezone.localdate() + timedelta(days=1), datetime.min.time()))
    now = timezone.now()
    for _ in range(3):
        case(now, due=now - timedelta(hours=1), group="one cause")
    case(now, due=midnight - timedelta(seconds=1))
    case(now, due=midnight + timedelta(seconds=1))
    case(now, due=now - timedelta(days=1), closed=now)
    found = backlog()
    assert (found.overdue, found.due_today) == (1, 1)


@pytest.mark.parametrize(
    "numbers", [[0] * 30, [1] * 30, list(range(30)), [0] * 29 + [12_345], [7, 0, 3] * 10], ids=range(5)
)
def test_the_drawing_stays_within_its_frame(numbers: list[int]) -> None:
    days = [Day(date(2026, 10, 1) + timedelta(days=n), m, m // 2, m * 2) for n, m in enumerate(numbers)]
    drawn = drawing(Backlog(days, 0, 0))
    points = [tuple(map(float, p.split(","))) for p in drawn.line.split()]
    assert len(points) == 30
    for x, y in [*points, *((b.x, b.y) for b in drawn.bars), *((b.x + drawn.bar, b.y + b.height) for b in drawn.bars)]:
        assert trends.LEFT <= x <= drawn.width
        assert 0 <= y <= drawn.height - trends.FOOT + 0.11
    assert drawn.ticks[0][1] == 0
    assert drawn.ticks[-1][1] >= max(m * 2 for m in numbers)
    assert 2 <= len(drawn.ticks) <= 5
    assert len(drawn.bars) == sum(m > 0 for m in numbers) + sum(m > 1 for m in numbers)


def test_matches_tell_the_machine_from_people(customer: UUID) -> None:
    assert (overview().matches.automatic, overview().matches.people) == (1, 0)
    bob = pipeline.where()["crm:C-2"]
    judge.merge(customers=[customer, bob], act=pipeline.alice())
    found = overview().matches
    assert (found.automatic, found.people, found.apart) == (1, 1, 0)
    records = pipeline.record_ids()
    judge.keep_apart(pairs=[tuple(sorted((records["crm:C-1"], records["crm:C-2"])))], act=pipeline.bob())
    assert overview().matches.apart == 1
    pipeline.execute("SET LOCAL session_replication_role = replica")
    pipeline.execute("UPDATE judgement SET decided_at = decided_at - interval '40 days'")
    assert overview().matches.apart == 0


def test_quality_counts_what_cannot_be_reached_is_wrong_or_set_aside(customer: UUID) -> None:
    pipeline.take("billing", {"record_id": "1", "kind": "person", "name": "Zoe Gran", "email": "zoe@"})
    pipeline.take("billing", {"record_id": "2", "kind": "dragon"}, {"record_id": "3", "kind": "dragon"})
    quality = overview().quality
    assert (quality.customers, quality.unreachable, quality.flawed) == (3, 2, 1)  # Bob has nothing but a country
    (aside,) = [s for s in quality.set_aside if s.records]
    assert (aside.system.code, aside.records, aside.received) == ("billing", 2, 3)
    pipeline.execute("UPDATE quarantine SET received_at = received_at - interval '40 days'")
    assert not [s for s in overview().quality.set_aside if s.records]
    steward = browser("steward")
    for name, number in (("unreachable", 2), ("wrong", 1)):
        assert f'href="/customers/?quality={name}"' in text(steward.get("/"))
        assert steward.get(f"/customers/?quality={name}").context["counts"].total == number


def test_what_has_ended_is_no_way_to_reach_somebody_and_no_longer_wrong(customer: UUID) -> None:
    ended = {"valid_from": "2001-01-01", "valid_to": "2002-01-01"}
    here = {"record_id": "1", "kind": "person", "name": "Zoe Gran"}
    lists = {
        "contact_points": [
            {"type": "email", "value": "zoe@gran.example"} | ended,
            {"type": "phone", "value": "12"} | ended,
        ],
        "addresses": [{"type": "postal", "line1": "Kanalvej 1", "city": "Aarhus", "country": "DK"} | ended],
        "identifiers": [{"type": "tax_id", "value": "DE136695977", "country": "DE"} | ended],
    }
    before = overview().quality
    gone = pipeline.customer_of("billing", here | lists)
    traits = "SELECT countries, reachable, flawed FROM customer WHERE id = %s"
    assert pipeline.query(traits, gone) == [("[]", False, False)]
    quality = overview().quality
    assert (quality.unreachable, quality.flawed) == (before.unreachable + 1, before.flawed)
    cases.refresh()
    assert not Case.objects.filter(customer_id=gone).exists()
    still = {name: [{**entry, "valid_to": "2999-01-01"} for entry in entries] for name, entries in lists.items()}
    pipeline.take("billing", here | still)
    assert pipeline.query(traits, gone) == [('["DK"]', True, True)]
    cases.refresh()
    assert Case.objects.filter(customer_id=gone).exists()


def test_the_page_says_all_of_it_and_leads_on(customer: UUID) -> None:
    case(timezone.now())
    seen = text(browser("steward").get("/"))
    for words in (
        "Due today",
        "Overdue",
        "Nobody&#x27;s yet",
        "Backlog of 30 days",
        "The same as a table",
        "Matches of 30 days",
        "Data quality",
    ):
        assert words in seen.replace("'", "&#x27;"), words
    for link in (
        "/inbox/?whose=mine",
        "/inbox/?whose=free",
        "due=today",
        "due=overdue",
        "/inbox/?kind=match",
        "/doubts/",
        "/quarantine/?system=crm",
    ):
        assert link in seen, link
    assert seen.count('<polyline class="line"') == 1
    assert seen.count("so far") == 1


def test_a_target_has_its_row(customer: UUID) -> None:
    system = pipeline.systems()["erp"]
    pipeline.execute(
        "INSERT INTO connection (id, system_id, name, adapter, mode, settings, cursor, paused_reason, paused_by, created_at)"
        " VALUES (gen_random_uuid(), %s, 'erp', 'rest', 'paused', '{}', '{}', 'why', 'user:x', now())",
        system.id,
    )
    seen = text(browser("viewer").get("/"))
    assert "Sync health" in seen
    assert 'href="/sync/erp/"' in seen
    assert "nothing told" in seen


def test_an_empty_hub_says_what_to_do() -> None:
    pipeline.empty()
    seen = text(browser("integrator").get("/"))
    assert "Import a file" in seen
    assert "Backlog" not in seen
    assert "Data quality" not in seen


@pytest.mark.parametrize("role", ["viewer", "steward", "approver", "integrator", "admin"])
def test_the_first_page_keeps_its_number_of_queries(
    customer: UUID, role: str, django_assert_max_num_queries: Any
) -> None:
    pipeline.take("crm", {**ANNA, "record_id": "C-9", "kind": "dragon"})
    cases.refresh()
    person = browser(role)
    with django_assert_max_num_queries(MOST_QUERIES):
        assert person.get("/").status_code == 200
    assert browser("nobody", roles=[]).get("/").status_code == 403
