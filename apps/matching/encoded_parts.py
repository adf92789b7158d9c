"""Parts of the distinct texts of a column, taken apart once: keys and comparisons read the same."""

from typing import NamedTuple

import numpy as np

from apps.matching.comparisons_columns import Bools, Column, Ints, Texts, as_texts, encode, lengths
from apps.matching.encoded import Encoded
from apps.matching.standardise_contacts import role_mailbox
from apps.matching.words import split_words


class Identifiers(NamedTuple):
    """Each distinct identifier's scheme, country and value, as texts and as codes; whether it is verified; its length."""

    schemes: list[str]
    values: list[str]
    scheme: Ints
    country: Ints
    value: Ints
    value_texts: Texts
    verified: Bools
    length: Ints


def identifiers_of(table: Encoded) -> Identifiers:
    """Take identifiers apart."""

    def make() -> Identifiers:
        parts = [text.split("|", 3) for text in table.column("identifier").texts.tolist()]
        schemes, countries, verified, values = (list(part) for part in zip(*parts, strict=True)) if parts else [[]] * 4
        texts = as_texts(values)
        return Identifiers(
            schemes, values, encode(schemes), encode(countries), encode(values), texts,
            np.fromiter((flag == "v" for flag in verified), np.bool_, len(verified)), lengths(texts),
        )  # fmt: skip

    return table.once("identifiers", make)


class Mails(NamedTuple):
    """Each distinct mail address's mailbox, as text and as code; whether that is a role's; lengths of mailbox and whole."""

    mailboxes: list[str]
    mailbox: Ints
    role: Bools
    mailbox_length: Ints
    length: Ints


def mails_of(table: Encoded) -> Mails:
    """Take mail addresses apart."""

    def make() -> Mails:
        texts = table.column("email").texts
        boxes = [text.partition("@")[0] for text in texts.tolist()]
        role = np.fromiter(map(role_mailbox, boxes), np.bool_, len(boxes))
        size = np.fromiter(map(len, boxes), np.int32, len(boxes))
        return Mails(boxes, encode(boxes), role, size, lengths(texts))

    return table.once("mails", make)


def company_words(table: Encoded) -> Column:
    """Take the names of companies apart: the words of each distinct name."""
    return table.once("company words", lambda: split_words(table.column("company").texts.tolist()))
