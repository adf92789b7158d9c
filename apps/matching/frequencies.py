"""What a file's own values say: how frequent names are, and which values strangers share."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from apps.matching.comparisons_columns import NONE, Bools, Column, Ints, Longs, Texts, encode, numbered
from apps.matching.encoded import Encoded
from apps.matching.encoded_parts import before, company_words
from apps.matching.rarity import FEATURE, Home, home
from apps.matching.sounds import skeletons

_ENOUGH: Final = 500
"""Of fewer records with a name the file's own frequencies say nothing."""
_LISTED: Final = 6
"""A name borne this often is listed; what is not listed counts as rare."""
_OF_ONE: Final = 1.5
"""About so many of the records with one name are one customer's own and no chance agreement."""
_RARE: Final = 1 / 300
"""What is not listed in a country of few records is taken to be no more frequent than this."""
_MOST: Final = 50_000
MOST_PARTIES: Final = 10
"""A mail address, number or domain of more parties than this is nobody's own."""
_ORDINARY_DAYS: Final = 25.0
"""A birth date borne by so many times more people than the usual one is no birth date."""
Shares = Mapping[str, Mapping[str, float]]


def learned_frequencies(table: Encoded, organization: Bools, known: Shares) -> dict[str, dict[str, float]]:
    """Return, by comparison, the share of records with each frequent name, in all and in each country, however few its records: what
    is rare in the world may be common at home. What is `known` already, where the file says too little. Names that are not
    listed stand under "". The same of the words that companies' names are made of."""
    country = home(table)
    found = {}
    for comparison, feature in FEATURE.items():
        column = table.column(feature)
        wanted = (organization == (comparison == "company_name")) & (column.nth(0) != NONE)
        codes, where = column.nth(0)[wanted], country.codes[wanted]
        if len(codes) < _ENOUGH:
            found[comparison] = dict(known.get(comparison, {}))
            continue
        records = np.arange(len(codes))
        found[comparison] = _at_home(codes, records, where, column.texts, country.texts)
        if comparison == "company_name":
            words = company_words(table)
            record, _, spelt = words._replace(start=words.start[codes], size=words.size[codes]).spread()
            found["company_word"] = _at_home(spelt, record, where, words.texts, country.texts)
    if (country.codes != NONE).sum() >= _ENOUGH:
        found["country"] = _countries(country)
    return found


def _at_home(codes: Ints, record: Longs, where: Ints, texts: Texts, countries: Texts) -> dict[str, float]:
    """Return the shares of texts among records, in all and by country; `codes` are the texts of each `record`, `where` its country."""
    shares = _shares(codes, texts, len(where), "")
    homes = where[record]
    order = np.argsort(homes, kind="stable")
    homes, codes = homes[order], codes[order]
    records = np.bincount(where[where != NONE], minlength=1)
    for code in np.flatnonzero(records).tolist():
        first, end = np.searchsorted(homes, (code, code + 1))
        shares |= _shares(codes[first:end], texts, int(records[code]), f"{countries[code]}|")
    return shares


def _shares(codes: Ints, texts: Texts, records: int, prefix: str) -> dict[str, float]:
    distinct, count = np.unique(codes, return_counts=True)
    order = np.argsort(-count, kind="stable")[:_MOST]
    listed = order[count[order] >= _LISTED]
    some = np.minimum(1.0, (count[listed] - _OF_ONE) / records).tolist()
    return dict(zip((prefix + str(text) for text in texts[distinct[listed]].tolist()), some, strict=True)) | {
        prefix: min(1.0 / records, _RARE)
    }


def _countries(country: Home) -> dict[str, float]:
    """Return the share of each country, and the mean share of a record's country under ""."""
    count = np.bincount(country.codes[country.codes != NONE], minlength=len(country.texts))
    share = count / max(1, count.sum())
    return {str(text): float(own) for text, own in zip(country.texts, share, strict=True) if own > 0} | {
        "": float((share * share).sum())
    }


def generic_values(table: Encoded) -> dict[str, frozenset[str]]:
    """Return, by feature, values that many parties share: a switchboard, a placeholder mailbox, a date that stands for none."""
    party = _parties(table)
    found = {}
    for feature in ("email", "phone", "identifier"):
        found[feature] = _of_many(table.column(feature), party)
    found["domain"] = _of_many(table.column("domain"), np.where(table.organizations(), party, -1))
    found["birth"] = _unusual(table.column("birth"))
    return {feature: values for feature, values in found.items() if values}


def _parties(table: Encoded) -> Longs:
    """A number for each record's name as it sounds; -1 where it has none."""
    result = np.full(table.num_rows, -1, np.int64)
    family, company = (_sounds(table.column(name)) for name in ("family", "company"))
    shift = int(family.max(initial=0)) + 1
    return np.where(company >= 0, company + shift, np.where(family >= 0, family, result))


def _sounds(column: Column) -> Longs:
    words = before(column.array, " ").dictionary_encode()
    codes = encode(skeletons(words.dictionary))[words.indices.to_numpy()]
    return np.append(codes, NONE).astype(np.int64)[column.nth(0)]


def _of_many(column: Column, party: Longs) -> frozenset[str]:
    row, _, spread = column.spread()
    codes = spread.astype(np.int64)
    known = (codes != NONE) & (party[row] >= 0)
    pairs = numbered((codes[known] << 32) | party[row][known])[0]
    parties = np.bincount(pairs >> 32, minlength=len(column.texts))
    return frozenset(column.texts[np.flatnonzero(parties > MOST_PARTIES)].tolist())


def _unusual(column: Column) -> frozenset[str]:
    codes = column.nth(0)
    count = np.bincount(codes[codes != NONE], minlength=len(column.texts))
    days = np.array([text[4:] != "-00-00" for text in column.texts.tolist()], np.bool_)
    if not days.any() or count.sum() < _ENOUGH:
        return frozenset()
    usual = max(1.0, float(np.median(count[days])))
    return frozenset(column.texts[np.flatnonzero((count > max(usual * _ORDINARY_DAYS, 30)) & days)].tolist())
