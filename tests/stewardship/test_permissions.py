"""Every page is guarded, opens for the roles of the table and for nobody else, and says so in the right way."""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import URLPattern

from apps.accounts.roles import OPERATIONS, PEOPLE
from apps.stewardship import urls
from apps.stewardship.permissions import zone_of
from tests import pipeline
from tests.stewardship.given import anna, browser, text

PATTERNS = [p for p in urls.urlpatterns if isinstance(p, URLPattern)]


def address(pattern: URLPattern, some: str = "") -> str:
    """An address of the pattern; ids are `some`, or made up, and so are codes of systems; the attribute is one that there is."""
    path = re.sub(r"<uuid:\w+>", some or str(uuid4()), str(pattern.pattern))
    return "/" + path.replace("<slug:code>", "nowhere").replace("<slug:attribute>", "website")


def guard(pattern: URLPattern) -> tuple[str, str | None]:
    """The operations that the page needs: for looking at it, and for sending its form."""
    view: Any = pattern.callback
    operation, post = view.hub_page
    return operation, post


@pytest.mark.parametrize("pattern", PATTERNS, ids=[str(p.name) for p in PATTERNS])
def test_every_view_is_guarded_by_a_known_operation(pattern: URLPattern) -> None:
    operation, post = guard(pattern)
    assert operation in OPERATIONS or pattern.name == "preferences"
    assert post is None or post in OPERATIONS


@pytest.mark.django_db
@pytest.mark.parametrize("pattern", PATTERNS, ids=[str(p.name) for p in PATTERNS])
def test_without_a_login_nothing_opens(pattern: URLPattern) -> None:
    for method in ("get", "post"):
        answer = getattr(Client(), method)(address(pattern))
        assert answer.status_code == 302
        assert answer["Location"].startswith("/accounts/login/?next=/")


@pytest.mark.django_db
@pytest.mark.parametrize("role", PEOPLE)
def test_a_page_opens_for_the_roles_of_the_table_only(role: str) -> None:
    customer = anna()
    run = uuid4()
    for pattern in PATTERNS:
        operation, post = guard(pattern)
        shown = str(customer) if "customers/" in str(pattern.pattern) else str(run)
        method, needed = (
            ("post", post) if operation == post and "new" not in str(pattern.pattern) else ("get", operation)
        )
        answer = getattr(browser(role), method)(address(pattern, shown))
        may = needed is None or role in OPERATIONS[needed].roles
        assert (answer.status_code == 403) is not may, f"{role} {method} {pattern.name}: {answer.status_code}"


@pytest.mark.django_db
def test_who_may_look_may_not_therefore_write() -> None:
    pipeline.systems()
    pipeline.take("crm", {"record_id": "C-9", "kind": "person", "name": "X", "birth_date": "1990-02-31"})
    row = pipeline.one("SELECT id FROM quarantine")
    approver = browser("approver")
    assert approver.get(f"/quarantine/{row}/").status_code == 200
    assert approver.post(f"/quarantine/{row}/", {"field:birth_date": "1990-02-28"}).status_code == 403
    assert approver.post(f"/quarantine/{row}/discard/", {"reason": "no"}).status_code == 403
    assert pipeline.one("SELECT state FROM quarantine") == "open"


@pytest.mark.django_db
def test_a_part_asked_for_without_a_session_sends_the_whole_page_to_the_login() -> None:
    answer = Client().get(f"/imports/{uuid4()}/progress/", headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Redirect"]) == (204, "/accounts/login/")


@pytest.mark.django_db
def test_what_may_not_be_sent_is_refused_by_method() -> None:
    assert browser("viewer").post("/customers/").status_code == 405
    assert browser("admin").get("/quarantine/discard/").status_code == 405


@pytest.mark.django_db
def test_what_is_not_there_is_a_page_and_not_an_error() -> None:
    for path in (
        f"/customers/{uuid4()}/",
        f"/quarantine/{uuid4()}/",
        f"/imports/{uuid4()}/",
        f"/imports/new/{uuid4()}/",
    ):
        answer = browser("admin").get(path)
        assert answer.status_code == 404
        assert "Nothing here" in text(answer)


@pytest.mark.django_db
def test_what_one_may_not_do_is_not_offered() -> None:
    anna()
    seen = text(browser("viewer").get("/"))
    assert "Customers" in seen
    assert "/quarantine/" not in re.findall(r'data-go="\w" href="([^"]+)"|href="([^"]+)" data-go', seen)
    assert 'href="/imports/new/"' not in seen
    assert 'href="/imports/new/"' in text(browser("integrator").get("/"))


def test_a_time_zone_nobody_knows_is_utc() -> None:
    class Somebody:
        time_zone = "../../etc/passwd"

    assert str(zone_of(Somebody())) == "UTC"
