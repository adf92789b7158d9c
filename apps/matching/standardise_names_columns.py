"""Columns of people's and companies' names: plain ones are read in whole-array steps, the others one by one."""

import re
from functools import cache
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from apps.matching import standardise_names as names
from apps.matching.comparisons_columns import Bools, numbered
from apps.matching.standardise_legal_forms import written_forms
from apps.matching.standardise_text_columns import (
    NO_TEXT,
    among,
    batch,
    flags,
    fold_column,
    folded_column,
    lists,
    lists_of,
    matching,
    merged,
    no_longer,
    picked,
    plain_column,
    texts_of,
)
from apps.matching.text import LONGEST, undotted

_WORDS: Final = "^[a-z]+(?: [a-z]+){0,5}$"  # no more than are kept of a name
_SERVANTS: Final = "abd|din|deen"  # Abd al-Rahman, Salah al-Din
_VOWELS: Final = "ae|oe|ue|aa"  # what folding a second time would change


def read_given(rows: pa.RecordBatch) -> pa.RecordBatch:
    """`given` and `suffix` of given names that stand alone."""
    return _read_part(rows.column(0), given=True)


def read_family(rows: pa.RecordBatch) -> pa.RecordBatch:
    """`family` and `suffix` of family names that stand alone."""
    return _read_part(rows.column(0), given=False)


def _read_part(texts: pa.Array, *, given: bool) -> pa.RecordBatch:
    folded = fold_column(texts)
    known = _plain_words(folded) & ~among(folded, names.generic_texts())
    place, name = (0, "given") if given else (1, "family")
    read = [names.person_name.__wrapped__(*((text, "", "") if given else ("", text, "")))
            for text in picked(texts, ~known).to_pylist()]  # fmt: skip
    tokens = pc.split_pattern(picked(folded, known), " ")
    return batch(**{
        name: merged(known, tokens, lists_of([one[place] for one in read])),
        "suffix": merged(known, _nothing(known), texts_of([one.suffix for one in read])),
    })  # fmt: skip


def _nothing(known: Bools) -> pa.Array:
    return pa.repeat(NO_TEXT, int(known.sum()))


def _plain_words(folded: pa.Array) -> Bools:
    """Which folded texts are words of letters alone, none of which means something in a name: no title, particle, suffix.

    A single word is a name, whatever it means elsewhere."""
    plain = matching(folded, _WORDS) & ~matching(folded, _SERVANTS)
    several = np.flatnonzero(plain & flags(pc.match_substring(folded, " ")))
    if len(several):
        plain[several] = _without_meaning(folded.take(pa.array(several)))
    return plain


def _without_meaning(folded: pa.Array) -> Bools:
    """Which texts of several words hold none with a meaning, and none twice."""
    words = pc.split_pattern(folded, " ")
    size = pc.list_value_length(words).to_numpy()
    row = np.repeat(np.arange(len(size)), size)
    distinct = words.flatten().dictionary_encode()
    word = distinct.indices.to_numpy()
    wrong = among(distinct.dictionary, names.words_with_meaning())[word]
    result = np.ones(len(size), np.bool_)
    result[row[wrong]] = False
    own = numbered(row * len(distinct.dictionary) + word)[0] // max(len(distinct.dictionary), 1)
    return np.asarray(result & (np.bincount(own, minlength=len(size)) == size), np.bool_)


_SIGNS: Final = r"^[\p{L}\p{M}][\p{L}\p{M} .,'-]*$"
_NATURAL: Final = r"^(?P<given>[^,]*[^ ,]) +(?P<family>[^ ,]+) *$"
_FAMILY_FIRST: Final = "^(?P<family>[^,]*),(?P<given>[^,]*)$"
_INITIAL_LAST: Final = "(?:^| )[a-z]$"


def read_people(rows: pa.RecordBatch) -> pa.RecordBatch:
    """`given`, `family` and `suffix` of people by all their names say: given name, family name, whole name."""
    given, family, known = _parted(*rows.columns)
    rest = rows.filter(pa.array(~known))
    read = [
        names.person_name.__wrapped__(*texts) for texts in zip(*(one.to_pylist() for one in rest.columns), strict=True)
    ]
    return batch(
        given=merged(known, pc.split_pattern(picked(given, known), " "), lists_of([one.given for one in read])),
        family=merged(known, pc.split_pattern(picked(family, known), " "), lists_of([one.family for one in read])),
        suffix=merged(known, _nothing(known), texts_of([one.suffix for one in read])),
    )


