"""A customer over time: everything that happened, by the act it came of, with what was merged into it; and how it stood at a moment."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.common import cursors
from apps.common.act import Act
from apps.common.errors import Rejected
from apps.customers import pins
from apps.customers.models import ChangeRequest, Customer
from apps.customers.refresh import decide_request
from apps.matching import judge
from apps.policies import activate
from apps.stewardship import decisions, notes, timeline_index
from apps.stewardship.review import review
from apps.stewardship.timeline import KINDS, PAGE, TOGETHER, Moment, timeline
from apps.stewardship.timeline_entries import Entry
from tests import outward, pipeline
from tests.pipeline import alice, bob, person, take
from tests.stewardship.given import browser, text
from tests.stewardship.given_cases import doubtful
from tests.stewardship.given_history import at, merged, sent

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _clean() -> None:
    pipeline.empty()
    pipeline.systems()


def whole(customer: UUID, *others: UUID, kind: str = "") -> list[Moment]:
    """All pages one after the other."""
    found: list[Moment] = []
    page = timeline([customer, *others], kind=kind)
    found += page.moments
    while page.next:
        page = timeline([customer, *others], kind=kind, after=page.next)
        found += page.moments
    return found


def of(act: Act, moments: Sequence[Moment]) -> Moment:
    (found,) = [m for m in moments if m.correlation_id == act.correlation_id]
    return found


def words(moment: Moment) -> list[str]:
    return [e.word for e in moment.entries]


def entry(moment: Moment, word: str) -> Entry:
    (found,) = [e for e in moment.entries if e.word == word]
    return found


# ── what is told ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_what_one_call_brought_about_stands_together_in_the_order_it_follows() -> None:
    first = sent("crm", person(1))
    second = sent("crm", person(1, city="Ulm"), why="moved house")
    moments = whole(at("crm:P1"))
    assert [m.correlation_id for m in moments] == [second.correlation_id, first.correlation_id]
    assert words(moments[1]) == ["Received", "Began this customer", "Version 1"]
    assert words(moments[0]) == ["Changed there", "Version 2"]
    assert (moments[0].actor, moments[0].why) == ("client:loader", "moved house")
    changed, version = moments[0].entries
    assert (changed.system, changed.thing, changed.tail) == ("crm", "P1", "version 2")
    assert [c.attribute for c in changed.changes] == ["addresses"]
    assert [c.attribute for c in version.changes] == ["addresses"]
    assert version.rule.startswith("policy ")
    assert (version.version, version.tag) == (2, "Changed")


def test_a_version_that_was_replaced_still_stands_with_what_it_brought_about() -> None:
    """A replaced source version no longer knows its call: it is found by what was written in the same breath."""
    acts = [sent("crm", person(1, city=city), why=city) for city in ("Ulm", "Bonn", "Kiel", "Trier")]
    moments = whole(at("crm:P1"))
    assert [m.why for m in moments] == ["Trier", "Kiel", "Bonn", "Ulm"]
    for number, act in enumerate(acts, 1):
        told = of(act, moments)
        assert [e.tail for e in told.entries if e.kind == "record"] == [f"version {number}"]
        assert f"Version {number}" in words(told)


def test_a_deletion_and_a_return_are_named() -> None:
    take("crm", person(1, source_updated_at="2024-01-01T10:00:00Z"))
    take("erp", person(1))
    gone = sent("crm", {**person(1), "deleted": True, "source_updated_at": "2024-02-01T10:00:00Z"})
    back = sent("crm", person(1, source_updated_at="2024-03-01T10:00:00Z"))
    moments = whole(at("erp:P1"))
    assert entry(of(gone, moments), "Deleted there").tone == "bad"
    assert "Back again" in words(of(back, moments))


def test_a_merge_is_one_moment_and_the_losers_own_past_is_there_too() -> None:
    survivor, retired, act = merged()
    moments = whole(survivor, retired)
    told = of(act, moments)
    assert words(told)[0] == "Verdict: a match"
    assert words(told).count("Came by a merge") == 1
    moved = entry(told, "Came by a merge")
    assert moved.link is not None
    assert (moved.link.page, moved.link.arguments) == ("customer", (retired,))
    tags = {(e.customer, e.tag) for e in told.entries if e.kind == "version"}
    assert tags == {(survivor, "Merged"), (retired, "Retired")}
    own = [e for m in moments for e in m.entries if e.customer == retired and m is not told]
    assert {"Received", "Began this customer", "Version 1"} <= {e.word for e in own}
    alone = whole(retired)
    assert words(of(act, alone))[-2:] == ["Left by a merge", "Version 2"]
    assert {e.customer for m in alone for e in m.entries} == {retired}


def test_an_unmerge_gives_each_its_own_past_again() -> None:
    survivor, retired, _ = merged()
    act = bob()
    judge.unmerge(customer=survivor, records=[pipeline.record_ids()["erp:P2"]], act=act)
    assert at("erp:P2") == retired
    late = sent("erp", person(2, city="Bonn"))
    ours, theirs = whole(survivor), whole(retired)
    assert [e.tail for e in of(act, ours).entries if e.kind == "member"] == ["to"]
    assert [e.tail for e in of(act, theirs).entries if e.kind == "member"] == ["from"]
    assert late.correlation_id in {m.correlation_id for m in theirs}
    assert late.correlation_id not in {m.correlation_id for m in ours}, "what it was sent after it left is not ours"


def test_a_decision_says_why_and_by_whom_it_was_taken_back() -> None:
    (case,) = doubtful(1)
    shown = review(case.id)
    made = decisions.merge(
        case=case.id,
        customers=[s.customer for s in shown.sides],
        token=shown.token,
        act=Act("user:anna", "same person"),
    )
    customer = Customer.objects.get(active=True).id
    told = whole(customer)[0]
    assert told.correlation_id == made.id
    assert (told.actor, told.why) == ("user:anna", "same person")
    assert words(told)[:2] == ["Decided: one customer", "Verdict: a match"]
    decisions.undo(decision=made.id, act=Act("user:bea", "two people after all"))
    moments = whole(customer)
    assert (moments[0].actor, moments[0].entries[0].word) == ("user:bea", "Decision taken back")
    assert {"member", "version"} <= {e.kind for e in moments[0].entries}, "with what it brought about"
    (first,) = [m for m in moments if m.correlation_id == made.id]
    assert entry(first, "Decided: one customer").tag == "taken back by bea"
    assert entry(first, "Verdict: a match").tag == "no longer counts"


def test_records_kept_apart_as_relatives_are_told_on_both_sides() -> None:
    (case,) = doubtful(1)
    shown = review(case.id)
    ids = [s.customer for s in shown.sides]
    act = Act("user:anna", "father and son")
    decisions.link(case=case.id, customers=ids, kind="household", token=shown.token, act=act)
    for own, other in (ids, reversed(ids)):
        (told,) = [m for m in whole(own) if m.why == "father and son"]
        assert words(told) == [
            "Decided: linked without merging",
            "Verdict: no match",
            "Related: one household or family",
        ]
        relation = told.entries[2]
        assert relation.link is not None
        assert relation.link.arguments == (other,)
        assert relation.pairs == [(("crm", "P1"), ("erp", "P1"))] or relation.pairs == [(("erp", "P1"), ("crm", "P1"))]


def test_a_pin_and_its_lifting_say_who_and_why() -> None:
    sent("crm", person(1, website="a.example.org"))
    customer = at("crm:P1")
    pins.pin(customer=customer, attribute="website", value="https://b.example.org", act=Act("user:anna", "asked them"))
    pins.pin(customer=customer, attribute="website", value=None, act=Act("user:bea", "they moved"))
    lifted, pinned, _ = whole(customer)
    assert (pinned.actor, pinned.why, words(pinned)) == ("user:anna", "asked them", ["Pinned: website", "Version 2"])
    assert (lifted.actor, lifted.why, words(lifted)) == ("user:bea", "they moved", ["Pin lifted: website", "Version 3"])
    assert [c.after for c in pinned.entries[0].changes] == ["https://b.example.org"]
    assert [c.after for c in lifted.entries[0].changes] == [None]
    assert not [e for m in whole(customer) for e in m.entries if e.kind == "member" and e.system == "steward"]


@pytest.mark.parametrize(("approve", "word"), [(True, "Approved"), (False, "Rejected")])
def test_a_change_that_waits_and_what_was_decided(approve: bool, word: str) -> None:
    drafted = activate.draft(kind="ownership", body={"owners": {}}, note="", act=alice())
    activate.activate(policy=drafted.id, act=bob())
    take("crm", person(1, payment_terms="NET30"))
    act = sent("crm", person(1, payment_terms="NET60"), why="renegotiated")
    request = ChangeRequest.objects.get(state="open")
    decide_request(change_request=request.id, approve=approve, act=Act("user:bea", "seen the contract"))
    moments = whole(at("crm:P1"))
    waits = entry(of(act, moments), "Waits for approval: payment terms")
    assert [(c.before, c.after) for c in waits.changes] == [("NET30", "NET60")]
    assert waits.link is not None
    assert waits.link.arguments == (request.id,)
    decided = moments[0]
    assert (decided.actor, words(decided)[0]) == ("user:bea", f"{word}: payment terms")
    assert ("Version" in " ".join(words(decided))) is approve


def test_what_targets_were_told_stands_with_its_cause(tmp_path: Path) -> None:
    with outward.target("crm", tmp_path / "crm.db"):
        act = sent("erp", person(1))
        outward.settle()
        moments = whole(at("erp:P1"))
    told = entry(of(act, moments), "Made there")
    assert (told.kind, told.system, told.tag, told.tone) == ("delivery", "crm", "acknowledged", "good")
    assert told.tail.startswith("version 1, after ")
    assert told.link is not None
    assert told.link.page == "exception"


def test_notes_of_both_sides_are_told_and_a_removed_one_keeps_its_reason_alone() -> None:
    survivor, retired, _ = merged()
    notes.add(id=UUID(int=1), customer=survivor, body="Call before noon.", act=alice())
    notes.add(id=UUID(int=2), customer=retired, body="Secret.", act=bob())
    notes.remove(id=UUID(int=2), act=Act("user:carol", "does not belong here"))
    moments = whole(survivor, retired, kind="note")
    assert [(m.actor, words(m)) for m in moments] == [
        ("user:carol", ["Note removed"]), ("user:bob", ["Note written"]), ("user:alice", ["Note written"]),
    ]  # fmt: skip
    assert [m.entries[0].why for m in moments] == ["does not belong here", "", "Call before noon."]
    assert moments[1].entries[0].tag == "removed by carol"


def test_what_was_erased_by_law_is_still_told_without_its_values() -> None:
    for city in ("Ulm", "Bonn", "Kiel"):
        sent("crm", person(1, city=city))
    customer = at("crm:P1")
    with transaction.atomic():
        pipeline.execute("SET LOCAL session_replication_role = replica")
        pipeline.execute("UPDATE historical_customer SET salt = NULL, addresses = '[]' WHERE version = 2")
        pipeline.execute("UPDATE source_record_version SET raw = NULL, canonical = NULL, salt = NULL WHERE version = 2")
    told = {(e.kind, e.version): e for m in whole(customer) for e in m.entries}
    for kind in ("version", "record"):
        own = [told[kind, n] for n in (1, 2, 3)]
        assert [bool(e.changes) for e in own] == [True, False, False]
        assert [e.erased.partition(" ")[0] for e in own] == ["", "The", "What"]
    steward = browser("steward")
    assert "The values were erased." in text(steward.get(f"/customers/{customer}/history/"))


# ── pages and queries ───────────────────────────────────────────────────────────────────────────────────────────────
def test_pages_hold_every_entry_once_and_a_moment_is_never_torn() -> None:
    for n in range(PAGE + 15):
        sent("crm", person(1, city=f"City {n}"), why=f"call {n}")
    customer = at("crm:P1")
    page = timeline([customer])
    assert page.next is not None
    moments = whole(customer)
    assert [m.why for m in moments] == [f"call {n}" for n in reversed(range(PAGE + 15))]
    assert sum(len(m.entries) for m in moments) == sum(number for _, _, number in page.counts) == 2 * (PAGE + 15) + 1
    assert all(len(m.entries) >= 2 for m in moments)
    assert [number for number, _ in page.versions] == list(reversed(range(1, PAGE + 16)))


def test_what_comes_in_while_somebody_reads_shifts_nothing() -> None:
    for n in range(30):
        sent("crm", person(1, city=f"City {n}"), why=f"call {n}")
    customer = at("crm:P1")
    first = timeline([customer])
    sent("crm", person(1, city="Ulm"), why="late")
    second = timeline([customer], after=first.next or "")
    seen = [m.why for m in (*first.moments, *second.moments)]
    assert seen == [f"call {n}" for n in reversed(range(30))]


def test_one_act_that_did_very_much_is_told_in_parts() -> None:
    act = Act("client:loader", "all at once")
    for n in range(TOGETHER):
        take("crm", person(1, city=f"City {n}"), act=act)
    moments = whole(at("crm:P1"))
    assert {m.correlation_id for m in moments} == {act.correlation_id}
    assert all(len(m.entries) <= TOGETHER for m in moments)
    assert sum(len(m.entries) for m in moments) == 2 * TOGETHER + 1


def test_one_kind_alone_keeps_the_moment_it_belongs_to() -> None:
    survivor, retired, act = merged()
    for kind in KINDS:
        moments = whole(survivor, retired, kind=kind)
        assert {e.kind for m in moments for e in m.entries} <= {kind}
    told = of(act, whole(survivor, retired, kind="member"))
    assert (told.actor, told.why, words(told)) == ("user:alice", "alice says so", ["Came by a merge"])


@pytest.mark.parametrize(
    "cursor",
    ["nonsense", "\x00", cursors.encode(["x", "y"]), cursors.encode(["2026-01-01", "y"]), cursors.encode([1, 2])],
)
def test_a_forged_cursor_leads_to_the_first_page(cursor: str) -> None:
    sent("crm", person(1))
    customer = at("crm:P1")
    with pytest.raises(Rejected):
        timeline([customer], after=cursor)
    answer = browser("viewer").get(f"/customers/{customer}/history/?{urlencode({'after': cursor})}")
    assert answer["Location"] == f"/customers/{customer}/history/"


def test_the_number_of_queries_does_not_grow(django_assert_max_num_queries: Any, tmp_path: Path) -> None:
    with outward.target("crm", tmp_path / "crm.db"):
        survivor, retired, _ = merged()
        outward.settle()
    for n in range(12):
        sent("crm", person(1, city=f"City {n}"))
        sent("erp", person(2, city=f"Town {n}"))
        notes.add(id=UUID(int=n), customer=survivor, body=f"note {n}", act=alice())
        pins.pin(
            customer=survivor, attribute="website", value=f"https://{n}.example.org", act=Act("user:anna", "so it is")
        )
    with django_assert_max_num_queries(9), CaptureQueriesContext(connection) as spent:
        page = timeline([survivor, retired])
    assert {kind for kind, _, _ in page.counts} >= {
        "version",
        "record",
        "member",
        "decision",
        "pin",
        "delivery",
        "note",
    }
    assert len(spent) >= 4
    viewer = browser("viewer")
    with django_assert_max_num_queries(17):
        assert viewer.get(f"/customers/{survivor}/history/").status_code == 200


def test_every_kind_of_the_index_has_a_name() -> None:
    assert tuple(KINDS) == timeline_index.KINDS


# ── the page ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_page_narrows_by_chips_and_marks_what_is_of_a_retired_id() -> None:
    survivor, retired, act = merged()
    steward = browser("steward")
    seen = text(steward.get(f"/customers/{survivor}/history/"))
    assert "of the retired id" in seen
    assert f'data-copy="{act.correlation_id}"' in seen
    assert "As it stood here" in seen
    assert re.search(r'href="\?kind=member"', seen)
    narrowed = text(steward.get(f"/customers/{survivor}/history/?kind=member"))
    assert "Came by a merge" in narrowed
    assert "As it stood here" not in narrowed
    assert text(steward.get(f"/customers/{survivor}/history/?kind=dragon")).count("<strong>Version") >= 2
    own = text(steward.get(f"/customers/{retired}/history/"))
    assert "history of the retired id" in own
    assert f"/customers/{survivor}/history/" in own


def test_what_a_source_sent_is_shown_to_those_who_may_see_sources() -> None:
    sent("crm", person(1))
    sent("crm", person(1, city="Ulm"))
    address = f"/customers/{at('crm:P1')}/history/?kind=record"
    assert "Ulm" in text(browser("steward").get(address))
    viewer = text(browser("viewer").get(address))
    assert "Changed there" in viewer
    assert "Ulm" not in viewer
    assert "/records/" not in viewer


def test_names_and_reasons_from_outside_are_shown_safely() -> None:
    sent("crm", person(1, record_id="<b>1</b>"), why="<script>alert(1)</script>\u202e")
    sent("crm", person(1, record_id="<b>1</b>", city="<i>Ulm</i>"))
    seen = text(browser("steward").get(f"/customers/{at('crm:<b>1</b>')}/history/"))
    for forged in ("<script>alert", "<b>1</b>", "<i>Ulm", "\u202e"):
        assert forged not in seen
    assert "right-to-left override" in seen


def test_an_unknown_customer_is_not_found() -> None:
    for path in ("history/", "as-of/?at=2026-01-01T00:00", "notes/"):
        assert browser("viewer").get(f"/customers/{UUID(int=7)}/{path}").status_code == 404


def test_an_id_without_a_past_has_no_moments() -> None:
    empty = timeline([UUID(int=9)])
    assert (empty.moments, empty.counts, empty.versions, empty.next) == ([], [], [], None)
