"""What stewards say of single values: values that are ignored, words that run out, and words that are taken back."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from apps.common.errors import NotFound, Rejected
from apps.common.ids import uuid7
from apps.customers import pins, queries
from apps.customers.golden import read_customers
from apps.customers.models import SourceRecordVersion
from apps.matching import judge
from tests import pipeline
from tests.pipeline import alice, bob, execute, record_ids, take

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hub() -> None:
    pipeline.systems()


def values(customer: UUID) -> dict[str, Any]:
    return read_customers([customer])[customer].values


def two_sources(**erp: Any) -> UUID:
    """One customer of a CRM and an ERP record; the ERP's languages and websites are the ones that count at first."""
    take("crm", pipeline.person(1, language="de", source_updated_at="2026-01-01T00:00:00Z"))
    return pipeline.customer_of(
        "erp", pipeline.person(1, language="fr", source_updated_at="2026-02-01T00:00:00Z", **erp)
    )


def said_until(moment: str = "-1 minute") -> None:
    """As though all that runs out ran out then."""
    execute(
        "UPDATE source_record s SET canonical = replace(s.canonical::text, x.was, x.now)::jsonb FROM (SELECT id,"
        " (jsonb_path_query_first(canonical, '$.*.*.expires_at')) #>> '{}' AS was,"
        f" to_char((clock_timestamp() + interval '{moment}') AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US+00:00') AS now"
        " FROM source_record) x WHERE x.id = s.id AND x.was IS NOT NULL"
    )


def test_an_ignored_value_counts_as_never_sent_and_can_be_heeded_again() -> None:
    customer = two_sources()
    won = values(customer)["language"]
    winner = record_ids()["erp:P1" if won == "fr" else "crm:P1"]
    assert pins.ignore(
        customer=customer, record=winner, attribute="language", act=alice().because("a typing error")
    ) == [customer]
    assert values(customer)["language"] == ("de" if won == "fr" else "fr")
    (source,) = [s for s in queries.customer_detail(customer).sources if s.record == winner]
    told = source.ignored["language"]
    assert (told.value, told.actor, told.reason) == (won, alice().actor, "a typing error")
    (line,) = [a for a in queries.lineage(customer) if a.attribute == "language"]
    assert [o.ignored for o in line.others] == [True]
    pins.heed(customer=customer, record=winner, attribute="language", act=alice().because("it was right"))
    assert values(customer)["language"] == won
    assert pipeline.broken() == []


def test_of_a_group_that_survives_together_all_is_ignored() -> None:
    """A wrong family name brings the other source's whole name, not one without a family name."""
    take("crm", {**pipeline.person(1), "given_name": "Anna", "family_name": "Sommer"})
    customer = pipeline.customer_of("erp", {**pipeline.person(1), "given_name": "Anne", "family_name": "Sommr"})
    pins.pin(customer=customer, attribute="language", value="de", act=alice())
    first = (values(customer)["given_name"], values(customer)["family_name"])
    winner, other = ("erp:P1", ("Anna", "Sommer")) if first == ("Anne", "Sommr") else ("crm:P1", ("Anne", "Sommr"))
    pins.ignore(
        customer=customer, record=record_ids()[winner], attribute="family_name", act=alice().because("a typing error")
    )
    assert (values(customer)["given_name"], values(customer)["family_name"]) == other


def test_another_value_of_the_same_source_counts_again() -> None:
    customer = two_sources()
    erp = record_ids()["erp:P1"]
    pins.ignore(customer=customer, record=erp, attribute="language", act=alice().because("wrong"))
    pins.ignore(
        customer=customer, record=record_ids()["crm:P1"], attribute="language", act=alice().because("wrong too")
    )
    assert "language" not in values(customer)
    take("erp", pipeline.person(1, language="it", source_updated_at="2026-03-01T00:00:00Z"))
    assert values(customer)["language"] == "it"
    assert not any(s.ignored for s in queries.customer_detail(customer).sources if s.record == erp)


def test_an_ignored_value_goes_with_its_record_through_merge_and_unmerge() -> None:
    one, other = (
        pipeline.customer_of("crm", pipeline.person(1, language="de")),
        pipeline.customer_of("erp", pipeline.person(2, language="fr")),
    )
    pins.ignore(customer=other, record=record_ids()["erp:P2"], attribute="language", act=alice().because("wrong"))
    judge.merge(customers=[one, other], act=alice())
    assert values(one)["language"] == "de"
    judge.unmerge(customer=one, records=[record_ids()["erp:P2"]], act=bob())
    where = pipeline.where()
    assert "language" not in values(where["erp:P2"])
    assert values(where["crm:P1"])["language"] == "de"
    assert pipeline.broken() == []


def test_what_there_is_none_of_cannot_be_ignored() -> None:
    customer = two_sources()
    erp = record_ids()["erp:P1"]
    with pytest.raises(Rejected, match="no value"):
        pins.ignore(customer=customer, record=erp, attribute="website", act=alice().because("x"))
    with pytest.raises(Rejected, match="Nothing can be said"):
        pins.ignore(customer=customer, record=erp, attribute="kind", act=alice().because("x"))
    with pytest.raises(Rejected, match="reason"):
        pins.ignore(customer=customer, record=erp, attribute="language", act=alice().because(""))
    with pytest.raises(NotFound):
        pins.ignore(customer=customer, record=uuid7(), attribute="language", act=alice().because("x"))


def test_a_pin_and_an_ignored_value_run_out() -> None:
    customer = two_sources()
    won = values(customer)["language"]
    tomorrow = timezone.now() + timedelta(days=1)
    pins.pin(customer=customer, attribute="language", value="it", act=alice().because("for now"), until=tomorrow)
    pins.ignore(
        customer=customer,
        record=record_ids()["erp:P1"],
        attribute="family_name",
        act=alice().because("for now"),
        until=tomorrow,
    )
    assert queries.customer_detail(customer).pins[0].expires_at == tomorrow
    assert pins.expire() == 0
    said_until()
    assert pins.expire() == 1
    assert values(customer)["language"] == won
    assert not any(s.ignored for s in queries.customer_detail(customer).sources)
    assert pins.expire() == 0
    assert SourceRecordVersion.objects.filter(source_record__system__kind="steward").count() >= 1
    assert pipeline.broken() == []


def test_a_moment_that_has_passed_is_refused() -> None:
    customer = two_sources()
    with pytest.raises(Rejected, match="run out"):
        pins.pin(customer=customer, attribute="language", value="it", act=alice().because("x"), until=timezone.now())


def test_what_one_act_pinned_is_taken_back_and_what_it_replaced_stands_again() -> None:
    customer = two_sources()
    pins.pin(customer=customer, attribute="language", value="it", act=alice().because("first"))
    act = alice().because("second")
    pins.pin(customer=customer, attribute="language", value="es", act=act)
    pins.pin(customer=customer, attribute="website", value="https://example.org", act=act)
    later = alice().because("third")
    pins.take_back(customer=customer, correlation_id=act.correlation_id, act=later)
    assert values(customer)["language"] == "it"
    assert "website" not in values(customer)
    assert pins.take_back(customer=uuid7(), correlation_id=act.correlation_id, act=later) == []
