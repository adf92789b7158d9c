"""Names of people and companies brought to tokens that can be compared."""

import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import Final, NamedTuple

from apps.matching.standardise_legal_forms import legal_forms, spaced_forms, strip_form
from apps.matching.text import fold, folded, plain, reference, undotted

_CACHE = 100_000
_SHORTEST_JOINED = 3  # letters of a word that Mc, O or D are joined to
_MOST_TOKENS = 6  # of given names, and of family names
_SYLLABLES = re.compile(
    r"[\u4e00-\u9fff\uac00-\ud7a3]+(?: [\u4e00-\u9fff\uac00-\ud7a3]+)?"
)  # a sign of Chinese or Korean stands for a whole syllable
_CAMEL = re.compile(r"(?<=[a-z]{2})(?=[A-Z][a-z]{2})")  # words run together: RamiMakhlouf, but not McDonald


class PersonName(NamedTuple):
    """Given and family names as folded tokens, and the suffix that tells father from son."""

    given: tuple[str, ...]
    family: tuple[str, ...]
    suffix: str


MOST_NAMES: Final = 4
"""Names of one company that are compared."""


class CompanyName(NamedTuple):
    """Names without legal form and fillers (main one first), and the id of the legal form."""

    names: tuple[str, ...]
    form: str


class _PersonWords(NamedTuple):
    """Words of the reference file, folded."""

    titles: frozenset[str]
    particles: frozenset[str]
    links: frozenset[str]
    joined: frozenset[str]
    servants: frozenset[str]
    leading: frozenset[str]  # what may stand before a family name and be part of it
    suffixes: Mapping[str, str]


@cache
def _person_words() -> _PersonWords:
    data = reference("person_words")
    titles, particles, links, joined, servants = (
        frozenset(fold(word) for word in data[key]) for key in ("titles", "particles", "links", "joined", "servants")
    )
    suffixes = {fold(key): value for key, value in data["suffixes"].items()}
    particles |= links
    leading = particles | {word for word in joined if len(word) > 1}  # D may be an initial, Mac is not
    return _PersonWords(titles, particles, links, joined, servants, leading, suffixes)


@cache
def words_with_meaning() -> frozenset[str]:
    """Words that, beside others, may be something else than a name, or part of the next one."""
    words = _person_words()
    own = words.titles | words.particles | words.links | words.joined | words.servants | words.leading
    return own | words.suffixes.keys() | _DIN


@cache
def generic_texts() -> frozenset[str]:
    """Folded texts that stand for "no value"."""
    return frozenset(fold(value) for value in reference("generic_values")["text"])


def generic_text(value: str) -> bool:
    """Tell whether a text stands for "no value": unknown, n/a, test."""
    return fold(value) in generic_texts()


def _tokens(text: str) -> list[str]:
    """Folded words; Mc Donald, O Brien and D Angelo are one word. A digit inside a word is read as a letter."""
    joined = _person_words().joined
    found: list[str] = []
    waiting = ""
    folded = fold(undotted_initials(text))
    for word in folded.split():
        if waiting and len(word) < _SHORTEST_JOINED:  # D J are two initials
            found.append(waiting)
            waiting = ""
        if word in joined and not waiting:
            waiting = word
            continue
        found.append(waiting + word)
        waiting = ""
    if waiting:
        found.append(waiting)
    found = [_letters(word) for word in found]
    return _servants(found) if "abd" in folded or "din" in folded or "deen" in folded else found


# What stands for the article in front of a sun letter is doubled or left out: Abdurrahman, Abdussalam, Abdul Rahman.
_SERVANT = re.compile(
    r"^abd(?:[aeo]l(?=[a-z]{2})|ul(?=[a-z]{2})|[aeou]([rsntdz])(?=\1)|[aeou](?=[rsnz][aeiou])|i(?=[a-z]{4}))"
)


_FAITH = re.compile(r"(?:[aeou]d)?d(?:ine?|een)$")  # "of the faith": Salah al-Din, Salahuddin, Saladdin
_DIN = frozenset({"din", "dine", "deen"})


def _servants(tokens: list[str]) -> list[str]:
    """Bring "servant of" names to one form: Abd al-Rahman, Abdel Rahman, Abdurrahman are abdulrahman."""
    listed = _person_words()
    found: list[str] = []
    place = 0
    while place < len(tokens):
        word = tokens[place]
        place += 1
        if word in listed.servants:
            if word == "abd" and place < len(tokens) - 1 and tokens[place] in listed.particles:
                place += 1
            if place < len(tokens) and len(tokens[place]) > 1:
                word = "abdul" + tokens[place]
                place += 1
        elif word in _DIN and found:
            if found[-1] in listed.particles and len(found) > 1:
                found.pop()
            word = found.pop() + "din"
        else:
            word = _FAITH.sub("din", _SERVANT.sub("abdul", word))
        found.append(word)
    return found


