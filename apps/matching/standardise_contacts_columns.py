"""Columns of mail addresses, phone numbers and web sites: what can be read in whole-array steps, and the others one by one."""

from functools import cache
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from apps.customers.canonical_contacts import emails
from apps.customers.canonical_values import birth_date
from apps.matching import standardise_contacts as contacts
from apps.matching.comparisons_columns import Bools, Longs
from apps.matching.standardise_text_columns import (
    NO_TEXT,
    among,
    ascii_only,
    batch,
    flags,
    lists,
    lists_of,
    matching,
    merged,
    no_longer,
    picked,
    texts_of,
)
from apps.matching.text import LONGEST

_ONE_AT: Final = "^[^@]*@[^@]*$"
_PHONE: Final = r"^[0-9+ ().\-/]*$"


def read_mails(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Mail addresses of texts: `addresses` (each once) and `domain`, that of the first company mailbox or ''."""
    texts = rows.column(0)
    known = ascii_only(texts) & no_longer(texts, LONGEST) & matching(texts, _ONE_AT)
    address, company = _plain_mails(picked(texts, known))
    other = [_mail(text) for text in picked(texts, ~known).to_pylist()]
    there = flags(pc.not_equal(address, NO_TEXT))
    return batch(
        addresses=merged(
            known, lists(there.astype(np.int64), picked(address, there)), lists_of([one[0] for one in other])
        ),
        domain=merged(known, company, texts_of([one[1] for one in other])),
    )


def role_mailboxes(boxes: pa.Array) -> Bools:
    """Tell which mailboxes belong to a role (info, billing2), not to a person."""
    return among(pc.utf8_rtrim(boxes, "0123456789.-_"), contacts.role_locals())


def _mail(text: str) -> tuple[list[str], str]:
    if text.count("@") < 2:
        one = contacts.mail.__wrapped__(text)
        return [one.address] if one.address else [], one.company_domain
    found = [contacts.mail.__wrapped__(one) for _, one, _ in emails(text)]
    addresses = dict.fromkeys(one.address for one in found if one.address)
    return [*addresses], next((one.company_domain for one in found if one.company_domain), "")


def _plain_mails(texts: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Address and company's domain, as `mail` gives them, of ASCII texts with one @ each."""
    halves = pc.split_pattern(pc.ascii_trim(pc.ascii_lower(texts), characters=" <>\"'.,;"), "@").flatten()
    local, domain = (
        halves.take(pa.array(np.arange(0, len(halves), 2))),
        halves.take(pa.array(np.arange(1, len(halves), 2))),
    )
    distinct = domain.dictionary_encode()
    read = [contacts.mail_domain.__wrapped__(text) for text in distinct.dictionary.to_pylist()]
    domain = texts_of([one[0] for one in read]).take(distinct.indices)
    company = texts_of([one[1] for one in read]).take(distinct.indices)
    dotless = pa.array([one[2] for one in read], pa.bool_()).take(distinct.indices)
    local = pc.ascii_trim(pc.replace_substring_regex(local, r"(?s)\+.*", ""), characters=".@ ")
    local = pc.if_else(dotless, pc.replace_substring(local, ".", ""), local)
    length = pc.add(pc.binary_length(local), pc.binary_length(domain)).to_numpy()
    wrong = flags(pc.equal(local, NO_TEXT)) | flags(pc.equal(domain, NO_TEXT))
    wrong |= among(local, contacts.generic_locals()) | (length < contacts.SHORTEST_MAIL)
    address = pc.binary_join_element_wise(local, domain, "@")
    return pc.if_else(pa.array(wrong), NO_TEXT, address), pc.if_else(pa.array(wrong), NO_TEXT, company)


def read_phones(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Phone numbers of texts, as `phone_digits` gives them."""
    texts = rows.column(0)
    known = no_longer(texts, LONGEST) & matching(texts, _PHONE)
    other = [contacts.phone_digits.__wrapped__(text) for text in picked(texts, ~known).to_pylist()]
    return batch(texts=merged(known, _plain_phones(picked(texts, known)), texts_of(other)))


def _plain_phones(texts: pa.Array) -> pa.Array:
    """The same of numbers without a letter, so without an extension."""
    texts = pc.ascii_trim(texts, characters=" ")
    plus = pc.starts_with(texts, "+")
    digits = pc.replace_substring_regex(texts, "[^0-9]+", "")
    digits = pc.if_else(plus, digits, pc.ascii_ltrim(digits, characters="0"))
    international = flags(pc.or_(plus, pc.starts_with(texts, "00")))
    size = _code_sizes(digits)
    length = pc.binary_length(digits).to_numpy()
    for code in range(4):
        cut = international & (size == code) & (length - code >= contacts.SHORTEST_PHONE)
        if cut.any():
            rest = pc.ascii_ltrim(pc.utf8_slice_codeunits(digits, code), characters="0")
            digits = pc.if_else(pa.array(cut), rest, digits)
    american = ~international & (length == 11) & flags(pc.starts_with(digits, "1"))
    digits = pc.if_else(pa.array(american), pc.utf8_slice_codeunits(digits, 1), digits)
    none = ~no_longer(pc.utf8_slice_codeunits(digits, 0, 1), 0) & matching(digits, _SAME_DIGIT)
    none |= no_longer(digits, contacts.SHORTEST_PHONE - 1) | among(digits, _rows_of_digits())
    return pc.if_else(pa.array(none), NO_TEXT, pc.utf8_slice_codeunits(digits, -10))


_SAME_DIGIT: Final = "^(?:" + "|".join(f"{digit}+" for digit in "0123456789") + ")$"


def _code_sizes(digits: pa.Array) -> Longs:
    """How many digits the calling code at the beginning has, 0 where there is none."""
    size = np.zeros(len(digits), np.int64)
    for length in (3, 2, 1):
        size[among(pc.utf8_slice_codeunits(digits, 0, length), contacts.calling_codes())] = length
    return size


@cache
def _rows_of_digits() -> frozenset[str]:
    """1234567 and the like, up and down."""
    rows = ("01234567890", "9876543210")
    return frozenset(row[start:end] for row in rows for start in range(len(row)) for end in range(start, len(row) + 1))


_SITE: Final = "^[!-?A-~ ]*$"  # no @, no control character


def read_domains(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Domains of web addresses, '' at a mail provider."""
    texts = rows.column(0)
    known = no_longer(texts, LONGEST) & matching(texts, _SITE)
    known &= ~flags(pc.match_substring(texts, ".."))
    other = [contacts.registrable.__wrapped__(text) for text in picked(texts, ~known).to_pylist()]
    found = merged(known, _plain_domains(picked(texts, known)), texts_of(other))
    return batch(texts=pc.if_else(pa.array(among(found, contacts.free_domains())), NO_TEXT, found))


def _plain_domains(texts: pa.Array) -> pa.Array:
    """What `registrable` makes of ASCII texts in which no label of a host is empty."""
    address = pc.replace_substring_regex(pc.ascii_trim(pc.ascii_lower(texts), characters=" "), "^[a-z]+:/*", "")
    host = pc.ascii_trim(pc.replace_substring_regex(address, "[/?#: ].*", ""), characters=".")
    return pc.fill_null(pc.struct_field(pc.extract_regex(host, _registered()), "domain"), NO_TEXT)


@cache
def _registered() -> str:
    """The last two labels, or three behind a second level (acme.co.uk)."""
    second = "|".join(sorted(contacts.second_level()))
    return rf"(?P<domain>[^.]+\.(?:{second})\.[^.][^.]|[^.]+\.[^.]+)$"


def read_births(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Dates of birth, read in countries ('' for none)."""
    return batch(
        texts=texts_of([_birth(*one) for one in zip(*(column.to_pylist() for column in rows.columns), strict=True)])
    )


def _birth(text: str, country: str) -> str:
    found = birth_date(text, country or None)
    return contacts.birth.__wrapped__(found) if isinstance(found, str) else ""
