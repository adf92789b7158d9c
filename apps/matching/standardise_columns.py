"""Flat columns (canonical names, texts) brought to features, each distinct value once: the same features as record by record.

What depends on one column is read once per distinct text, what hangs together (a country's identifiers, a whole name beside its
parts) once per distinct combination. So what the functions remember for records that come one by one is left aside here.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from apps.customers import canonical_identifiers, canonical_kind, canonical_places, canonical_values
from apps.customers.canonical_contacts import emails
from apps.matching.comparisons_columns import NONE, Column, Ints, Longs, Texts, as_texts, coded
from apps.matching.encoded import Encoded
from apps.matching.standardise_addresses import Address, address, city_name, has_digit, line, postcode_of
from apps.matching.standardise_contacts import birth, free_provider, identifier, mail, phone_digits, registrable
from apps.matching.standardise_names import company_name, person_name

T = TypeVar("T")
R = TypeVar("R")
Each = Callable[[Callable[[T], R], Sequence[T]], list[R]]
"""Applies a function to every item: `map`, or many processes."""
COLUMNS: Final = (
    "system", "kind", "name", "given_name", "family_name", "organization_name", "birth_date", "email", "phone", "website",
    *canonical_identifiers.KINDS, "address_line1", "address_line2", "city", "postal_code", "country",
)  # fmt: skip
"""The flat columns that are read; all may be missing."""


def one_by_one(function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Apply a function to every item in this process."""
    return list(map(function, items))


class _Raw(NamedTuple):
    """A flat column: each record's code of a distinct, trimmed text, NONE where it is empty."""

    codes: Ints
    texts: Texts

    def apply(self, function: Callable[[str], str], each: "Each[Any, Any]" = one_by_one) -> "_Raw":
        """The column of what `function` makes of each distinct text."""
        return self.becomes(each(function, self.texts.tolist()))

    def becomes(self, texts: Sequence[str]) -> "_Raw":
        """The column with other texts in the place of the distinct ones; '' is none."""
        codes, found = coded(pa.array(texts, pa.string()))
        return _Raw(np.append(codes, NONE).astype(np.int32)[self.codes], found)

    def at(self, default: str = "") -> Texts:
        """Each record's text."""
        return np.append(self.texts, as_texts([default]))[self.codes]


def standardise_columns(table: pa.Table, each: "Each[Any, Any]" = one_by_one) -> Encoded:
    """Return the features of flat records, one row a record, in order.

    `table`: text columns under the names of `COLUMNS`; others are ignored. Values that cannot be read count as not known."""
    raw = {name: _raw(table, name) for name in COLUMNS}
    country = raw["country"].apply(_country)
    organization = _organizations(raw)
    mails, company_domains = _mails(raw["email"], each)
    columns: dict[str, Column] = {
        "system": _single(raw["system"]),
        "kind": _single(_Raw(organization.astype(np.int32), as_texts(["p", "o"]))),
        **_people(raw, ~organization, each),
        **_companies(raw, organization, each),
        "birth": _single(_born(raw["birth_date"], country)),
        "email": mails,
        "phone": _single(raw["phone"].apply(_phone, each)),
        "domain": _side_by_side([raw["website"].apply(_own_domain, each), company_domains]),
        "identifier": _identifiers(raw, country, each),
        **_addresses(raw, country, each),
    }
    return Encoded(None, columns)


def _raw(table: pa.Table, name: str) -> _Raw:
    rows = table.num_rows
    if name not in table.column_names:
        return _Raw(np.full(rows, NONE, np.int32), as_texts([]))
    values = table.column(name)
    if not pa.types.is_string(values.type):
        values = values.cast(pa.string())
    values = values.combine_chunks().fill_null("").dictionary_encode()
    values = values.chunk(0) if isinstance(values, pa.ChunkedArray) else values
    trimmed = pc.utf8_trim_whitespace(values.dictionary)
    codes, texts = coded(trimmed)
    found = np.append(codes, NONE).astype(np.int32)[values.indices.to_numpy(zero_copy_only=False)]
    return _Raw(found, texts)


def _country(text: str) -> str:
    return canonical_places.country_code(text) or ""