def _parted(given: pa.Array, family: pa.Array, name: pa.Array) -> tuple[pa.Array, pa.Array, Bools]:
    """Folded given and family names of plain whole names (Anna Maria Berg; Berg, Anna Maria), and which are plain."""
    alone = flags(pc.equal(given, NO_TEXT)) & flags(pc.equal(family, NO_TEXT))
    alone &= matching(name, _SIGNS) & matching(name, "[^ ] +[^ ]") & no_longer(name, LONGEST)
    natural, turned = pc.extract_regex(name, _NATURAL), pc.extract_regex(name, _FAMILY_FIRST)
    given, family = (
        fold_column(pc.coalesce(pc.struct_field(natural, part), pc.struct_field(turned, part), NO_TEXT))
        for part in ("given", "family")
    )
    both = pc.binary_join_element_wise(given, family, " ")
    generic = names.generic_texts()
    known = alone & _plain_words(both) & no_longer(both, LONGEST) & ~among(both, generic)
    known &= ~among(pc.binary_join_element_wise(family, given, " "), generic)
    known &= ~no_longer(given, 0) & ~no_longer(family, 0)
    # Parts of a whole name are folded a second time, and an initial at the end speaks for the family name at the front.
    again = matching(both, _VOWELS) | matching(family, _INITIAL_LAST)
    return given, family, known & ~(flags(pc.is_valid(natural)) & again)


_COMPANY: Final = r"^[\p{L}\p{M}0-9 .,'&+-]*$"
_OTHER_CASES: Final = (
    r"[\x{130}\x{131}\x{17F}\x{212A}]"  # letters that match i, s and k in one library and not in another
)


def read_companies(rows: pa.RecordBatch) -> pa.RecordBatch:
    """`company` (names) and `legal_form` of companies' names in cities."""
    called = rows.column(0)
    text = pc.replace_substring_regex(called, " *[&+] *", " and ")
    known = _plain_company(called) & ~flags(pc.match_substring(text, " - "))
    rest = rows.filter(pa.array(~known))
    read = [
        names.company_name.__wrapped__(*texts) for texts in zip(*(one.to_pylist() for one in rest.columns), strict=True)
    ]
    distinct = _company_words(picked(text, known)).dictionary_encode()
    named = [names.company_words(words) for words in distinct.dictionary.to_pylist()]
    name, form = (texts_of([one[place] for one in named]).take(distinct.indices) for place in (0, 1))
    generic = pa.array(among(fold_column(picked(called, known)), names.generic_texts()))
    name, form = pc.if_else(generic, NO_TEXT, name), pc.if_else(generic, NO_TEXT, form)
    there = flags(pc.not_equal(name, NO_TEXT))
    return batch(
        company=merged(
            known, lists(there.astype(np.int64), picked(name, there)), lists_of([one.names for one in read])
        ),
        legal_form=merged(known, form, texts_of([one.form for one in read])),
    )


def _plain_company(called: pa.Array) -> Bools:
    """Which are one name, with spaces and without brackets, a branch's place, a second name or words run together."""
    plain = matching(called, _COMPANY) & ~matching(called, _OTHER_CASES) & no_longer(called, LONGEST // 2)
    plain &= matching(called, "[^ ] +[^ ]")
    return np.asarray(plain & ~matching(called, _odd_companies()), np.bool_)


@cache
def _odd_companies() -> str:
    """What a company's name may hold that takes more than folding to read."""
    marks = "|".join(map(re.escape, names.trading_marks()))
    written = "|".join(map(re.escape, written_forms()))
    return rf"(?:[a-z]{{2}}[A-Z][a-z]{{2}}|(?:and|und)[A-Z]|{written}|(?i:(?:^|[ ,])(?:{marks})[ .]))"


def _company_words(texts: pa.Array) -> pa.Array:
    """Folded words of names, dotted abbreviations as one word."""
    plain = plain_column(texts)
    dotted = matching(plain, _DOTTED)
    if dotted.any():
        joined = [undotted(text) for text in picked(plain, dotted).to_pylist()]
        plain = pc.replace_with_mask(plain, pa.array(dotted), texts_of(joined))
    return folded_column(plain)


_DOTTED: Final = r"\b\w\.[ ]?\w"
