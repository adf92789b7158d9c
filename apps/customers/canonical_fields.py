"""The names and limits of the fields a record may carry."""

from __future__ import annotations

from typing import Final

# Flat name -> greatest length in characters of the tidied value.
MAX_LENGTH: Final = {
    "record_id": 200,
    "kind": 30,
    "name": 200,
    "given_name": 100,
    "family_name": 100,
    "organization_name": 200,
    "birth_date": 40,
    "email": 254,
    "phone": 50,
    "website": 300,
    "tax_id": 64,
    "national_id": 64,
    "lei": 64,
    "duns": 64,
    "registration_number": 64,
    "address_line1": 300,
    "address_line2": 300,
    "city": 100,
    "region": 100,
    "postal_code": 20,
    "country": 100,
    "currency": 50,
    "language": 50,
    "payment_terms": 50,
    "credit_limit": 40,
    "status": 30,
    "source_updated_at": 40,
    "deleted": 10,
}
FLAT_FIELDS: Final = tuple(MAX_LENGTH)

# What a record may carry besides, in JSON only.
LIST_FIELDS: Final = ("addresses", "contact_points", "identifiers", "names", "extra", "empty")

# Fields that speak about the record, not about the customer: they are never part of the canonical dict.
ENVELOPE: Final = frozenset({"record_id", "deleted", "source_updated_at"})

# Fields that the source can say are empty.
CAN_BE_EMPTY: Final = frozenset(FLAT_FIELDS) - ENVELOPE - {"kind"}

# Fields kept as tidied text, in the order of the canonical dict.
PLAIN: Final = ("name", "given_name", "family_name", "organization_name")

# Single values of the canonical dict; all others stand in its lists.
SINGLE: Final = (*PLAIN, "birth_date", "website", "currency", "language", "payment_terms", "credit_limit", "status")

# Fields often sent as JSON numbers though they are no amounts.
NUMBER_AS_TEXT: Final = frozenset(
    {"birth_date", "phone", "postal_code", "payment_terms", "tax_id", "national_id", "duns", "registration_number"}
)

# Types a declared extension attribute may have, and the greatest length of its text.
EXTRA_TYPES: Final = ("text", "number", "date", "boolean")
EXTRA_LENGTH: Final = 1000
