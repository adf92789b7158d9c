"""Single rows read without the query builder are the rows the ORM reads."""

import pytest
from django.forms.models import model_to_dict

from apps.common.rows import first
from apps.customers.models import Customer, System
from tests.customers import given

pytestmark = pytest.mark.django_db

ANNA = {
    "record_id": "1", "kind": "person", "given_name": "Anna", "family_name": "Müller", "birth_date": "1980-02-29",
    "email": "anna@example.com", "city": "Berlin", "country": "DE", "credit_limit": "1200.50", "currency": "EUR",
}  # fmt: skip


def test_every_field_is_as_the_orm_reads_it() -> None:
    id_ = given.customer(("crm", ANNA))
    found, expected = first(Customer, "id = %s", id_), Customer.objects.get(id=id_)
    assert found is not None
    assert found == expected
    for field in Customer._meta.concrete_fields:
        assert getattr(found, field.attname) == getattr(expected, field.attname), field.name
    assert found.lineage["family_name"]["rule"] == "only"
    assert not found._state.adding


def test_a_row_that_is_not_there_is_none() -> None:
    given.system("crm")
    assert first(System, "code = %s", "nobody") is None
    crm = first(System, "code = %s AND is_active = %s", "crm", True)
    assert crm is not None
    assert model_to_dict(crm) == model_to_dict(System.objects.get(code="crm"))
