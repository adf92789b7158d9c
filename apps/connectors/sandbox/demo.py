"""The demo's records as the systems themselves would hold them: flat items in canonical names -> native records for `/_load`.

Ids, dirt and emptiness stay as they are; status words, and the place and form of each value, are the kind's own. The item's
`source_updated_at` becomes the moment of the record's last change."""

from collections.abc import Mapping
from typing import Any, Final

from apps.connectors.sandbox.fields import number_of
from apps.connectors.sandbox.moments import iso, moment

NAMES: Final[Mapping[str, Mapping[str, str]]] = {
    "crm": {
        "record_id": "Id", "kind": "RecordType", "organization_name": "Name", "given_name": "FirstName", "family_name": "LastName",
        "birth_date": "PersonBirthdate", "email": "PersonEmail", "phone": "Phone", "website": "Website", "tax_id": "TaxId__c",
        "lei": "Lei__c", "address_line1": "BillingStreet", "address_line2": "BillingStreet2", "city": "BillingCity",
        "region": "BillingState", "postal_code": "BillingPostalCode", "country": "BillingCountry", "language": "Language__c",
        "status": "Status__c", "source_updated_at": "SystemModstamp",
    },
    "erp": {
        "record_id": "customerid", "kind": "customertype", "name": "name", "given_name": "firstname", "family_name": "lastname",
        "organization_name": "organizationname", "birth_date": "birthdate", "phone": "telephone", "tax_id": "vatnumber",
        "national_id": "nationalid", "registration_number": "registrationnumber", "duns": "duns", "address_line1": "line1",
        "address_line2": "line2", "city": "city", "region": "state", "postal_code": "postalcode", "country": "country",
        "currency": "currency", "payment_terms": "paymentterms", "credit_limit": "creditlimit", "status": "statuscode",
        "source_updated_at": "modifiedon",
    },
    "billing": {
        "record_id": "id", "kind": "metadata.kind", "name": "name", "organization_name": "business_name", "email": "email",
        "phone": "phone", "tax_id": "tax_id", "address_line1": "address.line1", "address_line2": "address.line2",
        "city": "address.city", "region": "address.state", "postal_code": "address.postal_code", "country": "address.country",
        "currency": "currency", "language": "preferred_locales", "payment_terms": "payment_terms",
        "credit_limit": "credit_limit", "status": "status", "source_updated_at": "updated",
    },
    "support": {
        "record_id": "id", "kind": "contact_type", "name": "name", "given_name": "given_name", "family_name": "family_name",
        "organization_name": "company", "birth_date": "birth_date", "email": "email", "phone": "phone", "website": "website",
        "city": "city", "country": "country", "language": "locale", "status": "status", "source_updated_at": "updated_at",
    },
}  # fmt: skip
STATUSES: Final[Mapping[str, Mapping[str, str]]] = {
    "crm": {
        "prospect": "Prospect",
        "active": "Active",
        "blocked": "Blocked",
        "inactive": "Inactive",
        "closed": "Closed",
    },
    "erp": {
        "prospect": "Prospect",
        "active": "Active",
        "blocked": "OnHold",
        "inactive": "Inactive",
        "closed": "Closed",
    },
    "billing": {"blocked": "suspended"},
    "support": {"blocked": "suspended"},
}
KINDS: Final = {"person": "Person", "organization": "Business"}


def native(kind: str, record_id: str, item: Mapping[str, Any]) -> dict[str, Any]:
    """`item`, whose `record_id` may be missing, as a record of the `kind` with this id. Raises ValueError for a field that the kind
    has no place for."""
    names = NAMES[kind]
    record: dict[str, Any] = {}
    for name, value in {**item, "record_id": record_id}.items():
        if name not in names:
            raise ValueError(f"The {kind} keeps no {name}.")
        place, dot, part = names[name].partition(".")
        if dot:
            record.setdefault(place, {})[part] = value
        else:
            record[place] = _native_value(kind, name, value)
    if kind == "erp":
        record["blocked"] = item.get("status") == "blocked"
    return record


def _native_value(kind: str, name: str, value: Any) -> Any:
    if name == "status":
        return STATUSES[kind].get(value, value)
    if name == "kind" and kind == "crm":
        return KINDS.get(value, value)
    if name == "credit_limit":
        return number_of(value) if isinstance(value, str) else value
    if name == "language" and kind == "billing":
        return [value] if value else []
    if name == "source_updated_at" and value:
        return iso(moment(value))
    return value
