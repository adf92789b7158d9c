"""One record to parse, and short ways to ask what parsing said of it."""

from typing import Any

from apps.customers.canonical import parse

PERSON = {
    "record_id": "C-17",
    "kind": "person",
    "given_name": "  Zoë ",
    "family_name": "Müller\u00a0 Lüdenscheidt",
    "birth_date": "03.04.1980",
    "email": "Zoe.Mueller@Example.ORG",
    "phone": "030 / 1234567",
    "tax_id": "DE 136 695 976",
    "address_line1": "Hauptstraße 1",
    "city": "Berlin",
    "postal_code": "10115",
    "country": "Deutschland",
    "currency": "€",
    "language": "Deutsch",
    "credit_limit": "1.200,50",
    "status": "ACTIVE",
    "website": "HTTPS://Www.Example.org/Zoe",
    "source_updated_at": "2025-01-31T13:45:00+01:00",
    "deleted": "no",
}


def problems(item: dict[str, Any], **options: Any) -> list[tuple[str, str]]:
    return [(problem.field, problem.code) for problem in parse(item, **options).problems]


def warnings(item: dict[str, Any], **options: Any) -> list[tuple[str, str]]:
    return [(warning.field, warning.code) for warning in parse(item, **options).warnings]


def canonical(**fields: Any) -> dict[str, Any]:
    return parse({"record_id": "1", "kind": "person", **fields}).canonical
