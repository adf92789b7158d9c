"""Multi-valued parts of a customer (addresses, contact points, identifiers, names): united over the members, dated and ranked. Pure."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

from apps.customers.survivorship_likeness import bare, gathered

Part = Mapping[str, Any]

MOST_PARTS: Final = 200
"""Entries of one list of a customer; of more the best records' are kept, and a case says so."""
_IDENTITY: Final = {
    "contact_points": ("type", "value"),
    "identifiers": ("type", "value", "country"),
    "names": ("type", "value"),
}
_DATES: Final = ("valid_from", "valid_to")
_OF_ONE_RECORD: Final = frozenset({"received", "preferred", "rank", *_DATES})
"""What a record says of its own entry alone; dates are taken over together."""
_ABOUT: Final = frozenset({"id", "from", "type", "rank", "verified", *_DATES})
"""What tells nothing about the place itself."""


class Said(NamedTuple):
    """A record's entries of one list. `ended`: the day on which the record was deleted at its source, where its system ends its entries
    with that: the day before was their last."""

    record: str
    parts: Sequence[Part]
    ended: date | None = None


def part_key(attribute: str, part: Part) -> str:
    """Two parts with one key are the same thing. An address: letters and digits of its first line, and postal code or else city."""
    if attribute == "addresses":
        place = part.get("postal_code") or part.get("city") or ""
        return "|".join(
            (part.get("type") or "", _exact(part.get("line1") or ""), _exact(place), part.get("country") or "")
        )
    return "|".join([str(part.get(name) or "") for name in _IDENTITY[attribute]])


