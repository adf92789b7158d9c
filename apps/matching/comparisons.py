"""All comparisons of candidate pairs at once: columns in, a matrix of levels and the flags out."""

from functools import cache

import numpy as np
import numpy.typing as npt

from apps.matching.comparison_levels import COMPARISONS, FORCED, MOST_LEVELS, VETO, level_number
from apps.matching.comparisons_addresses import address_levels
from apps.matching.comparisons_columns import NONE, Bools, Levels, Longs
from apps.matching.comparisons_companies import company_levels, legal_form_levels
from apps.matching.comparisons_contacts import (
    birth_levels,
    domain_levels,
    email_levels,
    identifier_levels,
    phone_levels,
)
from apps.matching.comparisons_persons import person_levels
from apps.matching.encoded import Encoded
from apps.matching.side_by_side import HERE, Beside

Flags = npt.NDArray[np.int16]
_PLACE = {name: place for place, name in enumerate(COMPARISONS)}


def compare(table: Encoded, left: Longs, right: Longs, beside: Beside = HERE) -> Levels:
    """Return levels (pairs × comparisons, in the order of COMPARISONS) of pairs of rows of one feature table.

    `beside`: who knows the table too and makes half of the comparisons."""
    result = np.zeros((len(left), len(COMPARISONS)), np.int8)
    if not len(left):
        return result
    companies = beside.ask(_companies, table, left, right)
    for name, levels in _others(table, left, right).items():
        result[:, _PLACE[name]] = levels
    for name, levels in companies().items():
        result[:, _PLACE[name]] = levels
    _once(result)
    return result


def _companies(table: Encoded, left: Longs, right: Longs) -> dict[str, Levels]:
    """What companies are known by, and what makes about half of the work, so that two cores end at the same time."""
    return {
        "company_name": company_levels(table, left, right),
        "legal_form": legal_form_levels(table, left, right),
        "birth_date": birth_levels(table, left, right),
        "domain": domain_levels(table, left, right),
    }


def _others(table: Encoded, left: Longs, right: Longs) -> dict[str, Levels]:
    kind = table.column("kind").single()
    given, family = person_levels(table, left, right)
    return {
        "kind": np.where(kind[left] == kind[right], 1, 2).astype(np.int8),
        "given_name": given,
        "family_name": family,
        "suffix": _suffix_levels(table, left, right),
        "phone": phone_levels(table, left, right),
        "email": email_levels(table, left, right),
        "identifier": identifier_levels(table, left, right),
        "address": address_levels(table, left, right),
    }


def _suffix_levels(table: Encoded, left: Longs, right: Longs) -> Levels:
    codes = table.column("suffix").single()
    a, b = codes[left], codes[right]
    return np.where((a == NONE) | (b == NONE), 0, np.where(a == b, 1, 2)).astype(np.int8)


def _once(levels: Levels) -> None:
    """Let one fact speak once: an email that agrees says already that its domain does."""
    email = levels[:, _PLACE["email"]]
    domain = levels[:, _PLACE["domain"]]
    said = (email > 0) & (email < level_number("email", "mailbox")) & (domain == level_number("domain", "same"))
    domain[said] = 0


def _is(levels: Levels, comparison: str, *names: str) -> Bools:
    found: Bools = _named(comparison, names)[levels[:, _PLACE[comparison]]]
    return found


@cache
def _named(comparison: str, names: tuple[str, ...]) -> Bools:
    """For each level of a comparison by number, whether it is one of `names`."""
    return np.isin(np.arange(MOST_LEVELS + 1), [level_number(comparison, name) for name in names])


def flags_of(levels: Levels, *, lifted: bool = False) -> Flags:
    """Return the flags of compared pairs: VETO for hard evidence against, FORCED for one confirmed identifier.

    `lifted`: so much speaks for one customer that another birth date or suffix does not keep them apart."""
    flags = np.where(_is(levels, "identifier", "same_verified"), FORCED, 0).astype(np.int16)
    for sentence, veto in vetoes(levels).items():
        if not (lifted and sentence in MAY_BE_OUTWEIGHED):
            flags[veto] |= VETO
    return flags


BIRTH, GENERATION = (
    "they bear the same name but have different birth dates",
    "their suffixes tell two generations of one name apart",
)
MAY_BE_OUTWEIGHED = frozenset({BIRTH, GENERATION})


def vetoes(levels: Levels) -> dict[str, Bools]:
    """Return, for each hard evidence against (its sentence), the pairs it speaks of."""
    same_name = _is(levels, "given_name", "same", "alike", "nickname", "middle_differs") & _is(
        levels, "family_name", "same", "alike", "part"
    )
    forced = _is(levels, "identifier", "same_verified")
    one_number = _is(
        levels, "identifier", "same_verified", "same", "alike"
    )  # a number of one's own outweighs a mistyped date
    other_person = _is(levels, "given_name", "different") & _is(levels, "family_name", "different")
    return {
        "they hold different confirmed identifiers of one kind and country": _is(
            levels, "identifier", "different_verified"
        ),
        BIRTH: same_name & _is(levels, "birth_date", "different") & ~one_number,
        GENERATION: same_name & _is(levels, "suffix", "different"),
        "they share a confirmed identifier but neither given nor family name agrees": forced & other_person,
    }
