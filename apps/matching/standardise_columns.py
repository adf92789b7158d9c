"""Flat columns (canonical names, texts) brought to features, each distinct value once: the same features as record by record.

What depends on one column is read once per distinct text, what hangs together (a country's identifiers, a whole name beside its
parts) once per distinct combination. So what the functions remember for records that come one by one is left aside here.
All reading is begun first, then gathered column by column: other processes read on meanwhile.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from apps.customers import canonical_identifiers, canonical_kind, canonical_places, canonical_values
from apps.matching import standardise_addresses_columns as addresses
from apps.matching import standardise_contacts_columns as contacts
from apps.matching import standardise_names_columns as names
from apps.matching.comparisons_columns import NONE, Bools, Column, Ints, Longs
from apps.matching.encoded import Encoded
from apps.matching.many_processes import Each, here
from apps.matching.standardise_identifiers_columns import numbers, read_identifiers
from apps.matching.standardise_text_columns import NO_TEXT, among, batch, flags, matching, texts_of

COLUMNS: Final = (
    "system", "kind", "name", "given_name", "family_name", "organization_name", "birth_date", "email", "phone", "website",
    *canonical_identifiers.TELLING, "address_line1", "address_line2", "city", "postal_code", "country",
)  # fmt: skip
"""The flat columns that are read; all may be missing."""


class _Raw(NamedTuple):
    """A flat column: each record's code of a distinct, trimmed text, NONE where it is empty."""

    codes: Ints
    texts: pa.Array

    def apply(self, function: Callable[[str], str]) -> "_Raw":
        """The column of what `function` makes of each distinct text."""
        return self.becomes(texts_of(list(map(function, self.texts.to_pylist()))))

    def becomes(self, texts: pa.Array) -> "_Raw":
        """The column with other texts in the place of the distinct ones; '' is none."""
        codes, found = _coded(texts)
        return _Raw(np.append(codes, np.int32(NONE))[self.codes], found)

    def there(self) -> Bools:
        """Which records have a text."""
        return np.asarray(self.codes != NONE, np.bool_)

    def where(self, of_texts: Bools) -> Bools:
        """Which records have a text of which a thing is true."""
        return np.asarray(np.append(of_texts, False)[self.codes], np.bool_)


def _coded(flat: pa.Array) -> tuple[Ints, pa.Array]:
    """Codes and distinct texts of an array of texts; '' gets NONE."""
    encoded = flat.dictionary_encode()
    codes = encoded.indices.to_numpy()
    empty = pc.index(encoded.dictionary, NO_TEXT).as_py()
    if empty >= 0:
        codes = np.where(codes == empty, np.int32(NONE), codes)
    return codes, encoded.dictionary


def standardise_columns(table: pa.Table, each: Each = here) -> Encoded:
    """Return the features of flat records, one row a record, in order.

    `table`: text columns under the names of `COLUMNS`; others are ignored. Values that cannot be read count as not known."""
    raw = _Columns(table)
    country = raw["country"].apply(_country)
    begun = [_identifiers(raw, country, each)]
    organization = _organizations(raw)
    begun += [
        _people(raw, ~organization, each),
        _companies(raw, organization, each),
        _addresses(raw, country, each),
        _contacts(raw, each),
        _born(raw["birth_date"], country, each),
    ]
    columns: dict[str, Column] = {
        "system": _single(raw["system"]),
        "kind": _single(_Raw(organization.astype(np.int32), texts_of(["p", "o"]))),
    }
    raw.clear()
    while begun:
        columns |= begun.pop()()  # from the end, where this process begins; and what it was made of is let go
    return Encoded(None, columns)


_Gather = Callable[[], dict[str, Column]]
"""Waits for what was begun and gives the columns made of it."""


class _Columns(dict[str, _Raw]):
    """The flat columns, each read when it is first asked for."""

    def __init__(self, table: pa.Table) -> None:
        super().__init__()
        self._table = table

    def __missing__(self, name: str) -> _Raw:
        self[name] = found = _raw(self._table, name)
        return found


