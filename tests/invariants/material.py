"""What the state machine makes records of: few enough values to meet all the time."""

from typing import Any

from hypothesis import strategies as st

from mdmhub.demo.checkdigits import TAX_ID
from tests import pipeline

SYSTEMS = tuple(pipeline.SYSTEMS)
VAT = tuple(TAX_ID["DE"](n) for n in (900_001, 900_002, 900_003))
PHONES = ("+49 30 5550101", "+49 30 5550102", "+49 30 5550199")
HAMBURG = {"address_line1": "Deichstr. 9", "city": "Hamburg", "postal_code": "20459", "country": "DE"}
BERLIN = {"address_line1": "Torstrasse 1", "city": "Berlin", "postal_code": "10119", "country": "DE"}
# Few enough to meet all the time: two people with nearly one name, father and son, a company and its sister.
TEMPLATES: tuple[dict[str, Any], ...] = (
    {"kind": "person", "given_name": "Anna", "family_name": "Berg", "birth_date": "1980-02-03", "email": "anna@berg.example", **HAMBURG},
    {"kind": "person", "given_name": "Anne", "family_name": "Berg", "birth_date": "1980-03-02", "email": "anne@berg.example", **HAMBURG},
    {"kind": "person", "given_name": "Karl", "family_name": "Ohm", "birth_date": "1950-01-01", "phone": PHONES[0], **BERLIN},
    {"kind": "person", "given_name": "Karl", "family_name": "Ohm", "birth_date": "1981-01-01", "phone": PHONES[0], **BERLIN},
    {"kind": "organization", "organization_name": "Nordwind GmbH", "tax_id": VAT[0], "phone": PHONES[2], **HAMBURG,
     "names": [{"type": "former", "value": "Nordwind OHG", "valid_to": "2020-12-31"}, {"type": "trading", "value": "Nordwind"}]},
    {"kind": "organization", "organization_name": "Nordwind Handel GmbH", "tax_id": VAT[1], "phone": PHONES[2], **HAMBURG,
     "addresses": [{"type": "billing", "line1": "Postfach 9", "city": "Hamburg", "valid_from": "2020-01-01"}]},
)  # fmt: skip
DELETED = {"crm": "downgrade", "erp": "keep", "billing": "end_date", "support": "cascade"}
"""What becomes of a record that its system deletes: each policy is one system's."""
OVERRIDES: dict[str, tuple[Any, ...]] = {
    "given_name": ("Anna", "Anne", "Karl", None), "family_name": ("Berg", "Ohm", "Berk"),
    "birth_date": ("1980-02-03", "1950-01-01", None), "email": ("anna@berg.example", "info@nordwind.example", None),
    "phone": (*PHONES, None), "tax_id": (*VAT, None), "organization_name": ("Nordwind GmbH", "Nordwind AG", None),
    "payment_terms": ("NET30", "NET60", None), "credit_limit": ("1000", "2500"), "status": ("active", "closed"),
    "website": ("https://nordwind.example", None), "city": ("Hamburg", "Berlin", None),
}  # fmt: skip
PINS: dict[str, tuple[Any, ...]] = {
    "payment_terms": ("NET7", "NET14"), "language": ("de", "fr"), "birth_date": ("1999-09-09",), "family_name": ("Pinned",),
}  # fmt: skip

overrides = st.dictionaries(st.sampled_from(sorted(OVERRIDES)), st.integers(0, 3), max_size=3)
templates = st.integers(0, len(TEMPLATES) - 1)
keys = st.tuples(st.sampled_from(SYSTEMS), st.integers(1, 4).map(str))
moments = st.none() | st.integers(1, 20).map(lambda day: f"2024-01-{day:02d}T00:00:00Z")
picks = st.integers(0, 40)
Record = tuple[tuple[str, str], int, dict[str, int], str | None]
records = st.tuples(keys, templates, overrides, moments)


def overridden(chosen: dict[str, int]) -> dict[str, Any]:
    return {name: OVERRIDES[name][at % len(OVERRIDES[name])] for name, at in chosen.items()}
