"""Notes: written once however often the form is sent, removed with a reason, and shown wherever the id they hang on belongs."""

import re
import threading
from typing import Any
from uuid import UUID

import pytest
from django.contrib.messages import get_messages
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from apps.common.act import Act
from apps.common.errors import Conflict, NotFound, Rejected
from apps.common.ids import uuid7
from apps.matching import judge
from apps.stewardship import notes
from apps.stewardship.models import Note
from tests import pipeline
from tests.pipeline import alice, bob, person
from tests.stewardship.given import browser, text
from tests.stewardship.given_history import at, merged, sent

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _clean() -> None:
    pipeline.empty()
    pipeline.systems()


@pytest.fixture
def customer() -> UUID:
    sent("crm", person(1))
    return at("crm:P1")


def form(customer: UUID, body: str, role: str = "steward") -> dict[str, str]:
    """What the page's form sends."""
    token = re.search(r'name="token" value="([0-9a-f-]{36})"', text(browser(role).get(f"/customers/{customer}/")))
    assert token is not None
    return {"token": token[1], "body": body}


def write(customer: UUID, body: str, role: str = "steward") -> Any:
    return browser(role).post(f"/customers/{customer}/notes/", form(customer, body, role))


def said(answer: Any) -> str:
    return " ".join(str(m) for m in get_messages(answer.wsgi_request))


def shown(customer: UUID, role: str = "viewer") -> list[str]:
    seen = text(browser(role).get(f"/customers/{customer}/", follow=True))
    return re.findall(r'class="note-text" dir="auto">(.*?)</div>', seen, re.DOTALL)


def remove(customer: UUID, note: Note, role: str, reason: str = "out of date") -> Any:
    return browser(role).post(f"/customers/{customer}/notes/{note.id}/remove/", {"reason": reason})


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_note_is_written_and_everybody_who_sees_customers_reads_it(customer: UUID) -> None:
    answer = write(customer, "Calls back\r\nbefore noon.")
    assert answer["Location"] == f"/customers/{customer}/#notes"
    write(customer, "The newest one.")
    assert shown(customer) == ["The newest one.", "Calls back\nbefore noon."]
    seen = text(browser("viewer").get(f"/customers/{customer}/sources/".replace("sources", "lineage")))
    assert re.search(r'title="notes">2<', seen), "every tab says how many"
    assert (Note.objects.count(), Note.objects.latest("id").author) == (2, "user:steward")


def test_a_form_that_is_sent_twice_adds_one_note(customer: UUID) -> None:
    sent_form = form(customer, "Once.")
    steward = browser("steward")
    for _ in range(2):
        assert steward.post(f"/customers/{customer}/notes/", sent_form).status_code == 302
    assert Note.objects.count() == 1
    changed = steward.post(f"/customers/{customer}/notes/", {**sent_form, "body": "Something else."})
    assert changed.status_code == 422
    assert "sent before" in text(changed)
    assert "Something else.</textarea>" in text(changed)
    assert Note.objects.get().body == "Once."


def test_two_sent_at_the_same_moment_add_one_note(customer: UUID) -> None:
    token, outcomes = uuid7(), []

    def send() -> None:
        try:
            outcomes.append(notes.add(id=token, customer=customer, body="Once.", act=alice()).id)
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [token] * 4
    assert Note.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("", "Write something"),
        (" \r\n\t ", "Write something"),
        ("x" * 10_000, "10,000 characters are too many"),
        ("x" * 4_001, "4,001 characters are too many"),
        ("a\x00b", "U+0000"),
        ("bell\x07", "U+0007"),
        ("\x1b[31mred", "U+001B"),
        ("c1 \x85 control", "U+0085"),
    ],
    ids=["empty", "blank", "ten-thousand", "one-too-many", "nul", "bell", "escape", "c1"],
)
def test_what_cannot_be_kept_is_refused_with_its_text_in_the_form(customer: UUID, body: str, problem: str) -> None:
    answer = write(customer, body)
    assert answer.status_code == 422
    seen = text(answer)
    assert problem in seen
    kept = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", seen, re.DOTALL)
    assert kept is not None
    assert kept[1] == body
    assert re.search(r"<details[^>]* open data-key", seen), "the form is open, at its problem"
    assert not Note.objects.exists()


def test_the_longest_note_is_counted_as_people_count_and_kept_whole(customer: UUID) -> None:
    body = "x" * 3_998 + "\r\ny"
    assert write(customer, body).status_code == 302
    assert Note.objects.get().body == body.replace("\r\n", "\n")


def test_scripts_markup_and_marks_of_direction_are_shown_as_what_they_are(customer: UUID) -> None:
    write(customer, "<script>alert(1)</script> מרים \u202eevil https://a.example")
    (seen,) = shown(customer)
    assert "<script>" not in seen
    assert "&lt;script&gt;" in seen
    assert "\u202e" not in seen
    assert "right-to-left override" in seen
    assert "<a " not in seen, "links are not made"


def test_the_database_refuses_what_the_verbs_would_never_write(customer: UUID) -> None:
    good = {"customer_id": customer, "body": "x", "author": "user:a", "written_at": timezone.now()}
    for wrong in (
        {"body": ""}, {"body": "   "}, {"body": "x" * 4_001}, {"author": ""}, {"removed_at": timezone.now()},
        {"removed_by": "user:b"}, {"removed_at": timezone.now(), "removed_by": "user:b"}, {"customer_id": uuid7()},
    ):  # fmt: skip
        with pytest.raises(IntegrityError), transaction.atomic():
            Note.objects.create(**{**good, **wrong})
            connection.check_constraints()
    assert not Note.objects.exists()


