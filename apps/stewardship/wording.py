"""How the pages call things: attributes, rules, countries, actors, parts. One place: a word never has two forms."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.numbers import format_decimal

SYSTEM_KINDS = ("crm", "erp", "billing", "support", "steward")
_UPPER = {
    "crm": "CRM",
    "erp": "ERP",
    "lei": "LEI",
    "iban": "IBAN",
    "duns": "D-U-N-S",
    "tax_id": "Tax ID",
    "national_id": "National ID",
}
_NAMES = {
    "kind": "Kind",
    "name": "Name",
    "birth_date": "Date of birth",
    "organization_name": "Organisation name",
    "contact_points": "Contact points",
    "registration_number": "Registration number",
    "members": "Source records",
    "address_line1": "Address line 1",
    "address_line2": "Address line 2",
    "record_id": "Record id",
    "source_updated_at": "Changed at source",
} | _UPPER

# The rule that chose a value -> what a steward reads.
RULES: Mapping[str, str] = {
    "only": "the only source",
    "agreed": "all sources agree",
    "trust": "most trusted source",
    "recent": "newest change",
    "recent_received": "received last",
    "recent_verified": "verified last",
    "oldest": "oldest source",
    "oldest_received": "received first",
    "oldest_verified": "verified first",
    "frequent": "most sources say so",
    "complete": "fullest value",
    "complete_record": "fullest record",
    "longest": "longest value",
    "minimum": "smallest value",
    "maximum": "greatest value",
    "aggregate": "united from all sources",
    "unanimous": "all sources must agree",
    "conflict": "the sources disagree, so there is no value",
    "deleted": "deleted at its source",
    "united": "united from all sources",
    "composed": "made of other values",
    "pin": "pinned by a steward",
    "tie": "tie: first source",
    "none": "no rule",
}
DOUBTS: Mapping[str, str] = {
    "review_band": "between the thresholds",
    "margin": "two candidates score alike",
    "ambiguous": "more than one possible customer",
    "veto": "evidence against",
    "policy_veto": "a rule stands against it",
    "weak_bridge": "only one weak link holds them together",
    "merged_there": "their own system has merged them",
    "size_cap": "the group grew too large",
    "distinct_source": "two records of a system without duplicates",
    "verdict_conflict": "against a person's verdict",
}
EVENTS: Mapping[str, str] = {
    "customer.created": "Created",
    "customer.changed": "Changed",
    "customer.merged": "Merged",
    "customer.unmerged": "Unmerged",
    "customer.rekeyed": "Key renamed",
    "customer.retired": "Retired",
}
WHY: Mapping[str, str] = {
    "customer id": "customer id",
    "retired id": "retired id, now part of this customer",
    "email": "same e-mail",
    "phone": "same phone number",
    "external id": "id in a source system",
    "words": "all words found",
    "similar name": "similar name",
    "tax_id": "same tax ID",
    "national_id": "same national ID",
    "lei": "same LEI",
    "duns": "same D-U-N-S number",
    "iban": "same IBAN",
    "registration_number": "same registration number",
}


def attribute_name(name: str) -> str:
    """`birth_date` -> "Date of birth", `extra.loyalty_tier` -> "Loyalty tier"."""
    bare = name.removeprefix("extra.")
    return _NAMES.get(bare) or bare.replace("_", " ").capitalize()


def system_name(code: str) -> str:
    return _UPPER.get(code) or code.replace("_", " ").replace("-", " ").capitalize()


@lru_cache(maxsize=4)
def _locale(language: str) -> Locale:
    try:
        return Locale.parse(language)
    except (ValueError, UnknownLocaleError):
        return Locale("en")


def country_name(code: str | None) -> str:
    """`DE` -> "Germany"; a code nobody knows stays as it is."""
    return _locale("en").territories.get(code, code) if code else ""


def countries() -> list[tuple[str, str]]:
    """(code, name) of every country, by name."""
    found = [(code, name) for code, name in _locale("en").territories.items() if len(code) == 2 and code.isalpha()]
    return sorted((c for c in found if c[0] not in ("EU", "EZ", "UN", "XA", "XB", "ZZ", "QO")), key=lambda c: c[1])


def actor_name(actor: str) -> str:
    """`user:alice` -> "alice", `hub:match` -> "the hub (match)"."""
    kind, _, name = actor.partition(":")
    if kind == "hub":
        return f"the hub ({name})" if name else "the hub"
    return name or actor


def address_text(part: Mapping[str, Any]) -> str:
    lines = [
        part.get("line1"),
        part.get("line2"),
        " ".join(x for x in (part.get("postal_code"), part.get("city")) if x),
        part.get("region"),
    ]
    return ", ".join([str(x) for x in lines if x] + ([country_name(part["country"])] if part.get("country") else []))


def part_text(part: Any) -> str:
    """One address, contact point, identifier or name in one line, with its role, days and place where they say something."""
    if not isinstance(part, Mapping):
        return str(part)
    kind = attribute_name(str(part.get("type", "")))
    if "value" in part:
        country = f" ({part['country']})" if part.get("country") else ""
        text = f"{kind}: {part['value']}{country}"
    else:
        text = address_text(part)
        if part.get("type") not in (None, "postal"):
            text = f"{kind}: {text}"
    days = days_text(part)
    place = f"rank {part['rank']}" if part.get("rank", 1) > 1 else ""
    return ", ".join(piece for piece in (text, days, place) if piece)


def days_text(part: Mapping[str, Any]) -> str:
    """From when to when an entry of a list holds: "from 2024-01-01 to 2025-05-30", "until 2025-05-30"; nothing where it says no day."""
    first, last = part.get("valid_from"), part.get("valid_to")
    if first and last:
        return f"from {first} to {last}"
    return f"from {first}" if first else f"until {last}" if last else ""


def scalar_text(attribute: str, value: Any) -> Any:
    """Amounts with separators, languages by name; everything else as it is."""
    if value is None:
        return None
    if attribute == "credit_limit":
        try:
            return format_decimal(value, locale="en", format="#,##0.00")
        except (ValueError, ArithmeticError):
            return value
    if attribute == "language":
        return _locale("en").languages.get(str(value), value)
    if attribute in ("kind", "status"):
        return {"organization": "Organisation"}.get(str(value), str(value).capitalize())
    return value