_LOOKS_LIKE = str.maketrans("01345789", "oleasbbg")


def _letters(word: str) -> str:
    return word.translate(_LOOKS_LIKE) if not word.isdigit() and not word.isalpha() else word


def undotted_initials(text: str) -> str:
    """Give each initial of "J.R." a word of its own."""
    return text.replace(".", " ")


def _without(tokens: list[str], unwanted: Iterable[str]) -> list[str]:
    kept = [token for token in tokens if token not in unwanted]
    return kept or tokens


def _take_suffix(tokens: list[str]) -> tuple[list[str], str]:
    suffixes = _person_words().suffixes
    if len(tokens) > 1 and tokens[-1] in suffixes:
        return tokens[:-1], suffixes[tokens[-1]]
    return tokens, ""


@lru_cache(maxsize=_CACHE)
def person_name(given: str, family: str, name: str) -> PersonName:
    """Read a person's name from its parts, or from the whole where the parts are missing.

    "Orozson, Mark" is family first; otherwise the last word is the family name. Whether the two were crossed is the
    comparison's business: it tries both ways.
    """
    words = _person_words()
    given, family, name = ("" if part and generic_text(part) else part for part in (given, family, name))
    if " " not in name.strip():
        name = _unspaced(name)
    if name and not (given and family):
        given, family = _split_whole(name, given, family)
    family_tokens, suffix = _take_suffix(_tokens(family))
    given_tokens = _tokens(given)
    if not suffix:
        given_tokens, suffix = _take_suffix(given_tokens)
    given_tokens = _without_particles(_without(given_tokens, words.titles))
    family_tokens = _without(family_tokens, words.titles | words.particles)
    return PersonName(
        tuple(dict.fromkeys(given_tokens))[:_MOST_TOKENS], tuple(dict.fromkeys(family_tokens))[:_MOST_TOKENS], suffix
    )


def _without_particles(given: list[str]) -> list[str]:
    """Leave out "bin", and particles between given names: Maria del Carmen. The first word may be a name: Ben, Al."""
    if len(given) < 2:
        return given
    words = _person_words()
    given = _without(given, words.links)
    return [given[0], *(token for token in given[1:] if len(token) == 1 or token not in words.particles)]


def syllabic(text: str) -> bool:
    """Tell whether a text is written in signs for syllables alone, as Chinese and Korean are."""
    return bool(_SYLLABLES.fullmatch(text.strip()))


def _unspaced(name: str) -> str:
    """Part a name written without a space: RamiMakhlouf, 王小明 (family name first)."""
    if name.isascii():
        return _CAMEL.sub(" ", name)
    name = name.strip()
    if 2 <= len(name) <= 4 and syllabic(name):
        size = 2 if len(name) == 4 or name[:2] in _person_compounds() else 1
        return f"{name[size:]} {name[:size]}" if len(name) > size else name
    return _CAMEL.sub(" ", name)


@cache
def _person_compounds() -> frozenset[str]:
    return frozenset(reference("person_words")["compounds"])


def _split_whole(name: str, given: str, family: str) -> tuple[str, str]:
    """Return (given, family) from a whole name of which one part may be known."""
    words = _person_words()
    before, comma, after = name.partition(",")
    after_words = fold(after).split()
    if comma and after_words and not all(word in words.suffixes or word in words.titles for word in after_words):
        return given or after, family or before
    tokens = fold(undotted_initials(name)).split()
    tail = [tokens.pop()] if len(tokens) > 1 and tokens[-1] in words.suffixes else []
    tokens = _without(tokens, words.titles)
    if given or family:
        known = set(fold(given or family).split())
        rest = " ".join(word for word in tokens if word not in known)
        return (given, " ".join([rest, *tail])) if given else (rest, " ".join([family, *tail]))
    if len(tokens) < 2:
        return "", " ".join(tokens + tail)
    if len(tokens) > 2 and len(tokens[-1]) == 1 < len(tokens[0]) and not tail:
        return " ".join(tokens[1:]), tokens[0]  # an initial at the end: the family name came first
    last = len(fold(name.rsplit(maxsplit=1)[-1]).split()) if not tail else 1  # Smith-Jones is one family name
    start = max(1, len(tokens) - max(1, last))
    while start > 1 and tokens[start - 1] in words.leading:
        start -= 1
    return " ".join(tokens[:start]), " ".join(tokens[start:] + tail)


