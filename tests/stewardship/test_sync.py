"""The sync monitor and a target's page over Django's own client: who sees what, who decides, and what a stale page is told."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from apps.connectors import queries, sandbox
from apps.connectors.models import Connection, Delivery, GoLive, OutboundSwitch
from apps.connectors.sandbox.running import Far
from tests import outward, pipeline
from tests.stewardship.given import browser, page_text

pytestmark = pytest.mark.django_db(transaction=True)
MOST_QUERIES = 15
LOOKS = ("viewer", "steward", "approver", "integrator", "admin")


@pytest.fixture(autouse=True)
def _clean() -> None:
    pipeline.empty()


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    with sandbox.running("crm", data=tmp_path_factory.mktemp("far") / "crm.db") as running:
        yield running


def observing(far: Far, customers: int = 1) -> Connection:
    """A CRM that observes, with a plan to create some customers."""
    far.empty()
    far.faults()
    made = outward.connect("crm", far, live=False)
    outward.policy(crm={"creates": ["person", "organization"]})
    pipeline.take("erp", *(pipeline.person(n, payment_terms="NET30", city="Ulm") for n in range(customers)))
    outward.settle()
    return made


def said(answer: Any) -> str:
    return " ".join(str(m) for m in get_messages(answer.wsgi_request))


def asked(made: Connection) -> GoLive:
    """The request that the integrator makes on the page."""
    browser("integrator").post("/sync/crm/go-live/", {"reason": "checked the samples"})
    return GoLive.objects.get(connection=made)


def test_without_a_target_the_page_says_how_to_connect_one() -> None:
    seen = page_text(browser("integrator").get("/sync/"))
    assert "No target is connected" in seen
    assert "manage.py connect" in seen
    assert "manage.py connect" not in page_text(browser("viewer").get("/sync/"))
    assert browser("viewer").get("/sync/crm/").status_code == 404


@pytest.mark.parametrize("role", LOOKS)
def test_everybody_sees_how_targets_are_doing(far: Far, role: str) -> None:
    observing(far, 2)
    user = browser(role)
    seen = page_text(user.get("/sync/"))
    assert "observing" in seen
    assert '<a id="p-crm" href="/sync/crm/#plan">2</a>' in seen
    seen = page_text(user.get("/sync/crm/"))
    assert "What would be sent" in seen
    assert ("Ask to go live" in seen) is (role in ("integrator", "admin"))
    assert ("Plan again" in seen) is (role in ("integrator", "admin"))
    assert ("Stop everything" in page_text(user.get("/sync/"))) is (role in ("integrator", "approver", "admin"))


@pytest.mark.parametrize("role", ["viewer", "steward"])
def test_who_may_only_look_changes_nothing(far: Far, role: str) -> None:
    made = observing(far)
    user = browser(role)
    for path in ("pause/", "resume/", "plan/", "go-live/", f"go-live/{uuid4()}/"):
        assert user.post(f"/sync/crm/{path}", {"reason": "because"}).status_code == 403
    assert user.post("/sync/", {"action": "stop", "reason": "because"}).status_code == 403
    assert not GoLive.objects.filter(connection=made).exists()
    assert not queries.switch_state().stopped


def test_the_plan_is_shown_field_by_field_and_by_step(far: Far) -> None:
    observing(far, 3)
    viewer = browser("viewer")
    seen = page_text(viewer.get("/sync/crm/?op=create"))
    assert seen.count('<span class="now">') >= 3
    assert "Ulm" in seen
    birth = pipeline.person(0)["birth_date"]
    assert birth not in seen
    assert f"•••{birth[-2:]}" in seen
    assert "No such step is planned" in page_text(viewer.get("/sync/crm/?op=merge"))
    assert "What would be sent" in page_text(
        viewer.get("/sync/crm/?op=dragon&from=nonsense&after=nonsense&state=dragon")
    )


def test_the_plan_goes_on_from_page_to_page(far: Far) -> None:
    observing(far, 25)
    viewer = browser("viewer")
    first = page_text(viewer.get("/sync/crm/"))
    following = first.split("from=")[1].split("#")[0].split("&")[0]
    second = page_text(viewer.get(f"/sync/crm/?from={following}"))
    assert first.count("<li data-row>") == 20
    assert second.count("<li data-row>") == 5


def test_the_author_does_not_decide_and_is_told_why(far: Far) -> None:
    made = observing(far)
    request = asked(made)
    assert (request.author, request.state) == ("user:integrator", "open")
    assert "An approver or an administrator decides" in page_text(browser("steward").get("/sync/crm/"))
    seen = page_text(browser("integrator").get("/sync/crm/"))
    assert "Ask to go live" not in seen
    assert "You asked for it, so somebody else has to decide" in seen
    admin = browser("admin")
    GoLive.objects.filter(id=request.id).update(author="user:admin")
    seen = page_text(admin.get("/sync/crm/"))
    assert "You asked for it, so somebody else has to decide" in seen
    assert "Approve" not in seen
    answer = admin.post(f"/sync/crm/go-live/{request.id}/", {"action": "approve"})
    assert "A second person has to decide" in said(answer)
    assert GoLive.objects.get().state == "open"


def test_a_second_person_takes_it_live_once(far: Far) -> None:
    made = observing(far)
    request = asked(made)
    approver = browser("approver")
    assert "Approve" in page_text(approver.get("/sync/crm/"))
    assert "is live" in said(approver.post(f"/sync/crm/go-live/{request.id}/", {"action": "approve"}))
    assert "decided already" in said(approver.post(f"/sync/crm/go-live/{request.id}/", {"action": "approve"}))
    assert Connection.objects.get(id=made.id).mode == "live"
    outward.settle()
    assert len(far.records()) == 1
    seen = page_text(approver.get("/sync/crm/?state=done"))
    assert "acknowledged" in seen
    assert "None is failed" in page_text(approver.get("/sync/crm/?state=failed"))


def test_a_rejection_needs_a_reason_and_leaves_it_observing(far: Far) -> None:
    made = observing(far)
    request = asked(made)
    approver = browser("approver")
    assert "Say why not" in said(approver.post(f"/sync/crm/go-live/{request.id}/", {"action": "reject"}))
    approver.post(f"/sync/crm/go-live/{request.id}/", {"action": "reject", "reason": "too many creates"})
    assert GoLive.objects.get().state == "rejected"
    assert Connection.objects.get(id=made.id).mode == "observe"
    assert far.records() == []


@pytest.mark.parametrize("action", ["", "dragon"], ids=["empty", "forged"])
def test_only_the_word_approve_approves(far: Far, action: str) -> None:
    made = observing(far)
    request = asked(made)
    browser("approver").post(f"/sync/crm/go-live/{request.id}/", {"action": action, "reason": "x"})
    assert Connection.objects.get(id=made.id).mode == "observe"


def test_asking_needs_a_reason_and_happens_once(far: Far) -> None:
    observing(far)
    integrator = browser("integrator")
    assert "Say why" in said(integrator.post("/sync/crm/go-live/", {"reason": "  "}))
    integrator.post("/sync/crm/go-live/", {"reason": "checked"})
    assert "asked already" in said(integrator.post("/sync/crm/go-live/", {"reason": "checked"}))
    assert GoLive.objects.count() == 1


def live(far: Far) -> Connection:
    far.empty()
    far.faults()
    made = outward.connect("crm", far)
    outward.policy(crm={"creates": ["person", "organization"]})
    return made


def test_a_pause_says_why_by_whom_and_holds_everything_up(far: Far) -> None:
    live(far)
    integrator = browser("integrator")
    assert "Say why" in said(integrator.post("/sync/crm/pause/", {"reason": ""}))
    integrator.post("/sync/crm/pause/", {"reason": "CRM release tonight"})
    assert "not live" in said(integrator.post("/sync/crm/pause/", {"reason": "twice"}))
    pipeline.take("erp", pipeline.person(1))
    outward.settle()
    for path in ("/sync/", "/sync/crm/"):
        seen = page_text(browser("viewer").get(path))
        assert "CRM release tonight" in seen
        assert "Paused by integrator" in seen
    assert far.records() == []
    integrator.post("/sync/crm/resume/", {"guard_hours": "4"})
    assert "not paused" in said(integrator.post("/sync/crm/resume/", {}))
    assert pipeline.one("SELECT guard_lifted_until > clock_timestamp() + interval '3 hours' FROM circuit")
    outward.settle()
    assert len(far.records()) == 1


def test_forged_guard_hours_lift_nothing(far: Far) -> None:
    live(far)
    integrator = browser("integrator")
    integrator.post("/sync/crm/pause/", {"reason": "a look"})
    integrator.post("/sync/crm/resume/", {"guard_hours": "876000"})
    assert Connection.objects.get().mode == "live"
    assert pipeline.one("SELECT guard_lifted_until FROM circuit") is None


def test_one_switch_stops_everything_and_every_page_says_so(far: Far) -> None:
    live(far)
    admin = browser("admin")
    assert "Say why" in said(admin.post("/sync/", {"action": "stop", "reason": ""}))
    admin.post("/sync/", {"action": "stop", "reason": "wrong merge found"})
    pipeline.take("erp", pipeline.person(1))
    outward.settle()
    assert far.records() == []
    for path in ("/sync/", "/sync/crm/", "/exceptions/"):
        seen = page_text(browser("viewer").get(path))
        assert "Nothing leaves the hub" in seen
        assert "wrong merge found" in seen
        assert "Tell targets again" not in seen
    assert "everything stopped" in page_text(admin.get("/"))
    assert "Tell targets again" in page_text(admin.get("/exceptions/"))
    admin.post("/sync/", {"action": "start"})
    assert not OutboundSwitch.objects.get().stopped
    outward.settle()
    assert len(far.records()) == 1


def refreshed(client: Client, path: str, seen: str) -> Any:
    return client.get(path, {"seen": seen}, headers={"HX-Request": "true"})


def test_numbers_come_alone_until_the_forms_of_the_page_are_stale(far: Far) -> None:
    live(far)
    viewer = browser("viewer")
    for path in ("/sync/", "/sync/crm/"):
        shape = viewer.get(path).context["seen"]
        part = refreshed(viewer, path, shape)
        assert 'id="now-crm" hx-swap-oob="true"' in page_text(part)
        assert "<html" not in page_text(part)
        assert "<form" not in page_text(part)
        browser("admin").post("/sync/crm/pause/", {"reason": "a look"})
        stale = refreshed(viewer, path, shape)
        assert (stale.status_code, stale["HX-Refresh"]) == (204, "true")
        browser("admin").post("/sync/crm/resume/")


def test_planning_again_asks_for_every_customer(far: Far) -> None:
    observing(far, 2)
    assert "2 customers are worked out again" in said(browser("integrator").post("/sync/crm/plan/"))
    assert pipeline.one("SELECT count(*) FROM plan_due") == 2


def test_pages_keep_their_number_of_queries(far: Far, django_assert_max_num_queries: Any) -> None:
    observing(far, 25)
    viewer = browser("viewer")
    for path in ("/", "/sync/", "/sync/crm/", "/sync/crm/?state=planned", "/exceptions/"):
        with django_assert_max_num_queries(MOST_QUERIES):
            assert viewer.get(path).status_code == 200


def test_a_document_that_cannot_be_used_is_said(far: Far) -> None:
    made = live(far)
    made.settings = {**made.settings, "document": {"connection": {"adapter": "rest"}}}
    made.save(update_fields=("settings",))
    assert "Its set-up cannot be used" in page_text(browser("viewer").get("/sync/"))


def test_the_first_page_sums_it_up(far: Far) -> None:
    live(far)
    far.faults(auth_off=True)
    pipeline.take("erp", pipeline.person(1))
    outward.settle()
    (health,) = queries.monitor()
    assert (health.mode, health.waiting) == ("paused", 1)
    seen = page_text(browser("viewer").get("/"))
    assert "1 paused" in seen
    assert "credentials are refused" in page_text(browser("viewer").get("/sync/"))


def customer_of(made: Connection) -> Any:
    return Delivery.objects.filter(connection=made).values_list("customer_id", flat=True).first()


def test_the_distribution_tab_says_what_each_target_holds(far: Far) -> None:
    made = observing(far)
    page = f"/customers/{customer_of(made)}/distribution/"
    viewer = browser("viewer")
    seen = page_text(viewer.get(page))
    assert "not there" in seen
    assert "it would be made there once it is live" in seen
    browser("approver").post(f"/sync/crm/go-live/{asked(made).id}/", {"action": "approve"})
    outward.settle()
    seen = page_text(viewer.get(page))
    assert "It holds all it should" in seen
    assert far.records()[0]["Id"] in seen
    assert "version 1 acknowledged" in seen
    far.edit(far.records()[0]["Id"], {"BillingCity": "Bonn"})
    outward.poll_all()
    seen = page_text(viewer.get(page))
    assert "What differs" in seen
    assert "Ulm" in seen


def test_a_customer_without_targets_has_nowhere_to_go() -> None:
    pipeline.systems()
    customer = pipeline.customer_of("erp", pipeline.person(1))
    assert "No target is connected" in page_text(browser("viewer").get(f"/customers/{customer}/distribution/"))


def test_an_initial_load_says_that_nobody_is_told(far: Far) -> None:
    from apps.connectors.models import Run

    run = Run.objects.create(
        kind="file", system=pipeline.systems()["crm"], state="succeeded", file_name="crm.csv", actor="user:anna",
        options={"quiet": True}, counts={"read": 1, "created": 1}, correlation_id=uuid4(),
    )  # fmt: skip
    assert f"manage.py release --run {run.id}" in page_text(browser("steward").get(f"/imports/{run.id}/"))
    assert "initial load" in page_text(browser("steward").get("/imports/"))
