"""Parts of the distinct texts of a column, taken apart once: keys and comparisons read the same."""

from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from apps.matching.comparisons_columns import Bools, Column, Ints, Texts, encode
from apps.matching.encoded import Encoded
from apps.matching.standardise_contacts_columns import role_mailboxes
from apps.matching.standardise_text_columns import flags
from apps.matching.words import split_words


class Identifiers(NamedTuple):
    """Each distinct identifier's scheme, country and value, as texts and as codes; whether it is verified; its length."""

    schemes: pa.StringArray
    values: pa.StringArray
    scheme: Ints
    country: Ints
    value: Ints
    value_texts: Texts
    verified: Bools
    length: Ints


def identifiers_of(table: Encoded) -> Identifiers:
    """Take identifiers apart."""

    def make() -> Identifiers:
        parts = pc.split_pattern(table.column("identifier").array, "|", max_splits=3)
        schemes, countries, verified, values = (pc.list_element(parts, place) for place in range(4))
        return Identifiers(
            schemes, values, encode(schemes), encode(countries), encode(values), values.to_numpy(zero_copy_only=False),
            flags(pc.equal(verified, "v")), pc.utf8_length(values).to_numpy(),
        )  # fmt: skip

    return table.once("identifiers", make)


class Mails(NamedTuple):
    """Each distinct mail address's mailbox, as text and as code; whether that is a role's; lengths of mailbox and whole."""

    mailboxes: pa.StringArray
    mailbox: Ints
    role: Bools
    mailbox_length: Ints
    length: Ints


def mails_of(table: Encoded) -> Mails:
    """Take mail addresses apart."""

    def make() -> Mails:
        mails = table.column("email").array
        boxes = before(mails, "@")
        return Mails(
            boxes,
            encode(boxes),
            role_mailboxes(boxes),
            pc.utf8_length(boxes).to_numpy(),
            pc.utf8_length(mails).to_numpy(),
        )

    return table.once("mails", make)


def before(texts: pa.StringArray, sign: str) -> pa.StringArray:
    """Return what stands before the first `sign` of each text; the whole where there is none."""
    return pc.list_element(pc.split_pattern(texts, sign, max_splits=1), 0)


def company_words(table: Encoded) -> Column:
    """Take the names of companies apart: the words of each distinct name."""
    return table.once("company words", lambda: split_words(table.column("company").texts.tolist()))
