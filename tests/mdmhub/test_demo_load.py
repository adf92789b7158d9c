"""The demo is taken in, and taken away again with everything that hangs on it."""

from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, models

from apps.common.ids import uuid7
from apps.customers.models import Customer, SourceRecord
from apps.stewardship import cases, notes
from mdmhub import tasks
from mdmhub.demo.load import CUSTOMER_TABLES, load
from tests import pipeline
from tests.events.sealed_hub import checkpoint_lines, own_file, verify

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def demo(tmp_path: Path, settings: Any) -> None:
    """Some customers with cases, and a note."""
    settings.HUB_HOME = tmp_path
    own_file(settings, tmp_path)
    load(customers=60, seed=7)
    cases.refresh()
    customer = Customer.objects.filter(active=True).first()
    assert customer is not None
    notes.add(id=uuid7(), customer=customer.id, body="Called.", act=pipeline.alice())


def test_it_goes_with_everything_that_hangs_on_it() -> None:
    assert SourceRecord.objects.count() > 60
    call_command("demo", "--remove")
    with connection.cursor() as cursor:
        for table in CUSTOMER_TABLES.split(","):
            cursor.execute(f"SELECT count(*) FROM {table}")
            assert cursor.fetchone() == (0,), table
    assert pipeline.broken() == []
    load(customers=30, seed=8)
    assert pipeline.broken() == []


def test_the_audit_says_that_it_begins_anew_and_verifies() -> None:
    tasks.seal()
    assert verify().checkpoints == 1
    call_command("demo", "--remove")
    assert verify().broken == 0
    load(customers=30, seed=8)
    tasks.seal()
    report = verify()
    assert (report.broken, report.checkpoints) == (0, 1)
    assert any("the demo was removed" in notice for notice in report.notices)
    assert [line.kind for line in checkpoint_lines()] == ["checkpoint", "restored", "checkpoint"]


def test_it_stays_where_somebody_elses_records_are() -> None:
    pipeline.take("crm", pipeline.person(1))
    before = SourceRecord.objects.count()
    with pytest.raises(CommandError, match="not of the demo"):
        call_command("demo", "--remove")
    assert SourceRecord.objects.count() == before


def test_nothing_that_refers_to_a_customer_is_forgotten() -> None:
    gone = {name.strip() for name in CUSTOMER_TABLES.split(",")}
    left = {
        model._meta.db_table
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, models.ForeignKey | models.ManyToManyField)
        and field.remote_field.model._meta.db_table in gone
    }
    assert left <= gone