def _raw(table: pa.Table, name: str) -> _Raw:
    if name not in table.column_names or not table.num_rows:
        return _Raw(np.full(table.num_rows, NONE, np.int32), texts_of([]))
    values = table.column(name)
    if not pa.types.is_string(values.type):
        values = values.cast(pa.string())
    values = values.dictionary_encode().combine_chunks()
    values = values.chunk(0) if isinstance(values, pa.ChunkedArray) else values
    raw = _Raw(values.indices.fill_null(NONE).to_numpy(), values.dictionary)
    trimmed = pc.utf8_trim_whitespace(raw.texts)
    return raw if trimmed.equals(raw.texts) and not among(trimmed, [""]).any() else raw.becomes(trimmed)


def _country(text: str) -> str:
    return canonical_places.country_code(text) or ""


def _organizations(raw: Mapping[str, _Raw]) -> Bools:
    """Which records are organisations: as they say, or as what they hold makes likely."""
    kind = raw["kind"].apply(_kind)
    register, person = (
        np.logical_or.reduce([raw[name].there() for name in names])
        for names in (("lei", "duns", "registration_number"), ("given_name", "family_name", "birth_date"))
    )
    name, called = raw["name"], raw["organization_name"].there()
    asked = name.there() & ~(kind.there() | register | person | called)
    read = name.texts.take(pa.array(np.unique(name.codes[asked]))).to_pylist()
    company = asked & name.where(among(name.texts, frozenset(filter(canonical_kind.looks_like_company, read))))
    likely = register | (~person & (called | company))
    return np.where(kind.there(), kind.where(flags(pc.equal(kind.texts, "organization"))), likely)


def _kind(text: str) -> str:
    found = canonical_values.kind(text)
    return found if isinstance(found, str) else ""


def _column(codes: Ints, start: Longs, size: Longs, texts: pa.Array) -> Column:
    return Column(codes, start, size, texts.to_numpy(zero_copy_only=False))


def _single(raw: _Raw) -> Column:
    return _column(raw.codes, np.arange(len(raw.codes), dtype=np.int64), raw.there().astype(np.int64), raw.texts)


def _side_by_side(columns: Sequence[_Raw]) -> Column:
    """One list a record of the values of several columns, each once."""
    numbers, texts = _coded(pa.concat_arrays([one.texts for one in columns]))
    ends = np.cumsum([0, *(len(one.texts) for one in columns)])
    matrix = np.stack(
        [np.append(numbers[ends[i] : ends[i + 1]], NONE)[one.codes] for i, one in enumerate(columns)], axis=1
    )
    for later in range(1, len(columns)):
        for earlier in range(later):
            matrix[matrix[:, later] == matrix[:, earlier], later] = NONE
    there = matrix != NONE
    size = there.sum(axis=1).astype(np.int64)
    return _column(matrix[there].astype(np.int32), np.cumsum(size) - size, size, texts)


def _of_each(codes: Longs, found: pa.Array) -> Column:
    """Lists by record: `found` holds a list for each distinct value, `codes` each record's value, -1 for none.

    Records of one value share its place among the codes."""
    size = pc.list_value_length(found).to_numpy().astype(np.int64)
    flat, texts = _coded(found.flatten())
    start = np.append(np.cumsum(size) - size, 0)[codes]
    return _column(flat, start, np.append(size, 0)[codes], texts)


class _Together(NamedTuple):
    """Distinct combinations of columns: for each record its combination (-1: not wanted), and their texts."""

    codes: Longs
    texts: list[pa.Array]

    def rows(self) -> pa.RecordBatch:
        """The combinations, '' where a part is not there."""
        return pa.RecordBatch.from_arrays(self.texts, [str(place) for place in range(len(self.texts))])


def _together(columns: Sequence[_Raw], wanted: Bools) -> _Together:
    own = [one.codes[wanted] for one in columns]
    code, many = np.zeros(int(wanted.sum()), np.int64), 1
    for one, part in zip(columns, own, strict=True):
        if many * (len(one.texts) + 1) > _MOST:
            code, many = _ranked(code, many)
        many *= len(one.texts) + 1
        code = code * (len(one.texts) + 1) + part + 1
    place, many = _ranked(code, many)
    example = np.zeros(many, np.int64)
    example[place] = np.arange(len(place))
    codes = np.full(len(wanted), NONE, np.int64)
    codes[wanted] = place
    return _Together(codes, [_at(one.texts, found[example]) for one, found in zip(columns, own, strict=True)])


