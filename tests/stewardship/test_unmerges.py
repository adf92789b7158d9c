"""Bulk unmerge on its page: looked at, agreed on by two from a number of customers on, done in turns, and taken back as one act."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from apps.common.act import Act
from apps.common.errors import Conflict, NotFound, Rejected
from apps.connectors.models import Run
from apps.customers.models import ChangeRequest, Judgement
from apps.matching import judge
from apps.matching.unjoin import What
from apps.policies import activate
from apps.policies.active import shipped
from apps.stewardship import bulk_unmerges, tasks
from apps.stewardship.models import BulkUnmerge, Case
from tests import pipeline
from tests.mdmhub.test_unmerge_command import run_of, state
from tests.pipeline import alice, bob, person
from tests.stewardship.given import browser, text

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def hub() -> Any:
    pipeline.empty()
    pipeline.systems()
    yield
    assert pipeline.broken() == []


def second_person_from(number: int) -> None:
    body = shipped("merging") | {"unmerge": {"second_person_from": number}}
    drafted = activate.draft(kind="merging", body=body, note="", act=alice())
    activate.activate(policy=drafted.id, act=bob())
    pipeline.drain_all()


def joined(people: int = 2) -> Run:
    """A run of the ERP that joined its records to those of the CRM."""
    pipeline.take("crm", *(person(n) for n in range(1, people + 1)))
    return run_of("erp", *(person(n) for n in range(1, people + 1)))


def asked(run: Run, act: Act | None = None, **how: Any) -> BulkUnmerge:
    return bulk_unmerges.ask(
        what=What(act=run.correlation_id, **how), title="a run", again=False, act=act or Act("user:steward", "wrong column")
    )  # fmt: skip


def turns(most: int = 50) -> None:
    for _ in range(most):
        if not bulk_unmerges.work(seconds=10.0):
            return
    raise AssertionError("it never ends")


def apart() -> bool:
    return len(pipeline.partition()) == 2 * len({n for n in pipeline.where() if n.startswith("crm")})


def looked(run: Run, **how: Any) -> BulkUnmerge:
    row = asked(run, **how)
    turns()
    row.refresh_from_db()
    assert row.state == "looked", row.error
    return row


def said(client: Any, row: BulkUnmerge, **form: str) -> str:
    answer = client.post(f"/unmerges/{row.id}/", form, follow=True)
    assert answer.status_code == 200
    row.refresh_from_db()
    return text(answer)


# ── looking ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_looking_says_what_it_comes_to_and_changes_nothing() -> None:
    run = joined()
    before = state()
    row = looked(run)
    assert state() == before
    assert (row.total, row.looked["customers"], row.looked["records"], row.looked["into"]) == (2, 2, 4, 4)
    assert [[fate for _, fate, _ in one["results"]] for one in row.shown] == [["stays", "new"]] * 2
    assert "Lindenstra" not in str(row.shown)
    assert person(1)["family_name"] not in str(row.shown), "values are not kept: they would outlive an erasure"
    page = text(browser("steward").get(f"/unmerges/{row.id}/"))
    assert "would become <strong>4</strong> customers" in page
    assert "Take 2 customers apart" in page
    assert person(1)["family_name"] in page, "the name of today"


def test_one_customer_of_it_is_shown_with_values_and_what_targets_would_be_told() -> None:
    row = looked(joined())
    before = state()
    customer = pipeline.where()["crm:P1"]
    page = text(browser("steward").get(f"/unmerges/{row.id}/customers/{customer}/"))
    assert "What it comes to" in page
    assert person(1)["email"] in page
    assert "What targets would be told" in page
    assert "a new customer" in page
    assert state() == before
    other = pipeline.customer_of("crm", person(9))
    assert "Nothing of this customer would be taken apart." in text(
        browser("steward").get(f"/unmerges/{row.id}/customers/{other}/")
    )


def test_the_list_is_bounded_and_the_counts_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.stewardship.bulk_unmerges.MOST_SHOWN", 2)
    monkeypatch.setattr("apps.stewardship.bulk_unmerges._PART", 2)
    row = looked(joined(5))
    assert (len(row.shown), row.looked["customers"], row.total) == (2, 5, 5)
    assert "the first 2 of 5" in text(browser("steward").get(f"/unmerges/{row.id}/"))


def test_a_turn_that_ends_or_dies_is_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.stewardship.bulk_unmerges._PART", 1)
    row = asked(joined(3))
    assert bulk_unmerges.work(seconds=0.0), "one part, then the turn is over"
    row.refresh_from_db()
    assert (row.state, row.looked["customers"], row.total) == ("looking", 1, 3)
    page = text(browser("steward").get(f"/unmerges/{row.id}/"))
    assert "1 of 3 customers" in page
    assert f'hx-get="/unmerges/{row.id}/progress/"' in page
    BulkUnmerge.objects.update(lease_until=timezone.now() + timedelta(minutes=1))
    assert not bulk_unmerges.work(seconds=10.0), "somebody else is at it"
    row.refresh_from_db()
    assert row.looked["customers"] == 1
    BulkUnmerge.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    turns()
    row.refresh_from_db()
    assert (row.state, row.looked["customers"]) == ("looked", 3)
    assert browser("steward").get(f"/unmerges/{row.id}/progress/").headers["HX-Refresh"] == "true"


# ── doing and taking back ───────────────────────────────────────────────────────────────────────────────────────────
def test_few_are_done_at_once_and_taken_back_as_one_act() -> None:
    row, steward = looked(joined()), browser("steward")
    before = pipeline.where()
    assert "They are taken apart." in said(steward, row, step="confirm")
    assert row.state == "doing"
    turns()
    assert apart()
    row.refresh_from_db()
    assert (row.state, row.done["customers"], row.done["into"], row.done["pairs"]) == ("done", 2, 4, 2)
    verdicts = Judgement.objects.filter(superseded_at=None)
    assert set(verdicts.values_list("actor", "reason", "correlation_id")) == {("user:steward", "wrong column", row.id)}
    assert "Taken back: its records are 2 customers now." in said(steward, row, step="undo")
    assert (row.state, row.undone_by) == ("undone", "user:steward")
    assert pipeline.where() == before
    assert "there is nothing to take back" in said(steward, row, step="undo")


def test_from_a_number_on_a_second_person_decides() -> None:
    second_person_from(2)
    row, steward, approver = looked(joined()), browser("steward"), browser("approver")
    page = text(steward.get(f"/unmerges/{row.id}/"))
    assert "somebody else has to say so too" in page
    assert "Ask a second person" in page
    assert "Somebody else has to say so too." in said(steward, row, step="confirm")
    assert row.state == "waiting"
    turns()
    assert not apart()
    (case,) = Case.objects.exclude(state="closed").filter(kind="change")
    assert (case.cause, case.title, case.sentence) == ("unmerge", "a run", "2 customers")
    assert "many customers would be taken apart" in text(approver.get("/inbox/?kind=change&whose=team")).lower()
    assert approver.get(f"/changes/{case.subject}/")["Location"] == f"/unmerges/{row.id}/"
    assert "You asked for this" in text(steward.get(f"/unmerges/{row.id}/"))
    assert steward.post(f"/unmerges/{row.id}/decide/", {"all": "approve"}).status_code == 403
    assert "Your word" in text(approver.get(f"/unmerges/{row.id}/"))
    approver.post(f"/unmerges/{row.id}/decide/", {"all": "approve"})
    turns()
    assert apart()
    request = ChangeRequest.objects.get()
    assert (request.kind, request.state, request.author, request.approver) == (
        "unmerge", "approved", "user:steward", "user:approver",
    )  # fmt: skip
    assert set(Judgement.objects.values_list("actor", "reason")) == {
        ("user:steward", "wrong column (approved by approver)")
    }
    assert not Case.objects.exclude(state="closed").filter(kind="change").exists()


def test_nobody_approves_what_they_asked_for_themselves() -> None:
    second_person_from(1)
    row = looked(joined(), act=Act("user:approver", "wrong"))
    approver = browser("approver")
    said(approver, row, step="confirm")
    page = text(approver.post(f"/unmerges/{row.id}/decide/", {"all": "approve"}, follow=True))
    assert "A second person has to decide: you asked for this." in page
    row.refresh_from_db()
    assert row.state == "waiting"
    assert "Your word" not in page


def test_who_asked_for_the_look_does_not_approve_what_another_confirmed() -> None:
    second_person_from(1)
    row = looked(joined(), act=Act("user:approver", "wrong"))
    bulk_unmerges.confirm(id=row.id, act=Act("user:steward", ""))
    with pytest.raises(Rejected, match="second person"):
        bulk_unmerges.decide(id=row.id, approve=True, act=Act("user:approver", ""))


def test_rejected_or_given_up_nothing_is_done() -> None:
    second_person_from(1)
    run = joined()
    row, steward = looked(run), browser("steward")
    said(steward, row, step="confirm")
    bulk_unmerges.decide(id=row.id, approve=False, act=Act("user:approver", "it was right"))
    other = looked(run)
    said(steward, other, step="confirm")
    assert "It is given up." in said(steward, other, step="cancel")
    assert ChangeRequest.objects.get(id=other.change_request_id).state == "closed"
    third = asked(run)
    bulk_unmerges.cancel(id=third.id, act=alice())
    turns()
    row.refresh_from_db()
    assert (row.state, other.state) == ("rejected", "cancelled")
    assert not apart()
    for id_ in (row.id, other.id, third.id):
        with pytest.raises(Conflict):
            bulk_unmerges.confirm(id=id_, act=alice())


def test_stopped_in_the_middle_what_is_done_can_be_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.stewardship.bulk_unmerges._PART", 1)
    row = looked(joined(3))
    bulk_unmerges.confirm(id=row.id, act=alice())
    assert bulk_unmerges.work(seconds=0.0)
    assert len(pipeline.partition()) == 4
    bulk_unmerges.cancel(id=row.id, act=alice())
    assert not bulk_unmerges.work(seconds=10.0)
    assert len(pipeline.partition()) == 4
    assert bulk_unmerges.undo(id=row.id, act=bob()) == 1
    assert len(pipeline.partition()) == 3


def test_failed_in_the_middle_what_is_done_can_be_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.stewardship.bulk_unmerges._PART", 1)
    row = looked(joined(3))
    bulk_unmerges.confirm(id=row.id, act=alice())
    assert bulk_unmerges.work(seconds=0.0)
    BulkUnmerge.objects.update(since=timezone.now() + timedelta(days=1))
    turns()
    row.refresh_from_db()
    assert (row.state, row.done["customers"], len(pipeline.partition())) == ("failed", 1, 4)
    assert "Take all of it back" in text(browser("steward").get(f"/unmerges/{row.id}/"))
    assert bulk_unmerges.undo(id=row.id, act=bob()) == 1
    assert len(pipeline.partition()) == 3
    with pytest.raises(Conflict):
        bulk_unmerges.undo(id=row.id, act=bob())


def test_what_others_have_changed_meanwhile_is_read_again() -> None:
    """Between the look and the deed somebody has taken one of them apart."""
    row = looked(joined())
    judge.unmerge(
        customer=pipeline.where()["crm:P1"], records=[pipeline.record_ids()["erp:P1"]], act=bob()
    )  # fmt: skip
    bulk_unmerges.confirm(id=row.id, act=alice())
    turns()
    row.refresh_from_db()
    assert (row.state, row.done["customers"]) == ("done", 1)
    assert apart()


def test_of_nothing_nothing_comes() -> None:
    row = looked(Run(correlation_id=uuid4()))
    assert row.total == 0
    assert "Nothing that still stands was joined by it." in text(browser("steward").get(f"/unmerges/{row.id}/"))
    with pytest.raises(Rejected):
        bulk_unmerges.confirm(id=row.id, act=alice())
    with pytest.raises(Rejected, match="Say why"):
        asked(Run(correlation_id=uuid4()), act=Act("user:steward", " "))
    with pytest.raises(NotFound):
        bulk_unmerges.confirm(id=uuid4(), act=alice())


# ── the pages ───────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_run_is_chosen_on_the_form_and_found_in_the_list() -> None:
    run, steward = joined(), browser("steward")
    page = text(steward.get(f"/unmerges/new/?run={run.id}"))
    assert re.search(rf'<option value="{run.id}" selected', page)
    answer = steward.post("/unmerges/new/", {"run": str(run.id), "reason": "wrong column"})
    assert answer.status_code == 302
    row = BulkUnmerge.objects.get()
    assert (row.run, row.author, row.title.startswith("run ERP: ")) == (run.correlation_id, "user:steward", True)
    tasks.bulk_unmerges()
    row.refresh_from_db()
    assert (row.state, row.total) == ("looked", 2)
    listed = text(steward.get("/unmerges/"))
    assert f'href="/unmerges/{row.id}/"' in listed
    assert "looked at" in listed


def test_a_model_and_a_stretch_of_time_are_chosen_too() -> None:
    joined()
    steward = browser("steward")
    version = pipeline.one("SELECT version FROM match_model WHERE state = 'active'")
    since = f"{timezone.now() - timedelta(hours=1):%Y-%m-%dT%H:%M}"
    assert steward.post("/unmerges/new/", {"model": str(version), "since": since, "reason": "x"}).status_code == 302
    row = BulkUnmerge.objects.get()
    assert (row.model, row.run) == (version, None)
    assert row.since is not None
    turns()
    row.refresh_from_db()
    assert row.total == 2


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"reason": "x"}, "Say what is to be undone"),
        ({"since": "2026-01-01T00:00"}, "This field is required"),
        ({"run": str(uuid4()), "reason": "x"}, "Select a valid choice"),
        ({"since": "yesterday", "reason": "x"}, "Enter a valid date/time"),
        ({"since": "2026-01-02T00:00", "until": "2026-01-01T00:00", "reason": "x"}, "ends before it begins"),
    ],
)
def test_what_is_wrong_on_the_form_is_told_and_nothing_is_asked(form: dict[str, str], says: str) -> None:
    answer = browser("steward").post("/unmerges/new/", form)
    assert answer.status_code == 422
    assert says in text(answer)
    assert not BulkUnmerge.objects.exists()


def test_it_is_for_stewards_and_approvers() -> None:
    row = looked(joined())
    customer = UUID(row.shown[0]["customer"])
    for path in ("/unmerges/", "/unmerges/new/", f"/unmerges/{row.id}/", f"/unmerges/{row.id}/customers/{customer}/"):
        for role, status in (("viewer", 403), ("integrator", 403), ("admin", 403), ("steward", 200), ("approver", 200)):
            assert browser(role).get(path).status_code == status, (role, path)
    assert "Undo merges" in text(browser("steward").get("/imports/"))
    assert "Undo merges" not in text(browser("integrator").get("/imports/"))


def test_a_row_that_cannot_be_read_fails_with_its_cause() -> None:
    row = asked(joined())
    BulkUnmerge.objects.update(since=timezone.now() + timedelta(days=1), until=timezone.now())
    turns()
    row.refresh_from_db()
    assert (row.state, row.error) == ("failed", "The stretch of time ends before it begins.")
