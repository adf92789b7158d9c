"""The door as the hub uses it: features stored as text, one record against many, what is kept."""

import numpy as np

from apps.matching import engine
from tests.matching.given import MODEL, canonical

MAIL = "annika.brandvold@posteo.no"


def test_one_record_against_stored_candidates() -> None:
    stored = engine.to_json(
        engine.standardise(
            [
                canonical(given_name="Annika", family_name="Brandvold", email=MAIL, city="Bergen", country="NO"),
                canonical(given_name="Oskar", family_name="Hauge", city="Bergen", country="NO"),
            ]
        )
    )
    one = engine.standardise([canonical(name="Brandvold, Annika", email=MAIL.upper())])
    found = engine.score(one, engine.from_json(stored), np.array([0, 0]), np.array([0, 1]), MODEL)
    assert engine.keep(found, MODEL).tolist() == [True, False]
    assert found.weight[0] > MODEL.thresholds.automatic


def test_flagged_pairs_are_kept() -> None:
    facts = {"given_name": "Annika", "family_name": "Brandvold", "email": MAIL, "country": "NO"}
    table = engine.standardise(
        [
            canonical(birth_date="1971-06-09", **facts),
            canonical(birth_date="1940-12-31", **facts),
            canonical(kind="organization", organization_name="Acme", duns="150483782", verified=True),
            canonical(kind="organization", organization_name="Bluebird", duns="150483782", verified=True),
        ]
    )
    found = engine.score(table, table, np.array([0, 2]), np.array([1, 3]), MODEL)
    assert found.flags.tolist() == [engine.VETO, engine.FORCED]
    assert engine.keep(found, MODEL).all()


def test_many_equal_records_cost_no_more_than_their_pairs() -> None:
    table = engine.standardise([canonical(given_name="Ada", family_name="Moor")] * 2_000)
    found = engine.score(table, table, np.arange(1_999), np.arange(1, 2_000), MODEL)
    assert len(set(found.weight.tolist())) == 1