_MOST: Final = 2**62


def _ranked(numbers: Longs, below: int) -> tuple[Longs, int]:
    """Each number's place among the distinct ones, in order, and how many these are; all are less than `below`."""
    if below <= 16 * len(numbers):
        there = np.zeros(below, np.bool_)
        there[numbers] = True
        return (np.cumsum(there) - 1)[numbers], int(there.sum())
    distinct, place = np.unique(numbers, return_inverse=True)
    return place.astype(np.int64), len(distinct)


def _at(texts: pa.Array, codes: Ints) -> pa.Array:
    """Texts of codes, '' for none."""
    return texts.take(pa.array(codes, mask=codes == NONE)).fill_null("")


def _people(raw: Mapping[str, _Raw], wanted: Bools, each: Each) -> "_Gather":
    """Names of people. A record with both parts is read part by part; any other by all it says."""
    given, family, name = raw["given_name"], raw["family_name"], raw["name"]
    begun = each(names.read_given, batch(texts=given.texts)), each(names.read_family, batch(texts=family.texts))
    of_given, of_family = (read() for read in begun)
    parts = wanted & given.where(_some(of_given["given"])) & family.where(_some(of_family["family"]))
    whole = _together([given, family, name], wanted & ~parts)
    people = each(names.read_people, whole.rows())

    def gather() -> dict[str, Column]:
        rest = people()

        def coded(own: Ints, before: int, more: int) -> Longs:
            return np.where(parts, own + before, np.where(whole.codes >= 0, whole.codes + more, NONE))

        firsts, lasts = len(given.texts), len(family.texts)
        # Suffixes by distinct given names, then family names, then combinations; the family name's goes first.
        suffix = pa.concat_arrays([of_given["suffix"], of_family["suffix"], rest["suffix"]])
        with_given, with_family = (coded(given.codes, 0, firsts + lasts), coded(family.codes, firsts, firsts + lasts))
        none = np.append(flags(pc.equal(suffix, NO_TEXT)), True)
        own = np.where(none[with_family], with_given, with_family).astype(np.int32)
        return {
            "given": _of_each(coded(given.codes, 0, firsts), pa.concat_arrays([of_given["given"], rest["given"]])),
            "family": _of_each(coded(family.codes, 0, lasts), pa.concat_arrays([of_family["family"], rest["family"]])),
            "suffix": _single(_Raw(own, suffix).becomes(suffix)),
        }

    return gather


def _some(found: pa.Array) -> Bools:
    return np.asarray(pc.list_value_length(found).to_numpy() > 0, np.bool_)


def _companies(raw: Mapping[str, _Raw], wanted: Bools, each: Each) -> "_Gather":
    """Names of companies. The city matters only to names that may end in a place."""
    called = _either(raw["organization_name"], raw["name"])
    city = raw["city"]
    placed = called.where(matching(called.texts, r"[(\[]| - "))
    city = _Raw(np.where(placed, city.codes, np.int32(NONE)), city.texts)
    found = _together([called, city], wanted & called.there())
    begun = each(names.read_companies, found.rows())

    def gather() -> dict[str, Column]:
        read = begun()
        form = _Raw(found.codes.astype(np.int32), read["legal_form"]).becomes(read["legal_form"])
        return {"company": _of_each(found.codes, read["company"]), "legal_form": _single(form)}

    return gather


def _either(first: _Raw, second: _Raw) -> _Raw:
    numbers, texts = _coded(pa.concat_arrays([first.texts, second.texts]))
    one, other = np.append(numbers[: len(first.texts)], NONE), np.append(numbers[len(first.texts) :], NONE)
    return _Raw(np.where(first.there(), one[first.codes], other[second.codes]).astype(np.int32), texts)


