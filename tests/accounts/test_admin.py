"""The administration pages: admins enter, set systems up, and cannot touch what is derived."""

import re
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.accounts.roles import PEOPLE
from apps.connectors.models import Connection, Mapping
from apps.connectors.secrets import read_secrets
from apps.customers.models import Customer, System
from apps.policies import active
from apps.policies.models import Policy
from tests.customers import given

pytestmark = pytest.mark.django_db

ANNA: dict[str, Any] = {
    "record_id": "1",
    "kind": "person",
    "given_name": "Anna",
    "family_name": "Müller",
    "city": "Berlin",
}
OURS = [
    m
    for m in admin.site._registry
    if m._meta.app_label in ("accounts", "customers", "matching", "connectors", "policies", "stewardship")
]
READ_ONLY = [
    "rebuildrun",
    "customer",
    "sourcerecord",
    "judgement",
    "edge",
    "quarantine",
    "run",
    "hold",
    "changerequest",
    "doubt",
    "relation",
    "case",
    "note",
    "decision",
    "matchmodel",
    "circuit",
    "golive",
    "outboundswitch",
    "delivery",
]


def enter(role: str = "admin", *, staff: bool = True, name: str = "") -> Client:
    user = User.objects.create(username=name or f"{role}-{staff}", roles=[role], is_staff=staff)
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.mark.parametrize("role", PEOPLE)
@pytest.mark.parametrize("staff", [True, False], ids=["staff", "not staff"])
def test_only_staff_with_the_role_admin_enters(role: str, staff: bool) -> None:
    client = enter(role, staff=staff)
    allowed = role == "admin" and staff
    assert (client.get("/admin/").status_code == 200) == allowed
    assert (client.get("/admin/customers/system/").status_code == 200) == allowed
    assert client.get("/admin/login/").status_code == (302 if allowed else 403)


def test_strangers_are_sent_to_the_hubs_own_login() -> None:
    response = Client().get("/admin/login/?next=/admin/customers/system/")
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("account_login"))


