"""Emails, phones, web sites, dates and identifiers brought to one form each; placeholders dropped."""

import re
from functools import cache, lru_cache
from typing import NamedTuple

from rapidfuzz import process
from rapidfuzz.distance import OSA

from apps.matching.standardise_typing_errors import Near
from apps.matching.text import LONGEST, plain_ascii, reference

_CACHE = 200_000
_DIGITS = re.compile(r"\d+")
_EXTENSION = re.compile(r"(?:x|ext\.?|extension|durchwahl|#|;ext=)\s*\d{1,6}\s*$", re.IGNORECASE)
_COMPACT = re.compile(r"[A-Z0-9]{1,40}")
_NOT_ALNUM = re.compile(r"[^A-Z0-9]+")
_HOST = re.compile(r"[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,2}")
_URL_SCHEME = re.compile(r"^[a-z]+:/*")
_HOST_END = re.compile(r"[/?#:\s]")
SHORTEST_MAIL = 6
"""Characters of mailbox and domain."""
SHORTEST_PHONE = 6
"""Digits of a number."""


class Mail(NamedTuple):
    """A mail address: standardised, and the company's domain ('' at a mail provider)."""

    address: str
    company_domain: str


@cache
def _mail_words() -> tuple[frozenset[str], frozenset[str], frozenset[str], dict[str, str]]:
    data = reference("mail_domains")
    return frozenset(data["free"]), frozenset(data["role"]), frozenset(data["dotless"]), dict(data["same"])


@cache
def _generic() -> tuple[frozenset[str], frozenset[str]]:
    data = reference("generic_values")
    return frozenset(data["birth_dates"]), frozenset(data["email_locals"])


def generic_locals() -> frozenset[str]:
    """Mailboxes that stand for "no address"."""
    return _generic()[1]


def free_domains() -> frozenset[str]:
    """Domains of mail providers."""
    return _mail_words()[0]


def role_locals() -> frozenset[str]:
    """Mailboxes that belong to a role (info, billing), not to a person."""
    return _mail_words()[1]


@lru_cache(maxsize=_CACHE)
def mail(value: str) -> Mail:
    """Standardise an address: plus-tags and ignored dots off, provider aliases, a lost @ before a provider put back."""
    text = plain_ascii(value).strip(" <>\"'.,;")
    local, at, domain = text.rpartition("@")
    if not at:
        free = _mail_words()[0]
        domain = next((known for known in sorted(free, key=len, reverse=True) if text.endswith(known)), "")
        local = text[: -len(domain)] if domain else ""
    domain, company, dotless = mail_domain(domain)
    local = local.split("+", 1)[0].strip(".@ ")
    if dotless:
        local = local.replace(".", "")
    if not local or not domain or local in generic_locals() or len(local) + len(domain) < SHORTEST_MAIL:
        return Mail("", "")
    return Mail(f"{local}@{domain}", company)


@lru_cache(maxsize=_CACHE)
def mail_domain(text: str) -> tuple[str, str, bool]:
    """Return a mail domain, the company's domain it speaks of, and whether dots before the @ count for nothing there."""
    free, _, dotless, same = _mail_words()
    domain = text.strip(".")
    domain = same.get(domain, domain if domain in free else _meant(domain))
    company = "" if domain in free or "." not in domain else registrable.__wrapped__(domain)
    return domain, company, domain in dotless


def _meant(domain: str) -> str:
    """Return the mail provider a mistyped domain means (gmial.com, yahhoo.com), or the domain itself."""
    if len(domain) < 8 or not _near_providers().may_be(domain):
        return domain
    found = process.extractOne(domain, _long_providers(), scorer=OSA.distance, score_cutoff=1)
    return str(found[0]) if found else domain


@cache
def _near_providers() -> Near:
    return Near.to(_long_providers())


@cache
def _long_providers() -> tuple[str, ...]:
    return tuple(known for known in sorted(_mail_words()[0]) if len(known) > 8)


@lru_cache(maxsize=_CACHE)
def registrable(value: str) -> str:
    """Return the domain a web address is registered under: https://www.shop.acme.co.uk/de becomes acme.co.uk."""
    if _HOST.fullmatch(value):
        labels = value.split(".")
    else:
        host = _HOST_END.split(_URL_SCHEME.sub("", plain_ascii(value).strip()), maxsplit=1)[0].strip(".")
        labels = [label for label in host.rpartition("@")[2].split(".") if label]
    if len(labels) < 2:
        return ""
    size = 3 if len(labels) > 2 and labels[-2] in second_level() and len(labels[-1]) == 2 else 2
    return ".".join(labels[-size:])


@cache
def second_level() -> frozenset[str]:
    return frozenset(reference("mail_domains")["second_level"])


def free_provider(domain: str) -> bool:
    """Tell whether a domain is a mail provider's."""
    return domain in free_domains()


@cache
def calling_codes() -> frozenset[str]:
    return frozenset(reference("calling_codes")["codes"])


@lru_cache(maxsize=_CACHE)
def phone_digits(value: str) -> str:
    """Return the national significant digits of a number, at most the last ten; '' for what is no number.

    Country prefixes are often wrong or missing, so the number in the country is what two writings share.
    """
    text = _EXTENSION.sub("", value[:LONGEST].strip())
    international = text.startswith(("+", "00"))
    digits = "".join(_DIGITS.findall(text)).lstrip("0") if not text.startswith("+") else "".join(_DIGITS.findall(text))
    if international:
        codes = calling_codes()
        size = next((size for size in (1, 2, 3) if digits[:size] in codes), 0)
        if len(digits) - size >= SHORTEST_PHONE:
            digits = digits[size:].lstrip("0")
    elif len(digits) == 11 and digits[0] == "1":
        digits = digits[1:]
    if len(digits) < SHORTEST_PHONE or len(set(digits)) < 2 or digits in "01234567890" or digits in "9876543210":
        return ""
    return digits[-10:]


@lru_cache(maxsize=_CACHE)
def birth(value: str) -> str:
    """Return a birth date; first of January speaks only of the year; placeholders are dropped."""
    if not value or value in _generic()[0]:
        return ""
    if len(value) == 4:
        return value + "-00-00"
    return value[:4] + "-00-00" if value[4:] in ("-01-01", "-00-00") else value[:10]


@lru_cache(maxsize=_CACHE)
def identifier(kind: str, country: str, value: str, *, verified: bool | None) -> str:
    """Return type|country|v, f or n|value; a tax number's own country prefix is taken off; '' for placeholders."""
    compact = value if _COMPACT.fullmatch(value) else _NOT_ALNUM.sub("", plain_ascii(value).upper())
    if (
        kind == "tax_id"
        and len(compact) > 6
        and compact[:2].isalpha()
        and (not country or compact[:2] == country.upper())
    ):
        country, compact = country or compact[:2], compact[2:]
    if len(compact) < 4 or len(set(compact)) < 2 or compact in "12345678901234567890":
        return ""
    flag = "n" if verified is None else "v" if verified else "f"
    return f"{kind}|{country.lower()}|{flag}|{compact.lower()}"
