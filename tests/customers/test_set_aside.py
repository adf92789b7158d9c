"""What is set aside is kept whole, in order, and sealed; text no column can hold is shown escaped."""

from uuid import uuid4

import pytest
from hypothesis import given as example
from hypothesis import settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from apps.common import seal
from apps.customers.canonical import Problem
from apps.customers.models import Quarantine
from apps.customers.set_aside import Aside, set_aside
from tests.customers import given

pytestmark = pytest.mark.django_db
ODD = st.text(alphabet=st.characters(codec=None) | st.sampled_from("\x00\ud800\udfff\\"), max_size=20)


def test_the_ids_come_in_the_order_of_the_records(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    crm, correlation = given.system("crm"), uuid4()
    wrong = [Problem("birth_date", "not_a_date", "'31.31.1999' is no date.")]
    with django_assert_num_queries(1):
        ids = set_aside([Aside(crm, f"raw {n}", wrong, correlation, external_id=str(n), line=n) for n in range(3)])
    rows = Quarantine.objects.in_bulk(ids)
    assert [(rows[id_].line, rows[id_].external_id, rows[id_].raw) for id_ in ids] == [
        (0, "0", "raw 0"),
        (1, "1", "raw 1"),
        (2, "2", "raw 2"),
    ]
    first = rows[ids[0]]
    assert first.problems == [{"field": "birth_date", "code": "not_a_date", "detail": "'31.31.1999' is no date."}]
    assert (first.state, first.correlation_id, first.run_id, first.file_name) == ("open", correlation, None, "")
    assert set_aside([]) == []


@example(ODD, ODD, ODD)
@settings(max_examples=40, deadline=None)
def test_any_text_is_kept_and_sealed(raw: str, field: str, external_id: str) -> None:
    (id_,) = set_aside([Aside(given.system("crm"), raw, [Problem(field, "odd", raw)], uuid4(), external_id)])
    row = Quarantine.objects.get(id=id_)
    assert bytes(row.digest) == seal.digest(b"crm", bytes(row.salt or b""), (row.raw or "").encode())
    if raw.isascii() and "\x00" not in raw:
        assert row.raw == raw == row.problems[0]["detail"]


def test_a_long_id_is_cut() -> None:
    (id_,) = set_aside([Aside(given.system("crm"), None, [], uuid4(), external_id="x" * 600)])
    row = Quarantine.objects.get(id=id_)
    assert (row.external_id, row.raw) == ("x" * 500, None)
