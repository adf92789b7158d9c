"""Views that people keep of the inbox and of the search: their own, replaced by name, taken away."""

import re

import pytest
from django.contrib.messages import get_messages

from apps.accounts.models import User
from apps.common.errors import NotFound, Rejected
from apps.stewardship import saved
from apps.stewardship.models import SavedView
from tests import pipeline
from tests.stewardship.given import browser, text

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hub() -> None:
    pipeline.systems()


@pytest.fixture
def anna() -> User:
    return User.objects.create(username="anna", roles=["steward"])


def test_a_view_is_kept_opened_and_taken_away_on_the_page() -> None:
    steward = browser("steward")
    answer = steward.post(
        "/views/keep/", {"page": "inbox", "name": "  My  matches ", "query": "?whose=mine&kind=match&skip=50&cause="}
    )
    assert answer.headers["Location"] == "/inbox/?whose=mine&kind=match"
    page = text(steward.get("/inbox/?whose=mine&kind=match"))
    assert "My matches" in page
    assert "This view…" in page
    assert "Keep this view…" in text(steward.get("/inbox/?whose=team"))
    assert "My matches" not in text(browser("approver").get("/inbox/?whose=mine&kind=match")), "views are one's own"
    view = re.search(r'name="view" value="([0-9a-f-]+)"', page)
    assert view is not None
    assert browser("approver").post("/views/forget/", {"view": view[1]}).status_code == 404
    assert steward.post("/views/forget/", {"view": view[1]}).headers["Location"] == "/inbox/"
    assert SavedView.objects.count() == 0


def test_the_same_name_again_is_the_same_view(anna: User) -> None:
    for query in ("kind=match", "kind=change"):
        saved.keep(owner=anna, page="inbox", name="mine", query=query)
    saved.keep(owner=anna, page="customers", name="mine", query="q=Kestrel")
    assert [(v.page, v.query) for v in SavedView.objects.order_by("page")] == [
        ("customers", "q=Kestrel"),
        ("inbox", "kind=change"),
    ]


@pytest.mark.parametrize(
    ("page", "name", "query"),
    [("nowhere", "x", ""), ("inbox", " ", ""), ("inbox", "x" * 61, ""), ("inbox", "a\u202eb", ""), ("inbox", "a\0b", ""), ("inbox", "x", f"q={'y' * 3_000}")],
)  # fmt: skip
def test_what_cannot_be_a_view_is_refused(page: str, name: str, query: str, anna: User) -> None:
    with pytest.raises(Rejected):
        saved.keep(owner=anna, page=page, name=name, query=query)
    assert SavedView.objects.count() == 0


def test_nobody_keeps_more_than_can_be_seen(anna: User) -> None:
    for n in range(saved.MOST):
        saved.keep(owner=anna, page="inbox", name=f"view {n}", query=f"cause={n}")
    with pytest.raises(Rejected, match="take one away"):
        saved.keep(owner=anna, page="inbox", name="one more", query="")
    saved.keep(owner=anna, page="inbox", name="view 3", query="cause=other")
    with pytest.raises(NotFound):
        saved.forget(owner=User.objects.create(username="bea"), view=SavedView.objects.all()[0].id)


def test_forged_forms_do_nothing() -> None:
    steward = browser("steward")
    assert steward.post("/views/keep/", {"page": "../admin", "name": "x"}).status_code == 404
    assert steward.post("/views/forget/", {"view": "nonsense"}).status_code == 404
    assert steward.get("/views/keep/").status_code == 405
    answer = steward.post("/views/keep/", {"page": "inbox", "name": ""})
    assert "name of 1 to 60" in " ".join(str(m) for m in get_messages(answer.wsgi_request))
    assert SavedView.objects.count() == 0