def test_a_superuser_without_the_role_stays_out() -> None:
    user = User.objects.create(username="root", is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get("/admin/customers/system/").status_code in (302, 403)


@pytest.mark.parametrize("model", OURS, ids=lambda m: m._meta.model_name)
def test_every_list_opens_with_few_queries(model: Any, django_assert_max_num_queries: Any) -> None:
    given.customers([("crm", ANNA)], [("erp", {**ANNA, "record_id": "2"})])
    client = enter()
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    with django_assert_max_num_queries(12):
        assert client.get(url).status_code == 200
    assert client.get(url, {"q": "x"}).status_code == 200


@pytest.mark.parametrize("model", OURS, ids=lambda m: m._meta.model_name)
def test_nothing_is_deleted_and_derived_things_are_not_made(model: Any) -> None:
    client = enter()
    name = f"{model._meta.app_label}_{model._meta.model_name}"
    added = client.get(reverse(f"admin:{name}_add")).status_code
    assert added == (403 if model._meta.model_name in READ_ONLY or model._meta.model_name == "fielddrift" else 200)
    given.customer(("crm", ANNA))
    row = model.objects.first()
    if row is not None:
        assert client.get(reverse(f"admin:{name}_delete", args=[row.pk])).status_code == 403
        assert client.get(reverse(f"admin:{name}_change", args=[row.pk])).status_code == 200


def test_a_customer_is_shown_with_a_way_to_its_page_and_not_changed() -> None:
    id_ = given.customer(("crm", ANNA))
    client = enter()
    url = reverse("admin:customers_customer_change", args=[id_])
    page = client.get(url)
    assert f'href="/customers/{id_}/"' in page.content.decode()
    assert client.post(url, {"name": "Somebody Else"}).status_code == 403
    assert Customer.objects.get(id=id_).name == "Anna Müller"
    listed = client.get(reverse("admin:customers_customer_changelist"), {"q": "muler"})
    assert "Anna Müller" in listed.content.decode()


def test_a_system_is_set_up_and_keeps_its_code() -> None:
    client = enter()
    form = {"code": "crm2", "name": "CRM two", "kind": "crm", "region": "", "trust": 60, "delete_policy": "keep",
    "record_url": "",
            "is_active": "on"}  # fmt: skip
    assert client.post(reverse("admin:customers_system_add"), form).status_code == 302
    system = System.objects.get(code="crm2")
    url = reverse("admin:customers_system_change", args=[system.pk])
    assert client.post(url, {**form, "code": "other", "trust": 70}).status_code == 302
    system.refresh_from_db()
    assert (system.code, system.trust) == ("crm2", 70)
    bad = client.post(reverse("admin:customers_system_add"), {**form, "code": "Not A Code"})
    assert bad.status_code == 200
    assert "errorlist" in bad.content.decode()


def test_a_policy_needs_two_people() -> None:
    author = enter(name="ann")
    body = active.shipped("approval")
    url = reverse("admin:policies_policy_add")
    wrong = author.post(url, {"kind": "approval", "body": '{"protected": ["nonsense"]}', "note": ""})
    assert wrong.status_code == 200
    assert "nonsense" in wrong.content.decode()
    assert author.post(url, {"kind": "approval", "body": '{"protected": 5}', "note": ""}).status_code == 200
    assert author.post(url, {"kind": "approval", "body": '{"protected": ["name"]}', "note": "names"}).status_code == 302
    row = Policy.objects.get()
    assert (row.version, row.author, row.state) == (1, "user:ann", "draft")
    action = {"action": "put_into_force", "_selected_action": [str(row.id)]}
    listing = reverse("admin:policies_policy_changelist")
    author.post(listing, action)
    assert active.active("approval").version == 0
    enter(name="bob").post(listing, action)
    assert active.active("approval").version == 1
    assert active.active("approval").rules.protected == ("name",)
    assert body["protected"] != ["name"]


def test_a_webhook_secret_is_shown_once() -> None:
    connection = Connection.objects.create(system=given.system("crm"), name="crm-events")
    client = enter()
    listing = reverse("admin:connectors_connection_changelist")
    shown = client.post(listing, {"action": "new_secret", "_selected_action": [str(connection.pk)]}, follow=True)
    secret = re.search(r"whsec_[A-Za-z0-9+/=]+", shown.content.decode())
    connection.refresh_from_db()
    assert secret is not None
    assert read_secrets(connection) == [secret[0]]
    page = client.get(reverse("admin:connectors_connection_change", args=[connection.pk])).content.decode()
    assert secret[0] not in page
    assert secret[0] not in client.get(listing).content.decode()


def test_a_mapping_is_checked_and_versioned() -> None:
    system = given.system("crm")
    client = enter()
    url = reverse("admin:connectors_mapping_add")

    def add(body: str) -> str:
        return client.post(url, {"system": system.pk, "name": "main", "body": body}).content.decode()

    assert "emial" in add('{"columns": {"emial": "E-Mail"}}')
    assert "JSON object" in add("[1]")
    add('{"columns": {"record_id": "Nr"}}')
    add('{"columns": {"record_id": "Nr", "email": "E-Mail"}}')
    assert list(Mapping.objects.order_by("version").values_list("version", "created_by")) == [
        (1, "user:admin-True"),
        (2, "user:admin-True"),
    ]


def test_people_are_made_with_roles_and_machines_are_left_alone() -> None:
    client = enter()
    form = {"username": "sue", "email": "", "usable_password": "true", "password1": "correct horse battery",
    "password2": "correct horse battery",
            "roles": ["steward", "viewer"]}  # fmt: skip
    response = client.post(reverse("admin:accounts_user_add"), form)
    assert response.status_code == 302, response.content
    assert User.objects.get(username="sue").roles == ["steward", "viewer"]
    machine = User.objects.create(username="client.x", roles=["service"])
    url = reverse("admin:accounts_user_change", args=[machine.pk])
    client.post(url, {"roles": ["admin"], "is_staff": "on", "time_zone": "UTC", "systems": ""})
    machine.refresh_from_db()
    assert (machine.roles, machine.is_staff) == (["service"], False)
