"""Birth dates, emails, phones, domains and identifiers."""

import re

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from apps.matching.comparison_levels import level_number
from apps.matching.comparisons_columns import (
    NONE,
    Bools,
    Ints,
    Levels,
    Longs,
    Texts,
    best,
    cross,
    numbered,
)
from apps.matching.comparisons_edits import Outlines, outlines, within
from apps.matching.encoded import Encoded
from apps.matching.encoded_parts import before, identifiers_of, mails_of

_BIRTH = {level: level_number("birth_date", level) for level in ("same", "alike", "year", "partly", "different")}
_EMAIL = {level: level_number("email", level) for level in ("same", "role", "alike", "mailbox", "different")}
_ID = {
    level: level_number("identifier", level)
    for level in ("same_verified", "same", "alike", "different", "different_verified")
}


def birth_levels(table: Encoded, left: Longs, right: Longs) -> Levels:
    """Return levels of birth_date."""
    dates = table.column("birth")
    codes = dates.single()
    a, b = codes[left], codes[right]
    result = np.zeros(len(left), np.int8)
    result[(a == b) & (a != NONE)] = _BIRTH["same"]
    digits = table.once("birth digits", lambda: _date_digits(dates.texts))
    partial = (digits[:, 4:] == 0).all(axis=1)
    result[(result > 0) & partial[a]] = _BIRTH["year"]
    at = np.flatnonzero((a != b) & (a != NONE) & (b != NONE))
    if len(at):
        result[at] = _dates(digits[a[at]], digits[b[at]], partial[a[at]] | partial[b[at]])
    return result


def _date_digits(texts: Texts) -> npt.NDArray[np.int16]:
    """The eight digits of each date; what is no date has zeros, and so has the last row, which stands for NONE."""
    digits = np.zeros((len(texts) + 1, 8), np.int16)
    for row, text in enumerate(texts.tolist()):
        if len(text) == 10:
            digits[row] = [ord(text[place]) - 48 for place in (0, 1, 2, 3, 5, 6, 8, 9)]
    return digits


def _dates(one: npt.NDArray[np.int16], other: npt.NDArray[np.int16], partial: npt.NDArray[np.bool_]) -> Levels:
    differ = one != other
    count = differ.sum(axis=1)
    year = ~differ[:, :4].any(axis=1)
    month = ~differ[:, 4:6].any(axis=1)
    day = ~differ[:, 6:].any(axis=1)
    swapped = year & (one[:, 4:6] == other[:, 6:]).all(axis=1) & (one[:, 6:] == other[:, 4:6]).all(axis=1)
    exchanged = (differ[:, :-1] & differ[:, 1:] & (one[:, :-1] == other[:, 1:]) & (one[:, 1:] == other[:, :-1])).any(
        axis=1
    )
    result = np.full(len(one), _BIRTH["different"], np.int8)
    result[(year.astype(int) + month + day) >= 2] = _BIRTH["partly"]
    result[(count == 1) | swapped | (exchanged & (count == 2))] = _BIRTH["alike"]
    near_year = differ[:, :4].sum(axis=1) == 1
    result[partial] = np.where(year, _BIRTH["year"], np.where(near_year, _BIRTH["partly"], _BIRTH["different"]))[
        partial
    ]
    return result


def email_levels(table: Encoded, left: Longs, right: Longs) -> Levels:
    """Return levels of email: the best over all addresses of both records."""
    mails = table.column("email")
    crossed = cross(mails, left, right)
    a, b = mails.codes[crossed.left], mails.codes[crossed.right]
    if not len(a):
        return np.zeros(len(left), np.int8)
    parts = mails_of(table)
    box, size = parts.mailbox, parts.length
    result = np.full(len(a), _EMAIL["different"], np.int8)
    own = (parts.mailbox_length > 4) & ~parts.role
    elsewhere = np.flatnonzero((box[a] == box[b]) & (a != b) & own[a])
    named = np.zeros(len(a), np.bool_)
    named[elsewhere] = _named(table, left[crossed.pair[elsewhere]], a[elsewhere])
    named[elsewhere] |= _named(table, right[crossed.pair[elsewhere]], b[elsewhere])
    result[elsewhere] = np.where(named[elsewhere], _EMAIL["different"], _EMAIL["mailbox"])
    at = np.flatnonzero(a != b)
    where, distance = within(outlines(table, "email"), a[at], b[at], 2)
    low, high = a[at[where]], b[at[where]]
    long = (box[low] == box[high]) & (np.minimum(size[low], size[high]) >= 12) & ~named[at[where]]
    near = (distance <= 1) | long
    close = np.flatnonzero(near & (box[low] != box[high]))
    # Another number is another mailbox (anna1@, anna2@), not a typing error.
    near[close] = [
        _digits(one) == _digits(other)
        for one, other in zip(
            *(parts.mailboxes.take(pa.array(mails[close])).to_pylist() for mails in (low, high)), strict=True
        )
    ]
    result[at[where[near]]] = _EMAIL["alike"]
    at = np.flatnonzero(a == b)
    result[at] = np.where(parts.role[a[at]], _EMAIL["role"], _EMAIL["same"])
    return best(crossed, result, len(left))