def _exact(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def unite(attribute: str, ranked: Sequence[Said], on: date | None = None) -> list[dict[str, Any]]:
    """One list of all, best record first in `ranked`; `on` is the day that is asked about.

    What is alike is one entry: the best record's, with `from`, the records it came from, best first, and `id`, made from its content, which
    stays the same while it is known in one spelling. Its dates come together from the best record that says any.
    Entries that hold on that day come first, known wrong ones last of them; then the best record's, in its own order, preferred and
    verified ones before others. `rank` counts the entries of each type that hold: 1 is the golden one of its role; one that
    has ended, or has not begun, has none. Of more than MOST_PARTS the last are left out."""
    if len(ranked) == 1 and len(ranked[0].parts) == 1 and ranked[0].ended is None:
        part = ranked[0].parts[0]
        entry = _entry(attribute, ranked[0].record, part, part_key(attribute, part))
        if "valid_from" in part or "valid_to" in part:
            entry.update((name, part[name]) for name in _DATES if name in part)
            if not _holds(part, on):
                return [entry]
        entry["rank"] = 1
        return [entry]
    found = [_one(attribute, sayings) for sayings in _same_things(attribute, ranked)]
    if attribute == "addresses" and len(found) > 1:
        found = _folded(found)
    return _in_order(found, on)[:MOST_PARTS]


def _entry(attribute: str, record: str, part: Part, key: str) -> dict[str, Any]:
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    return {"id": digest, **{k: v for k, v in part.items() if k not in _OF_ONE_RECORD}, "from": [record]}


class _Saying(NamedTuple):
    """One record's word for a thing. `place`: of the record among all, and of the entry within the record."""

    place: tuple[int, bool, bool, int]
    said: Said
    part: Part
    key: str


class _Thing(NamedTuple):
    """A united entry on its way to its rank."""

    entry: dict[str, Any]
    place: tuple[int, bool, bool, int]


def _same_things(attribute: str, ranked: Sequence[Said]) -> Iterable[list[_Saying]]:
    """What the records say, thing by thing, each with its best record first."""
    by_key: dict[str, list[_Saying]] = {}
    for at, said in enumerate(ranked):
        for n, part in enumerate(said.parts):
            key = part_key(attribute, part)
            place = (at, not part.get("preferred"), part.get("verified") is not True, n)
            by_key.setdefault(key, []).append(_Saying(place, said, part, key))
    groups = list(by_key.values())
    for sayings in groups:
        sayings.sort(key=lambda one: one.place)
    if len(groups) == 1:
        return groups
    groups.sort(key=lambda sayings: sayings[0].place)
    whole: dict[int, list[_Saying]] = {}
    for at, first in enumerate(gathered(attribute, [sayings[0].part for sayings in groups])):
        whole.setdefault(first, []).extend(groups[at])
    for sayings in whole.values():
        sayings.sort(key=lambda one: one.place)
    return whole.values()


def _one(attribute: str, sayings: Sequence[_Saying]) -> _Thing:
    best = sayings[0]
    entry = _entry(attribute, best.said.record, best.part, min(one.key for one in sayings))
    for saying in sayings[1:]:
        if saying.said.record not in entry["from"]:
            entry["from"].append(saying.said.record)
        if attribute != "addresses":  # the parts of an address are never mixed from two records
            for name, value in saying.part.items():
                if name not in _OF_ONE_RECORD and value is not None:
                    entry.setdefault(name, value)
    living = [one for one in sayings if one.said.ended is None]
    dated = next((one.part for one in living if "valid_from" in one.part or "valid_to" in one.part), None)
    if not living:
        dated = max((_ended(one) for one in sayings), key=lambda dates: dates["valid_to"])
    if dated is not None:
        entry.update((name, dated[name]) for name in _DATES if name in dated)
    return _Thing(entry, best.place)


def _ended(saying: _Saying) -> Mapping[str, str]:
    """The dates of an entry whose record was deleted."""
    assert saying.said.ended is not None
    first, last = saying.part.get("valid_from"), (saying.said.ended - timedelta(days=1)).isoformat()
    last = min(saying.part.get("valid_to", last), last)
    return {"valid_from": first, "valid_to": last} if first and first <= last else {"valid_to": last}


def _holds(part: Part, on: date | None) -> bool:
    """Whether it holds on that day; without one, whether it says no end."""
    if on is None:
        return "valid_to" not in part
    day = on.isoformat()
    return bool(part.get("valid_from", day) <= day <= part.get("valid_to", day))


def _in_order(things: Sequence[_Thing], on: date | None) -> list[dict[str, Any]]:
    holding = {id(one): _holds(one.entry, on) for one in things}
    ordered = sorted(things, key=lambda one: (not holding[id(one)], one.entry.get("valid") is False, one.place))
    count: dict[Any, int] = {}
    for one in ordered:
        if holding[id(one)]:
            kind = one.entry.get("type")
            count[kind] = one.entry["rank"] = count.get(kind, 0) + 1
    return [one.entry for one in ordered]


def turns(parts: Iterable[Part], after: date) -> date | None:
    """The first day after `after` on which one of them begins to hold, or holds no longer."""
    found = None
    for part in parts:
        for name, later in (("valid_from", 0), ("valid_to", 1)):
            if name in part:
                day = date.fromisoformat(part[name]) + timedelta(days=later)
                if day > after and (found is None or day < found):
                    found = day
    return found


def unite_texts(texts: Sequence[Any], between: str) -> str:
    """The entries of several texts, best text first, as one text: each once whatever its case, spelled as it first comes.

    `between` parts the entries; spaces around it do not matter for reading and are kept for writing ("; ")."""
    entries = (entry.strip() for text in texts for entry in str(text).split(between.strip()))
    united: dict[str, str] = {}
    for entry in entries:
        if entry:
            united.setdefault(entry.casefold(), entry)
    return between.join(united.values())


def _folded(things: Sequence[_Thing]) -> list[_Thing]:
    """An address that only says less than another of its type ("Catania, Italy") is not one of its own: the fuller one is known from there
    too.

    It goes to the first fuller one, best first, so the outcome depends on the members' rank alone."""
    spoken = [{n: bare(str(v)) for n, v in one.entry.items() if n not in _ABOUT and v} for one in things]
    kept = []
    for at, one in enumerate(things):
        target = _fullest(at, things, spoken)
        if target == at:
            kept.append(one)
        else:
            entry = things[target].entry
            entry["from"] += [r for r in one.entry["from"] if r not in entry["from"]]
    return kept


def _fullest(at: int, things: Sequence[_Thing], spoken: Sequence[Mapping[str, str]]) -> int:
    """Follows from one address to a fuller one until none says more."""
    while (further := next((i for i in range(len(things)) if _says_more(i, at, things, spoken)), None)) is not None:
        at = further
    return at


def _says_more(i: int, at: int, things: Sequence[_Thing], spoken: Sequence[Mapping[str, str]]) -> bool:
    return things[i].entry.get("type") == things[at].entry.get("type") and spoken[at].items() < spoken[i].items()