def _organizations(raw: Mapping[str, _Raw]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which records are organisations: as they say, or as what they hold makes likely."""
    kind = raw["kind"].apply(_kind)
    said = kind.at()
    there = {name: raw[name].codes != NONE for name in raw}
    company = raw["name"].apply(_reads_like_company).at() == "1"
    register = there["lei"] | there["duns"] | there["registration_number"]
    person = there["given_name"] | there["family_name"] | there["birth_date"]
    likely = register | (~person & (there["organization_name"] | company))
    return np.asarray(np.where(said == "", likely, said == "organization"), np.bool_)


def _kind(text: str) -> str:
    found = canonical_values.kind(text)
    return found if isinstance(found, str) else ""


def _reads_like_company(text: str) -> str:
    return "1" if canonical_kind.looks_like_company(text) else ""


def _single(raw: _Raw) -> Column:
    there = raw.codes != NONE
    return Column(raw.codes, np.arange(len(there), dtype=np.int64), there.astype(np.int64), raw.texts)


def _side_by_side(columns: Sequence[_Raw]) -> Column:
    """One list a record of the values of several columns, each once."""
    numbers, texts = coded(pa.array(np.concatenate([one.texts for one in columns]), pa.string()))
    ends = np.cumsum([0, *(len(one.texts) for one in columns)])
    matrix = np.stack(
        [np.append(numbers[ends[i] : ends[i + 1]], NONE)[one.codes] for i, one in enumerate(columns)], axis=1
    )
    for later in range(1, len(columns)):
        for earlier in range(later):
            matrix[matrix[:, later] == matrix[:, earlier], later] = NONE
    there = matrix != NONE
    size = there.sum(axis=1).astype(np.int64)
    return Column(matrix[there].astype(np.int32), np.cumsum(size) - size, size, texts)


def _of_each(codes: Longs, found: Sequence[Sequence[str]]) -> Column:
    """Lists by record: `found` holds a list for each distinct value, `codes` each record's value, -1 for none.

    Records of one value share its place among the codes."""
    size = np.fromiter(map(len, found), np.int64, len(found))
    flat, texts = coded(pa.array([text for own in found for text in own], pa.string()))
    start = np.append(np.cumsum(size) - size, 0)[codes]
    return Column(flat, start, np.append(size, 0)[codes], texts)


class _Together(NamedTuple):
    """Distinct combinations of columns: for each record its combination (-1: not wanted), and their texts."""

    codes: Longs
    texts: list[tuple[str, ...]]


def _together(columns: Sequence[_Raw], wanted: np.ndarray[Any, np.dtype[np.bool_]]) -> _Together:
    matrix = np.stack([one.codes[wanted] for one in columns], axis=1).astype(np.int64)
    code = np.zeros(len(matrix), np.int64)
    for place, one in enumerate(columns):
        code = code * (len(one.texts) + 1) + matrix[:, place] + 1
        if place < len(columns) - 1:
            code = np.unique(code, return_inverse=True)[1].astype(np.int64)
    _, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    texts = [np.append(one.texts, as_texts([""]))[matrix[first, place]].tolist() for place, one in enumerate(columns)]
    codes = np.full(len(wanted), -1, np.int64)
    codes[wanted] = inverse
    return _Together(codes, list(zip(*texts, strict=True)))


def _people(
    raw: Mapping[str, _Raw], wanted: np.ndarray[Any, np.dtype[np.bool_]], each: "Each[Any, Any]"
) -> dict[str, Column]:
    """Names of people. A record with both parts is read part by part; any other by all it says."""
    given, family, name = raw["given_name"], raw["family_name"], raw["name"]
    given_read, family_read = each(_given, given.texts.tolist()), each(_family, family.texts.tolist())
    parts = wanted & _any([one[0] for one in given_read], given) & _any([one[1] for one in family_read], family)
    whole = _together([given, family, name], wanted & ~parts)
    # Distinct given names, then family names, then combinations: one numbering of what was read.
    read = [*given_read, *family_read, *each(_person, whole.texts)]
    shift, more = len(given.texts), len(given.texts) + len(family.texts)
    rest = np.where(whole.codes >= 0, whole.codes + more, -1)
    of_given = np.where(parts, given.codes, rest)
    of_family = np.where(parts, family.codes + shift, rest)
    suffixes = _Raw(of_family.astype(np.int32), as_texts([one[2] for one in read]))
    own = np.where(suffixes.at() == "", of_given, of_family).astype(np.int32)
    return {
        "given": _of_each(of_given, [one[0] for one in read]),
        "family": _of_each(of_family, [one[1] for one in read]),
        "suffix": _single(_Raw(own, suffixes.texts).becomes(suffixes.texts.tolist())),
    }


def _any(read: Sequence[Sequence[str]], raw: _Raw) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.array([*map(bool, read), False], np.bool_)[raw.codes]


def _given(text: str) -> tuple[Sequence[str], ...]:
    return person_name.__wrapped__(text, "", "")


def _family(text: str) -> tuple[Sequence[str], ...]:
    return person_name.__wrapped__("", text, "")


def _person(texts: tuple[str, str, str]) -> tuple[Sequence[str], ...]:
    return person_name.__wrapped__(*texts)


def _companies(
    raw: Mapping[str, _Raw], wanted: np.ndarray[Any, np.dtype[np.bool_]], each: "Each[Any, Any]"
) -> dict[str, Column]:
    """Names of companies. The city matters only to names that may end in a place."""
    called = _either(raw["organization_name"], raw["name"])
    city = raw["city"]
    placed = np.append([any(mark in text for mark in ("(", "[", " - ")) for text in called.texts.tolist()], False)
    city = _Raw(np.where(placed[called.codes], city.codes, NONE).astype(np.int32), city.texts)
    found = _together([called, city], wanted & (called.codes != NONE))
    read = each(_company, found.texts)
    forms = _Raw(found.codes.astype(np.int32), as_texts([one[1] for one in read]))
    return {
        "company": _of_each(found.codes, [one[0] for one in read]),
        "legal_form": _single(forms.becomes(forms.texts.tolist())),
    }


def _company(texts: tuple[str, str]) -> tuple[Sequence[str], str]:
    return company_name.__wrapped__(*texts)


def _either(first: _Raw, second: _Raw) -> _Raw:
    numbers, texts = coded(pa.array(np.concatenate([first.texts, second.texts]), pa.string()))
    one, other = np.append(numbers[: len(first.texts)], NONE), np.append(numbers[len(first.texts) :], NONE)
    return _Raw(np.where(first.codes != NONE, one[first.codes], other[second.codes]).astype(np.int32), texts)


def _born(dates: _Raw, country: _Raw) -> _Raw:
    iso = np.append([len(text) == 10 and text[4] == text[7] == "-" for text in dates.texts.tolist()], True)
    country = _Raw(np.where(iso[dates.codes], NONE, country.codes).astype(np.int32), country.texts)
    found = _together([dates, country], dates.codes != NONE)
    return _Raw(found.codes.astype(np.int32), as_texts(["" for _ in found.texts])).becomes(
        [_birth(*texts) for texts in found.texts]
    )


def _birth(text: str, country: str) -> str:
    found = canonical_values.birth_date(text, country or None)
    return birth(found) if isinstance(found, str) else ""


def _mails(raw: _Raw, each: "Each[Any, Any]") -> tuple[Column, _Raw]:
    """Mail addresses, and the domain of the first company mailbox."""
    read = each(_mail, raw.texts.tolist())
    codes = raw.codes.astype(np.int64)
    return _of_each(codes, [one[0] for one in read]), raw.becomes([one[1] for one in read])


def _mail(text: str) -> tuple[Sequence[str], str]:
    if text.count("@") < 2:
        one = mail.__wrapped__(text)
        return ((one.address,) if one.address else ()), one.company_domain
    found = [mail(one) for _, one, _ in emails(text)]
    addresses = dict.fromkeys(one.address for one in found if one.address)
    return [*addresses], next((one.company_domain for one in found if one.company_domain), "")


def _own_domain(text: str) -> str:
    found = registrable(text)
    return "" if free_provider(found) else found


def _identifiers(raw: Mapping[str, _Raw], country: _Raw, each: "Each[Any, Any]") -> Column:
    columns = []
    for kind in canonical_identifiers.KINDS:
        found = _together([raw[kind], country], raw[kind].codes != NONE)
        read = each(partial(_identifier, kind), found.texts)
        columns.append(_Raw(found.codes.astype(np.int32), as_texts([""] * len(read))).becomes(read))
    return _side_by_side(columns)


def _identifier(kind: str, texts: tuple[str, str]) -> str:
    text, country = texts
    found = canonical_identifiers.identifier(kind, text, country or None)
    return identifier(kind, found.country or "", found.value, verified=found.verified) if found else ""


def _addresses(raw: Mapping[str, _Raw], country: _Raw, each: "Each[Any, Any]") -> dict[str, Column]:
    """One address a record, where any part of it is known. A record with one line is read part by part, any other as a whole."""
    parts = [raw[name] for name in ("address_line1", "address_line2", "city", "postal_code")]
    line1, line2, city, postcode = parts
    known = np.logical_or.reduce([one.codes != NONE for one in (*parts, country)])
    swapped = _flag(city, has_digit) & ~_flag(line1, has_digit)
    simple = known & (line2.codes == NONE) & ~swapped
    whole = _together([*parts, country], known & ~simple)
    read = each(_address, whole.texts)
    lines = each(_line, line1.texts.tolist())
    codes = _Together(np.where(simple, line1.codes, -1).astype(np.int64), [])
    lower = country.apply(str.lower)
    posted = _together([postcode, lower], simple & (postcode.codes != NONE))
    found = {
        "house": (codes.codes, [one[0] for one in lines]),
        "street": (codes.codes, [one[1] for one in lines]),
        "unit": (codes.codes, [one[2] for one in lines]),
        "postcode": (posted.codes, [postcode_of(*texts) for texts in posted.texts]),
        "city": (np.where(simple, city.codes, -1), each(city_name, city.texts.tolist())),
        "country": (np.where(simple, lower.codes, -1), lower.texts.tolist()),
    }
    start, there = np.arange(len(known), dtype=np.int64), known.astype(np.int64)
    columns = {}
    for place, (name, (own, texts)) in enumerate(found.items()):
        rest = np.where(whole.codes >= 0, whole.codes + len(texts), NONE)
        values = _Raw(np.where(simple, own, rest).astype(np.int32), as_texts([])).becomes(
            [*texts, *(one[place] for one in read)]
        )
        columns[f"address_{name}"] = Column(values.codes, start, there, values.texts)
    return columns


def _flag(raw: _Raw, function: Callable[[str], bool]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.array([*map(function, raw.texts.tolist()), False], np.bool_)[raw.codes]


def _line(text: str) -> tuple[str, str, str]:
    return line.__wrapped__(text)


def _phone(text: str) -> str:
    return phone_digits.__wrapped__(text)


def _address(texts: tuple[str, ...]) -> Address:
    return address.__wrapped__(*texts)