def _born(dates: _Raw, country: _Raw, each: Each) -> "_Gather":
    """Dates of birth. The country says in which order a date is written, where it is not the international one."""
    iso = dates.where(matching(dates.texts, "(?s)^....-..-..$"))
    country = _Raw(np.where(iso, np.int32(NONE), country.codes), country.texts)
    found = _together([dates, country], dates.there())
    begun = each(contacts.read_births, found.rows())
    return lambda: {"birth": _single(_Raw(found.codes.astype(np.int32), found.texts[0]).becomes(begun()["texts"]))}


def _contacts(raw: Mapping[str, _Raw], each: Each) -> "_Gather":
    """Mail addresses, phone numbers, and the domains of web sites and of the first company mailbox."""
    mail, phone, site = raw["email"], raw["phone"], raw["website"]
    mails = each(contacts.read_mails, batch(texts=mail.texts))
    phones = each(contacts.read_phones, batch(texts=phone.texts))
    domains = each(contacts.read_domains, batch(texts=site.texts))

    def gather() -> dict[str, Column]:
        read = mails()
        return {
            "email": _of_each(mail.codes.astype(np.int64), read["addresses"]),
            "phone": _single(phone.becomes(phones()["texts"])),
            "domain": _side_by_side([site.becomes(domains()["texts"]), mail.becomes(read["domain"])]),
        }

    return gather


def _identifiers(raw: Mapping[str, _Raw], country: _Raw, each: Each) -> "_Gather":
    begun = [_identifier(kind, raw[kind], country, each) for kind in canonical_identifiers.TELLING]
    return lambda: {"identifier": _side_by_side([one() for one in begun])}


def _identifier(kind: str, written: _Raw, country: _Raw, each: Each) -> Callable[[], _Raw]:
    """Identifiers of one kind. Several writings of one number in one country are read once."""
    found = _together([written, country], written.there())
    number, texts = _coded(numbers(*found.texts))
    place, distinct = _coded(found.texts[1])
    once = _together([_Raw(number, texts), _Raw(place, distinct)], np.ones(len(number), np.bool_))
    begun = each(partial(read_identifiers, kind), once.rows())

    def gather() -> _Raw:
        read = begun()["texts"].take(pa.array(once.codes))
        return _Raw(found.codes.astype(np.int32), read).becomes(read)

    return gather


def _addresses(raw: Mapping[str, _Raw], country: _Raw, each: Each) -> "_Gather":
    """One address a record, where any part of it is known. A record with one line is read part by part, any other as a whole."""
    parts = [raw[name] for name in ("address_line1", "address_line2", "city", "postal_code")]
    line1, line2, city, postcode = parts
    known = np.logical_or.reduce([one.there() for one in (*parts, country)])
    swapped = city.where(addresses.with_digit(city.texts)) & ~line1.where(addresses.with_digit(line1.texts))
    simple = known & ~line2.there() & ~swapped
    whole = _together([*parts, country], known & ~simple)
    lower = country.becomes(pc.ascii_lower(country.texts))
    posted = _together([postcode, lower], simple & postcode.there())
    begun = (
        each(addresses.read_addresses, whole.rows()),
        each(addresses.read_lines, batch(texts=line1.texts)),
        each(addresses.read_postcodes, posted.rows()),
        each(addresses.read_cities, batch(texts=city.texts)),
    )

    def gather() -> dict[str, Column]:
        rest, lines, codes, cities = (read() for read in begun)
        found: dict[str, tuple[Any, Any]] = {
            **{name: (line1.codes, lines[name]) for name in ("house", "street", "unit")},
            "postcode": (posted.codes, codes["texts"]),
            "city": (city.codes, cities["texts"]),
            "country": (lower.codes, lower.texts),
        }
        start, there = np.arange(len(known), dtype=np.int64), known.astype(np.int64)
        columns = {}
        for name, (own, texts) in found.items():
            other = np.where(whole.codes >= 0, whole.codes + len(texts), NONE)
            both = pa.concat_arrays([texts, rest[name]])
            values = _Raw(np.where(simple, own, other).astype(np.int32), both).becomes(both)
            columns[f"address_{name}"] = _column(values.codes, start, there, values.texts)
        return columns

    return gather
