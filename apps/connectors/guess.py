"""Which column means what: guessed from the header and from a sample of the values, for a person to confirm.

A header is known by name (seven languages, common products), by name without words that only say whose field it is, or
by likeness. Values support it, contradict it, or speak for themselves where the header says nothing. Each canonical
field goes to one column, the surest first; the same input gives the same guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from rapidfuzz import process
from rapidfuzz.distance import OSA

from apps.connectors import mapping
from apps.connectors.guess_names import BY_NAME, QUALIFIERS, SECOND, fold, words
from apps.customers import canonical_values as values
from apps.customers.canonical import FLAT_FIELDS
from apps.customers.canonical_contacts import email, website
from apps.customers.canonical_identifiers import identifier
from apps.customers.canonical_places import COUNTRIES, country_code, currency_code, language_tag
from apps.customers.canonical_values import Refusal

SURE: Final = 0.5  # a guess below this is shown, not taken
_LIKE: Final = 0.82  # share of letters that agree, for headers that are misspelt: two slips in twelve letters
_SAMPLE: Final = 200


@dataclass(frozen=True, slots=True)
class Guess:
    """What one column is taken for: a canonical name or None, how sure (0 to 1), and why, as a sentence."""

    canonical: str | None
    confidence: float
    reason: str


class _Candidate(NamedTuple):
    confidence: float
    column: str
    canonical: str
    reason: str


def guess(header: Sequence[str], sample_rows: Sequence[Mapping[str, Any]]) -> dict[str, Guess]:
    """A guess for every column, in the order of the header; `sample_rows` are values by column (20 to 200 will do)."""
    samples = {column: _sample(column, sample_rows) for column in header}
    candidates = [found for column in header for found in _candidates(column, samples[column])]
    _surnames(candidates)
    place = {column: at for at, column in reversed(list(enumerate(header)))}
    candidates.sort(key=lambda one: (-one.confidence, place[one.column], FLAT_FIELDS.index(one.canonical)))
    taken: dict[str, str] = {}
    guesses: dict[str, Guess] = {}
    for one in candidates:
        if one.column not in guesses and one.canonical not in taken:
            taken[one.canonical] = one.column
            guesses[one.column] = Guess(one.canonical, round(one.confidence, 2), one.reason)
    for one in candidates:
        if one.column not in guesses:
            reason = f"It looks like {one.canonical}, but {taken[one.canonical]!r} looks more like it."
            guesses[one.column] = Guess(None, 0.0, reason)
    unknown = Guess(None, 0.0, "Neither its name nor its values are known.")
    return {column: guesses.get(column, unknown) for column in header}


def mapping_of(guesses: Mapping[str, Guess], *, at_least: float = SURE) -> mapping.Mapping:
    """The mapping document that takes every guess that is sure enough."""
    columns = {
        one.canonical: (column,) for column, one in guesses.items() if one.canonical and one.confidence >= at_least
    }
    return mapping.Mapping(columns={name: columns[name] for name in FLAT_FIELDS if name in columns})


def _sample(column: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    found = []
    for row in rows[:_SAMPLE]:
        value = row.get(column)
        if isinstance(value, str | int | float) and (text := str(value).strip()[:300]):
            found.append(text)
    return found


def _candidates(column: str, sample: list[str]) -> list[_Candidate]:
    """What a column may be, by name (weighed against its values) or, where the name says nothing, by its values."""
    named = _by_name(column)
    if named is None:
        return [_Candidate(sure, column, name, reason) for name, sure, reason in _by_values(column, sample)]
    name, sure, reason = named
    test = _TESTS.get(name)
    if test is None or not sample:
        return [_Candidate(sure, column, name, reason)]
    share = sum(map(test, sample)) / len(sample)
    if share >= SURE:
        return [_Candidate(min(1.0, sure + 0.04 * share), column, name, f"{reason} Its values agree.")]
    doubt = f"{reason} But {1 - share:.0%} of its values cannot be a {name}."
    others = [_Candidate(one, column, other, why) for other, one, why in _by_values(column, sample) if other != name]
    return [_Candidate(sure * 0.45, column, name, doubt), *others]


def _by_name(column: str) -> tuple[str, float, str] | None:
    """Canonical name, confidence and reason from the header alone."""
    parts = words(column)
    whole = "".join(parts)
    if not whole:
        return None
    name = BY_NAME.get(whole)
    if name:
        exact = whole == fold(name)
        return name, 1.0 if exact else 0.95, "The header is this name." if exact else f"The header means {name}."
    for length in range(len(parts) - 1, 0, -1):
        for start in range(len(parts) - length, -1, -1):
            rest = parts[:start] + parts[start + length :]
            name = BY_NAME.get("".join(parts[start : start + length]))
            if name and all(word in QUALIFIERS or word in SECOND for word in rest):
                second = any(word in SECOND for word in rest)
                kept = " ".join(parts[start : start + length])
                return name, 0.55 if second else 0.85, f"The header holds {kept!r}, which means {name}."
    return _by_likeness(whole) or _by_likeness("".join(word for word in parts if word not in QUALIFIERS))


def _by_likeness(text: str) -> tuple[str, float, str] | None:
    if len(text) < 5:
        return None
    like = process.extractOne(text, BY_NAME.keys(), scorer=OSA.normalized_similarity, score_cutoff=_LIKE)
    if like is None or len(like[0]) < 5:
        return None
    return BY_NAME[like[0]], 0.7, f"The header is like {like[0]!r}, which means {BY_NAME[like[0]]}."


def _surnames(candidates: list[_Candidate]) -> None:
    """A column "Name" beside one with first names and none with family names holds the family names."""
    names = {one.canonical for one in candidates}
    if "given_name" not in names or "family_name" in names:
        return
    for at, one in enumerate(candidates):
        if one.canonical == "name" and fold(one.column) in {"name", "naam", "nome"}:
            reason = "Beside a column of first names, the name is the family name."
            candidates[at] = one._replace(canonical="family_name", confidence=0.8, reason=reason)


_DOMAIN: Final = re.compile(r"(?:https?://)?(?:[a-z0-9-]+\.)+[a-z]{2,}(?:/\S*)?", re.IGNORECASE)
_PHONE: Final = re.compile(r"(?:\+|00)?[\d ()./-]{7,22}")
_PHONE_MARKS: Final = re.compile(r"[+ ()/-]")
_VAT: Final = re.compile(
    r"(?:AT|BE|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|GB|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK)[0-9A-Z]{8,12}"
)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*")


def _is_email(text: str) -> bool:
    return email(text)[1]


def _is_phone(text: str) -> bool:
    return _PHONE.fullmatch(text) is not None and 7 <= sum(char.isdigit() for char in text) <= 15


def _is_date(text: str) -> bool:
    return not isinstance(values.birth_date(text, None), Refusal)


def _is_number(text: str) -> bool:
    return not isinstance(values.money(text, None), Refusal)


def _is_country(text: str) -> bool:
    # Three letters alone are too often something else.
    return text in COUNTRIES or (len(text) > 3 and country_code(text) is not None)


def _is_lei(text: str) -> bool:
    found = identifier("lei", text, None) if len(text) == 20 else None
    return found is not None and found.verified is True


# What a value of a field must be like; a field without a test takes any text.
_TESTS: Final[Mapping[str, Callable[[str], bool]]] = {
    "email": lambda text: "@" in text,
    "phone": lambda text: sum(char.isdigit() for char in text) >= 5,
    "website": lambda text: website(text) is not None and "." in text and "@" not in text,
    "birth_date": _is_date,
    "source_updated_at": lambda text: not isinstance(values.timestamp(text), Refusal),
    "country": lambda text: country_code(text) is not None,
    "currency": lambda text: currency_code(text) is not None,
    "language": lambda text: language_tag(text) is not None,
    "kind": lambda text: not isinstance(values.kind(text), Refusal),
    "status": lambda text: not isinstance(values.status(text), Refusal),
    "deleted": lambda text: not isinstance(values.truth(text), Refusal),
    "credit_limit": _is_number,
    "postal_code": lambda text: len(text) <= 12,
    "given_name": lambda text: not text.isdigit() and "@" not in text,
    "family_name": lambda text: not text.isdigit() and "@" not in text,
    "city": lambda text: not text.isdigit() and "@" not in text,
}
# What values alone can say where the header says nothing: field, test, confidence, what the sentence calls them.
_SPEAKING: Final[tuple[tuple[str, Callable[[str], bool], float, str], ...]] = (
    ("email", _is_email, 0.85, "e-mail addresses"),
    ("lei", _is_lei, 0.9, "legal entity identifiers"),
    ("tax_id", lambda text: _VAT.fullmatch(text.replace(" ", "").upper()) is not None, 0.7, "VAT numbers"),
    ("source_updated_at", lambda text: _TIME.fullmatch(text) is not None, 0.55, "points in time"),
    ("birth_date", _is_date, 0.5, "dates of the past"),
    ("website", lambda text: _DOMAIN.fullmatch(text) is not None, 0.7, "web addresses"),
    ("phone", lambda text: _is_phone(text) and _PHONE_MARKS.search(text) is not None, 0.65, "phone numbers"),
    ("kind", lambda text: text.lower() in values.KINDS, 0.75, "persons and organizations"),
    ("status", lambda text: text.lower() in values.STATUSES, 0.7, "states of customers"),
    (
        "country",
        lambda text: text in COUNTRIES or (len(text) > 3 and country_code(text) is not None),
        0.65,
        "countries",
    ),
)


def _by_values(column: str, sample: list[str]) -> list[tuple[str, float, str]]:
    """What the values look like: nine in ten of at least two values must agree."""
    if len(sample) < 2:
        return []
    found: list[tuple[str, float, str]] = []
    distinct = list(dict.fromkeys(sample))
    for name, test, sure, called in _SPEAKING:
        if name == "country" and (len(distinct) > 60 or any(char.isdigit() for text in distinct for char in text)):
            continue  # a look-up in many languages is spared for what cannot be a list of countries
        share = sum(map(test, distinct)) / len(distinct)
        if share >= 0.9:
            found.append((name, sure * share, f"The header says nothing, but the values are {called}."))
    if not found and "id" in words(column) and len(distinct) == len(sample):
        found.append(("record_id", 0.5, "The header speaks of an id and no value occurs twice."))
    return found
