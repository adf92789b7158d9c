"""Targets and deliveries in the administration pages: shown, never changed there."""

from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.connectors import connections
from apps.connectors.models import Connection, Delivery
from tests import outward, pipeline

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def admin() -> Client:
    pipeline.empty()
    user = User.objects.create(username="root-of-sync", roles=["admin"], is_staff=True)
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_no_form_takes_a_target_live(admin: Client, tmp_path: Path) -> None:
    with outward.target("crm", tmp_path / "crm.db", live=False) as (far, made):
        url = reverse("admin:connectors_connection_change", args=[made.pk])
        page = admin.get(url).content.decode()
        assert far.key not in page
        assert (
            admin.post(url, {"mode": "live", "adapter": "file", "name": "Other", "settings": "{}"}).status_code == 302
        )
        before = (made.mode, made.adapter, made.name, made.settings)
        made.refresh_from_db()
        assert (made.mode, made.adapter, made.name, made.settings) == before


def test_deliveries_are_shown_masked_and_not_changed(admin: Client, tmp_path: Path) -> None:
    with outward.target("crm", tmp_path / "crm.db") as (_, made):
        pipeline.take("erp", pipeline.person(1, birth_date="1980-02-29", given_name="<b>Bo</b>", city="Ulm"))
        outward.settle()
        connections.switch(stopped=True, act=outward.ALICE)
        row = Delivery.objects.get()
        for name, pk in (
            ("delivery", row.pk),
            ("circuit", made.pk),
            ("golive", made.go_lives.get().pk),
            ("outboundswitch", 1),
        ):
            assert admin.get(reverse(f"admin:connectors_{name}_changelist")).status_code == 200, name
            url = reverse(f"admin:connectors_{name}_change", args=[pk])
            assert admin.get(url).status_code == 200, name
            assert admin.post(url, {"state": "waiting", "stopped": ""}).status_code == 403, name
        page = admin.get(reverse("admin:connectors_delivery_change", args=[row.pk])).content.decode()
        assert "City: Ulm → Ulm" in page
        assert "1980-02-29" not in page
        assert "<b>Bo</b>" not in page
        assert Connection.objects.get().mode == "live"
