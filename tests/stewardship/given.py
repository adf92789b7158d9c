"""Logged-in people and a small hub for the tests of pages."""

import re
from typing import Any
from uuid import UUID

from django.test import Client

from apps.accounts.models import User
from tests import pipeline

ANNA = {
    "record_id": "C-1",
    "kind": "person",
    "given_name": "Anna",
    "family_name": "Schmidt",
    "email": "anna.schmidt@example.com",
    "birth_date": "1985-11-30",
    "address_line1": "Am Markt 1",
    "city": "Dresden",
    "postal_code": "01067",
    "country": "DE",
    "status": "active",
    "source_updated_at": "2024-03-01T10:00:00Z",
}
ANNA_ERP = {
    **ANNA,
    "record_id": "K-77",
    "given_name": "Anne",
    "payment_terms": "NET30",
    "credit_limit": "1200",
    "source_updated_at": "2024-05-01T10:00:00Z",
}
BOB = {"record_id": "C-2", "kind": "person", "given_name": "Robert", "family_name": "Kowalski", "country": "PL"}


def browser(role: str, **fields: Any) -> Client:
    """A browser in which somebody with this role is logged in."""
    user = User.objects.get_or_create(username=role, defaults={"roles": [role], **fields})[0]
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def anna() -> UUID:
    """One customer known by two records that disagree on the given name."""
    pipeline.systems()
    pipeline.take("crm", ANNA)
    customer = pipeline.customer_of("erp", ANNA_ERP)
    assert pipeline.where()["crm:C-1"] == customer
    return customer


def text(answer: Any) -> str:
    return str(answer.content.decode())


def page_text(answer: Any) -> str:
    """The same without the list of shortcuts, which names every action there is on every page."""
    return re.sub(r'<dialog id="shortcuts".*?</dialog>', "", text(answer), flags=re.DOTALL)
