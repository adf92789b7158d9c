"""The quarantine desk in the browser: find, mend, send through, discard."""

from uuid import UUID, uuid4

import pytest
from django.contrib.messages import get_messages

from apps.customers.models import Quarantine
from apps.stewardship.mending import mended, mending
from tests import pipeline
from tests.stewardship.given import ANNA, browser, text

pytestmark = pytest.mark.django_db
BAD = {**ANNA, "record_id": "C-5", "birth_date": "1990-02-31", "country": "Atlantis", "shoe_size": "44"}


@pytest.fixture
def row() -> UUID:
    pipeline.systems()
    outcome = pipeline.take("crm", BAD)[0]
    assert outcome.quarantine is not None
    return outcome.quarantine


def form(row: UUID, **changes: str) -> dict[str, str]:
    """What the browser sends when the form is changed in these fields."""
    shown = mending(Quarantine.objects.get(id=row))
    return {f"field:{f.name}": f.value for f in shown.fields} | {
        f"field:{name}": value for name, value in changes.items()
    }


def test_the_form_shows_each_problem_at_its_field(row: UUID) -> None:
    shown = mending(Quarantine.objects.get(id=row))
    assert {f.name for f in shown.fields if f.problems} == {"birth_date", "country"}
    assert shown.fields[0].problems
    assert shown.unmapped == {"shoe_size": "44"}
    seen = text(browser("steward").get(f"/quarantine/{row}/"))
    assert 'aria-invalid="true"' in seen
    assert "Atlantis" in seen


def test_a_mended_record_goes_through_to_its_customer(row: UUID) -> None:
    answer = browser("steward").post(f"/quarantine/{row}/", form(row, birth_date="1990-02-28", country="DE"))
    customer = pipeline.where()["crm:C-5"]
    assert answer["Location"] == f"/customers/{customer}/"
    kept = Quarantine.objects.get(id=row)
    assert (kept.state, kept.resolved_by) == ("resubmitted", "user:steward")
    assert "1990-02-31" in str(kept.raw)


def test_what_is_still_wrong_comes_back_with_what_was_typed(row: UUID) -> None:
    answer = browser("steward").post(f"/quarantine/{row}/", form(row, birth_date="yesterday", country="DE"))
    assert answer.status_code == 200
    seen = text(answer)
    assert 'value="yesterday"' in seen
    assert "still cannot be taken in" in seen
    assert Quarantine.objects.get(id=row).state == "open"
    assert pipeline.where() == {}


def test_a_record_settled_meanwhile_is_told_so(row: UUID) -> None:
    first, second = browser("steward"), browser("integrator")
    sent = form(row, birth_date="1990-02-28", country="DE")
    first.post(f"/quarantine/{row}/", sent)
    answer = second.post(f"/quarantine/{row}/", sent)
    assert answer["Location"] == f"/quarantine/{row}/"
    assert "resubmitted already by user:steward" in str([str(m) for m in get_messages(answer.wsgi_request)])
    assert "Send through" not in text(second.get(f"/quarantine/{row}/"))


def test_a_discarded_record_keeps_its_reason(row: UUID) -> None:
    steward = browser("steward")
    steward.post(f"/quarantine/{row}/discard/", {"reason": "  "})
    assert Quarantine.objects.get(id=row).state == "open"
    steward.post(f"/quarantine/{row}/discard/", {"reason": "a test account"})
    assert "a test account" in text(steward.get(f"/quarantine/{row}/"))
    assert Quarantine.objects.get(id=row).state == "discarded"


def test_many_are_discarded_at_once_and_the_others_counted() -> None:
    pipeline.systems()
    rows = [o.quarantine for o in pipeline.take("crm", *({**BAD, "record_id": f"C-{n}"} for n in range(4)))]
    steward = browser("steward")
    steward.post(f"/quarantine/{rows[0]}/discard/", {"reason": "mine"})
    answer = steward.post(
        "/quarantine/discard/",
        {"chosen": [*map(str, rows[:3]), "forged", str(uuid4())], "reason": "junk", "back": "/quarantine/?cause=x"},
    )
    assert answer["Location"] == "/quarantine/?cause=x"
    assert "2 discarded. 2 had been settled" in str([str(m) for m in get_messages(answer.wsgi_request)])
    assert Quarantine.objects.filter(state="open").count() == 1


@pytest.mark.parametrize(
    "back", ["https://evil.example/", "//evil.example", "javascript:alert(1)"], ids=["full", "bare", "script"]
)
def test_a_forged_way_back_is_not_taken(row: UUID, back: str) -> None:
    answer = browser("steward").post("/quarantine/discard/", {"chosen": [str(row)], "reason": "junk", "back": back})
    assert answer["Location"] == "/quarantine/"


def test_filters_narrow_the_list(row: UUID) -> None:
    steward = browser("steward")
    assert "C-5" in text(steward.get("/quarantine/?system=crm&cause=unknown_value")) or "C-5" in text(
        steward.get("/quarantine/?system=crm")
    )
    for query in ("system=erp", "cause=no_such_cause", "state=discarded", f"run={uuid4()}"):
        assert "C-5" not in text(steward.get(f"/quarantine/?{query}"))
    assert "C-5" in text(steward.get("/quarantine/?state=dragon&run=nonsense&after=nonsense"))


def test_a_field_that_was_never_there_stays_absent_and_an_emptied_one_is_empty(row: UUID) -> None:
    kept = Quarantine.objects.get(id=row)
    fixed = mended(kept, {**form(row, birth_date="", country="DE"), "field:phone": ""})
    assert fixed["birth_date"] == ""
    assert "phone" not in fixed
    assert fixed["record_id"] == "C-5"
    assert "shoe_size" not in fixed


def test_lists_are_mended_as_json() -> None:
    pipeline.systems()
    rich = {
        "record_id": "C-8",
        "kind": "person",
        "name": "X Y",
        "addresses": [{"line1": "Weg 1", "country": "Atlantis"}],
    }
    row = pipeline.take("crm", rich)[0].quarantine
    assert row is not None
    steward = browser("steward")
    answer = steward.post(f"/quarantine/{row}/", form(row, addresses="[{"))
    assert answer.status_code == 200
    assert "no readable JSON" in text(answer)
    steward.post(f"/quarantine/{row}/", form(row, addresses='[{"line1": "Weg 1", "country": "DE"}]'))
    assert "crm:C-8" in pipeline.where()


def test_a_payload_that_cannot_be_read_is_shown_whole_and_can_be_typed_anew() -> None:
    pipeline.systems()
    row = pipeline.take("crm", BAD)[0].quarantine
    pipeline.query("SELECT 1")
    kept = Quarantine.objects.get(id=row)
    kept.raw = "K-1;;Herr;\u202eX"
    shown = mending(kept)
    assert {f.name for f in shown.fields} >= {"record_id", "name"}
    assert mended(kept, {"field:record_id": "K-1", "field:name": "Herr X"}) == {"record_id": "K-1", "name": "Herr X"}