# ── who may ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("role", "may"), [("steward", True), ("approver", True), ("viewer", False), ("integrator", False), ("admin", False)]
)
def test_who_may_merge_may_write(customer: UUID, role: str, may: bool) -> None:
    answer = browser(role).post(f"/customers/{customer}/notes/", {"body": "x", "token": str(uuid7())})
    assert answer.status_code == (302 if may else 403)
    assert Note.objects.exists() is may
    assert ('name="token"' in text(browser(role).get(f"/customers/{customer}/"))) is may


@pytest.mark.parametrize(
    ("role", "may"), [("approver", True), ("admin", True), ("viewer", False), ("integrator", False), ("steward", False)]
)
def test_who_may_remove_what_others_wrote(customer: UUID, role: str, may: bool) -> None:
    note = notes.add(id=uuid7(), customer=customer, body="x", act=alice())
    assert remove(customer, note, role).status_code == (302 if may else 403)
    note.refresh_from_db()
    assert (note.removed_at is not None) is may
    offered = "/remove/" in text(browser(role).get(f"/customers/{customer}/"))
    assert not offered or not may, "what is removed is not shown"


def test_an_author_removes_an_own_note_and_the_reason_stays_in_the_history(customer: UUID) -> None:
    write(customer, "Not so.")
    note = Note.objects.get()
    assert "Say why" in said(remove(customer, note, "steward", reason=" "))
    assert "is removed" in said(remove(customer, note, "steward", reason="mixed up"))
    assert shown(customer) == []
    assert "removed already by steward" in said(remove(customer, note, "approver"))
    history = text(browser("viewer").get(f"/customers/{customer}/history/?kind=note"))
    assert "mixed up" in history
    assert "Not so." not in history
    note.refresh_from_db()
    assert (note.removed_by, note.removed_why, note.body) == ("user:steward", "mixed up", "Not so.")


def test_forged_ids_find_nothing(customer: UUID) -> None:
    sent("erp", person(2))
    other = at("erp:P2")
    note = notes.add(id=uuid7(), customer=other, body="x", act=bob())
    assert remove(customer, note, "approver").status_code == 404, "it hangs on somebody else"
    assert (
        browser("approver").post(f"/customers/{customer}/notes/{uuid7()}/remove/", {"reason": "x"}).status_code == 404
    )
    assert browser("steward").post(f"/customers/{uuid7()}/notes/", {"body": "x"}).status_code == 404
    taken = browser("steward").post(f"/customers/{customer}/notes/", {"body": "mine", "token": str(note.id)})
    assert taken.status_code == 422, "another note's id is no way to write over it"
    assert (
        browser("steward").post(f"/customers/{customer}/notes/", {"body": "y", "token": "nonsense"}).status_code == 302
    )
    note.refresh_from_db()
    assert (note.body, note.removed_at) == ("x", None)
    assert browser("viewer").get(f"/customers/{customer}/notes/")["Location"] == f"/customers/{customer}/#notes"
    assert browser("approver").get(f"/customers/{other}/notes/{note.id}/remove/").status_code == 405


def test_the_verbs_say_what_is_wrong(customer: UUID) -> None:
    with pytest.raises(NotFound):
        notes.add(id=uuid7(), customer=uuid7(), body="x", act=alice())
    note = notes.add(id=uuid7(), customer=customer, body="x", act=alice())
    with pytest.raises(Conflict):
        notes.add(id=note.id, customer=customer, body="x", act=bob())
    with pytest.raises(NotFound):
        notes.remove(id=uuid7(), act=alice())
    with pytest.raises(Rejected, match="501 characters"):
        notes.remove(id=note.id, act=Act("user:alice", "x" * 501))
    with pytest.raises(Rejected, match=r"U\+DC00"):
        notes.readable("\udc00", "/body", 10, "Write something.")


# ── merges ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_merge_shows_the_notes_of_both_and_an_unmerge_gives_each_its_own() -> None:
    survivor, retired, _ = merged()
    notes.add(id=uuid7(), customer=survivor, body="Ours.", act=alice())
    notes.add(id=uuid7(), customer=retired, body="Theirs.", act=alice())
    assert shown(survivor) == ["Theirs.", "Ours."]
    assert shown(retired) == ["Theirs.", "Ours."], "the retired id leads on"
    assert f'written to <a class="wrap" href="/customers/{retired}/history/"' in text(
        browser("viewer").get(f"/customers/{survivor}/")
    )
    judge.unmerge(customer=survivor, records=[pipeline.record_ids()["erp:P2"]], act=bob())
    assert (shown(survivor), shown(retired)) == (["Ours."], ["Theirs."])


def test_a_note_on_its_way_while_the_customer_is_merged_away_is_kept_and_shown() -> None:
    sent("crm", person(1))
    sent("erp", person(2))
    survivor, retired = at("crm:P1"), at("erp:P2")
    ready = form(retired, "Written before.")
    judge.merge(customers=[survivor, retired], act=alice())
    answer = browser("steward").post(f"/customers/{retired}/notes/", ready)
    assert answer["Location"] == f"/customers/{survivor}/#notes"
    assert "has become part of this customer" in said(answer)
    assert shown(survivor) == ["Written before."]
    refused = browser("steward").post(f"/customers/{retired}/notes/", {"body": ""})
    assert refused.status_code == 422


def test_more_notes_than_fit_are_counted_and_left_to_the_history(
    customer: UUID, django_assert_max_num_queries: Any
) -> None:
    for n in range(notes.MOST_SHOWN + 3):
        notes.add(id=uuid7(), customer=customer, body=f"note {n}", act=alice())
    viewer = browser("viewer")
    with django_assert_max_num_queries(12):
        seen = text(viewer.get(f"/customers/{customer}/"))
    assert seen.count('class="note-text"') == notes.MOST_SHOWN
    assert f"All {notes.MOST_SHOWN + 3} notes" in seen