_BRACKETS = re.compile(r"\(([^()]*)\)|\[([^\[\]]*)\]")
_RUN_AND = re.compile(r"(?<=[^\W\d_A-Z]{2})(?:and|und)(?=[A-Z][a-z])")  # WeinhageandForster; but perhaps IrelandFoods
_AND = re.compile(r"\s*[&+]\s*")
_FORM_END = re.compile(r"(?<=[a-z])[A-Z]{2,4}$")  # SiemensAG
_SERIES = {"i": "1", "v": "5", "x": "10"}  # Roman at the end of a name; elsewhere a letter is a letter
_TENS = frozenset({"20", "30", "40", "50", "60", "70", "80", "90"})


@cache
def _company_words() -> tuple[frozenset[str], dict[str, str], re.Pattern[str]]:
    data = reference("company_words")
    marks = "|".join(map(re.escape, trading_marks()))
    split = re.compile(rf"(?:^|[\s,;(])(?:{marks})[\s:.]+", re.IGNORECASE)
    long_form = {fold(key): fold(value) for key, value in data["long_form"].items()}
    return frozenset(fold(word) for word in data["fillers"]), long_form | data["numbers"], split


def trading_marks() -> list[str]:
    """Words that part one name of a company from another, the longest first."""
    return sorted(reference("company_words")["trading_as"], key=len, reverse=True)


def _one_company(text: str, city: str) -> tuple[str, str]:
    text = _CAMEL.sub(" ", text)
    if "&" in text or "+" in text:
        text = _AND.sub(" and ", text)
    if " " not in text.strip():
        end = _FORM_END.search(text)
        if end and (fold(end[0]),) in legal_forms().ids:
            text = f"{text[: end.start()]} {end[0]}"
    main, dash, tail = text.rpartition(" - ")
    if dash and fold(main):
        ended = strip_form(folded(undotted(plain(main))).split())[1]
        if ended or fold(tail) == fold(city):
            text = main  # what follows the legal form, or is the record's own city, is a branch's place
    return company_words(folded(undotted(plain(text))))


def company_words(text: str) -> tuple[str, str]:
    """Return name and legal form of a company's folded words."""
    tokens, form = strip_form(text.split())
    fillers, long_form, _ = _company_words()
    if len(tokens) > 1 and tokens[-1] in _SERIES and len(tokens[-2]) > 2 and tokens[-2] != "and":
        tokens[-1] = _SERIES[tokens[-1]]
    tokens = [long_form.get(word, word) for word in tokens]
    if not _TENS.isdisjoint(tokens):
        tokens = _counted(tokens)
    if not fillers.isdisjoint(tokens):
        single = [word for word in tokens if len(word) == 1]
        lettered = bool(single) and any(word.isalpha() and word not in fillers for word in single)  # E & H
        core = [word for word in tokens if word not in fillers or (lettered and len(word) == 1)]
        tokens = core if sum(map(len, core)) > 1 else tokens
    return " ".join(tokens[:12]), form


def _counted(tokens: list[str]) -> list[str]:
    """Add up numbers in words: forty four is 44."""
    found: list[str] = []
    for word in tokens:
        if found and found[-1] in _TENS and len(word) == 1 and word in "123456789":
            found[-1] = str(int(found[-1]) + int(word))
        else:
            found.append(word)
    return found


def _bracketed(inner: re.Match[str], city: str) -> str:
    """Words in brackets tell branches apart (China, Hong Kong); those that repeat the record's own city do not."""
    text = inner[1] or inner[2] or ""
    return " " if fold(text) == fold(city) else f" {text} "


@lru_cache(maxsize=_CACHE)
def company_name(text: str, city: str) -> CompanyName:
    """Read a company's name: trading names apart, legal form to its id, abbreviations to long form.

    `city` is the record's city: "Wilson Brothers - Nottingham" in Nottingham is "Wilson Brothers".
    """
    if generic_text(text):
        return CompanyName((), "")
    names: list[str] = []
    form = ""
    for part in _company_words()[2].split(text if text.isascii() else spaced_forms(text)):
        whole = _BRACKETS.sub(lambda inner: _bracketed(inner, city), part) if "(" in part or "[" in part else part
        parted = _RUN_AND.sub(" and ", whole) if "nd" in whole else whole
        for reading in (whole,) if parted == whole else (parted, whole):
            name, found = _one_company(reading, city)
            form = form or found
            if name and name not in names:
                names.append(name)
    return CompanyName(tuple(names[:MOST_NAMES]), form)