def _named(table: Encoded, records: Longs, mails: Ints) -> Bools:
    """Tell which mailboxes are made of the name of the record that holds them and of nothing that counts: they say no more than
    the name does, for every namesake writes it so at some provider."""
    names = [table.column(feature) for feature in ("given", "family")]
    distinct, place = numbered(records << 32 | mails)
    boxes = mails_of(table).mailboxes.take(pa.array(distinct & 0xFFFFFFFF)).to_pylist()
    found = np.zeros(len(distinct), np.bool_)
    for at, (record, box) in enumerate(zip((distinct >> 32).tolist(), boxes, strict=True)):
        words = " ".join(str(column.texts[code]) for column in names if (code := column.nth(0)[record]) != NONE).split()
        found[at] = not _digits(box) and any(len(word) > 2 and _plain(word) in _plain(box) for word in words)
    return found[place]


_NO_LETTER, _UMLAUT = re.compile(r"[^a-z]+"), re.compile("(?<=[aou])e")


def _plain(text: str) -> str:
    """Letters as mailboxes have them, umlauts without their e."""
    return _UMLAUT.sub("", _NO_LETTER.sub("", text))


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def phone_levels(table: Encoded, left: Longs, right: Longs) -> Levels:
    """Return levels of phone: numbers agree when their last eight digits do."""
    phones = table.column("phone")
    crossed = cross(phones, left, right)
    if not len(crossed.pair):
        return np.zeros(len(left), np.int8)
    tails = table.once("phone tails", lambda: phones.mapped(lambda texts: pc.utf8_slice_codeunits(texts, -8)))
    a, b = phones.codes[crossed.left], phones.codes[crossed.right]
    tail_a, tail_b = tails[crossed.left], tails[crossed.right]
    result = np.full(len(a), level_number("phone", "different"), np.int8)
    at = np.flatnonzero(tail_a != tail_b)
    if len(at):
        outline = outlines(table, "phone")
        at = at[within(outline, a[at], b[at], 1)[0]]
        at = at[np.minimum(outline.length[a[at]], outline.length[b[at]]) >= 8]
        result[at] = level_number("phone", "alike")
    result[tail_a == tail_b] = level_number("phone", "same")
    return best(crossed, result, len(left))


def domain_levels(table: Encoded, left: Longs, right: Longs) -> Levels:
    """Return levels of domain: web site against web site or company mail, the best of all."""
    domains = table.column("domain")
    crossed = cross(domains, left, right)
    if not len(crossed.pair):
        return np.zeros(len(left), np.int8)
    labels = table.once("domain labels", lambda: domains.mapped(lambda texts: before(texts, ".")))
    result = np.full(len(crossed.pair), level_number("domain", "different"), np.int8)
    result[labels[crossed.left] == labels[crossed.right]] = level_number("domain", "alike")
    result[domains.codes[crossed.left] == domains.codes[crossed.right]] = level_number("domain", "same")
    return best(crossed, result, len(left))


def identifier_levels(table: Encoded, left: Longs, right: Longs) -> Levels:
    """Return levels of identifier over pairs of one kind; numbers of other countries or lengths are not comparable."""
    identifiers = table.column("identifier")
    crossed = cross(identifiers, left, right)
    if not len(crossed.pair):
        return np.zeros(len(left), np.int8)
    parts = identifiers_of(table)
    kind, country, value, size, flag = parts.scheme, parts.country, parts.value, parts.length, parts.verified
    a, b = identifiers.codes[crossed.left], identifiers.codes[crossed.right]
    result = np.zeros(len(a), np.int8)
    one_place = (country[a] == country[b]) | (country[a] == NONE) | (country[b] == NONE)
    comparable = (kind[a] == kind[b]) & one_place & (np.abs(size[a] - size[b]) <= 1)
    both = flag[a] & flag[b]
    result[comparable] = _ID["different"]
    result[comparable & both & (size[a] == size[b]) & (country[a] == country[b])] = _ID["different_verified"]
    at = np.flatnonzero(comparable & (value[a] != value[b]))
    if len(at):
        outline = table.once("outlines identifier value", lambda: Outlines(parts.value_texts))
        result[at[within(outline, a[at], b[at], 1)[0]]] = _ID["alike"]
    equal = (kind[a] == kind[b]) & (value[a] == value[b])
    result[equal] = np.where(both[equal] & (country[a] == country[b])[equal], _ID["same_verified"], _ID["same"])
    return best(crossed, result, len(left))
