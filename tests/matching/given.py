"""What the tests of matching share: canonical records from flat facts, and strategies for records and components."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from apps.matching import engine
from apps.matching.comparison_levels import COMPARISONS, FORCED, VETO, level_name
from apps.matching.decide import Component
from apps.matching.parameters import Thresholds
from apps.matching.scoring import Scores

MODEL = engine.Model.load_default()
CASES = tomllib.loads((Path(__file__).parents[1] / "cases" / "matching_pairs.toml").read_text(encoding="utf-8"))["pair"]
LIMITS = Thresholds(
    automatic=3.0,
    review=1.0,
    keep=-3.0,
    keep_veto=-3.0,
    margin=3.0,
    bridge=7.0,
    block_cap=50,
    cluster_cap=100,
    component_cap=500,
)


def canonical(**facts: Any) -> dict[str, Any]:
    """A canonical record from flat names; `verified` goes to all identifiers."""
    verified = facts.pop("verified", None)
    address_names = {
        "address_line1": "line1",
        "address_line2": "line2",
        "city": "city",
        "postal_code": "postal_code",
        "country": "country",
    }
    address = {short: facts.pop(name) for name, short in address_names.items() if name in facts}
    record = {"kind": "person", **facts}
    country = address.get("country")
    record["contact_points"] = [
        {"type": kind, "value": record.pop(kind)} for kind in ("email", "phone") if kind in record
    ]
    record["identifiers"] = [
        {"type": kind, "value": record.pop(kind), "country": country, "verified": verified}
        for kind in ("tax_id", "national_id", "lei", "duns", "registration_number")
        if kind in record
    ]
    if address:
        record["addresses"] = [address]
    return record


def scores(left: Mapping[str, Any], right: Mapping[str, Any]) -> Scores:
    """The scores of one pair of canonical records."""
    table = engine.standardise([left, right])
    return engine.score(table, table, np.array([0]), np.array([1]), MODEL)


def levels(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, str]:
    """The level of each comparison of a pair, those that were not compared left out."""
    found = scores(left, right).levels[0]
    named = {name: level_name(name, int(level)) for name, level in zip(COMPARISONS, found, strict=True)}
    return {name: level for name, level in named.items() if level != "missing"}


def verdict(left: Mapping[str, Any], right: Mapping[str, Any]) -> str:
    """What the shipped thresholds make of a pair: join, ask or apart."""
    found = scores(left, right)
    weight, flags = float(found.weight[0]), int(found.flags[0])
    if flags & VETO:
        return "ask" if weight >= MODEL.thresholds.automatic or flags & FORCED else "apart"
    if flags & FORCED or weight >= MODEL.thresholds.automatic:
        return "join"
    return "ask" if weight >= MODEL.thresholds.review else "apart"


_WORDS = st.sampled_from(
    [
        "Anna",
        "Maria",
        "Bob",
        "Robert",
        "Smith",
        "Müller",
        "Mueller",
        "van der Berg",
        "Зоя",
        "Stevens-Lewis",
        "J.",
        "Li",
        "زينب",
        "",
        "Jr",
        "O'Brien",
    ]
)
_FIRMS = st.sampled_from(
    ["Acme & Co. KG", "ACME", "Acme 12", "AC", "Bauer Farm Tech GmbH", "Bauer Farm Technologies", "株式会社山田"]
)
_LINES = st.sampled_from(
    ["12 High Street", "12 High St", "14 High Street", "Hauptstraße 5", "Apt 4", "PO Box 9", "", "Leeds"]
)
_CITIES = st.sampled_from(["Leeds", "Lleeds", "München", "Munich", "Roma", ""])
_MAILS = st.sampled_from(["a.smith@gmail.com", "asmith@gmial.com", "info@acme.co.uk", "nonsense", "info@acme.com", ""])
_PHONES = st.sampled_from(["+44 113 496 0123", "0113 4960123", "1134960132", "12", "", "+1 302 555 0199 x12"])
_IDENTIFIERS = st.builds(
    lambda kind, value, country, verified: {"type": kind, "value": value, "country": country, "verified": verified},
    st.sampled_from(["tax_id", "national_id", "lei"]),
    st.sampled_from(["DE123456789", "123456789", "123456798", "987654321", "0000"]),
    st.sampled_from(["DE", "GB", None]),
    st.sampled_from([True, False, None]),
)


def _points(kind: str, values: st.SearchStrategy[str]) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(st.builds(lambda value: {"type": kind, "value": value}, values), max_size=3)


canonicals: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"kind": st.sampled_from(["person", "organization"])},
    optional={
        "name": _WORDS,
        "given_name": _WORDS,
        "family_name": _WORDS,
        "organization_name": _FIRMS,
        "birth_date": st.sampled_from(["1980-05-04", "1980-04-05", "1980-01-01", "1950-12-31", "1900-01-01"]),
        "website": st.sampled_from(["www.acme.co.uk", "https://acme.com/x", "?"]),
        "addresses": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "line1": _LINES,
                    "line2": _LINES,
                    "city": _CITIES,
                    "postal_code": st.sampled_from(["LS1 2AB", "80331", ""]),
                    "country": st.sampled_from(["GB", "DE"]),
                },
            ),
            max_size=2,
        ),
        "contact_points": st.builds(
            lambda mails, phones: mails + phones, _points("email", _MAILS), _points("phone", _PHONES)
        ),
        "identifiers": st.lists(_IDENTIFIERS, max_size=3),
    },
)


@st.composite
def components(draw: st.DrawFn, largest: int = 9) -> Component:
    """A component with weights, flags, verdicts and distinct systems of any kind."""
    size = draw(st.integers(1, largest))
    pairs = [(a, b) for b in range(size) for a in range(b)]
    known = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=16)) if pairs else []
    weights = [draw(st.sampled_from([-2.5, 0.0, 1.0, 2.0, 3.0, 4.0, 5.5, 6.0, 8.0, 12.0])) for _ in known]
    flags = [draw(st.sampled_from([0, 0, 0, 0, VETO, FORCED, VETO | FORCED])) for _ in known]
    must = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=2)) if pairs else []
    cannot = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=2)) if pairs else []
    return Component(
        ids=[f"{record:03d}" for record in range(size)],
        systems=[draw(st.integers(0, 3)) for _ in range(size)],
        distinct_systems=frozenset(draw(st.sets(st.integers(0, 3), max_size=2))),
        a=[a for a, _ in known],
        b=[b for _, b in known],
        weight=weights,
        flags=flags,
        must=must,
        cannot=cannot,
    )
