"""Multi-valued parts of a customer (addresses, contact points, identifiers, names): united over the members, dated and ranked. Pure."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from operator import itemgetter
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
    if len(ranked) == 1 and (simple := _simple(attribute, ranked[0])) is not None:
        return simple
    things: dict[str, list[_Saying]] = {}
    place = 0
    for said in ranked:
        for part in _own_order(said.parts):
            key = part_key(attribute, part)
            if key in things:
                things[key].append((place, said, part))
            else:
                things[key] = [(place, said, part)]
            place += 1
    if len(things) > 1:
        things = _alike_together(attribute, things)
    found = [_one(attribute, key, sayings) for key, sayings in things.items()]
    if attribute == "addresses" and len(found) > 1:
        found = _folded(found)
    return _in_order(found, on)[:MOST_PARTS]


def _simple(attribute: str, said: Said) -> list[dict[str, Any]] | None:
    """The common case: one record, and of each type one entry about which nothing is to be said. None for any other."""
    if said.ended is not None:
        return None
    entries: list[dict[str, Any]] = []
    kinds: set[Any] = set()
    for part in said.parts:
        kind = part.get("type")
        if kind in kinds or "valid_to" in part or "valid_from" in part or part.get("valid") is False:
            return None
        if kinds and (part.get("preferred") or part.get("verified")):
            return None
        kinds.add(kind)
        entry = _entry(part_key(attribute, part), part, said.record)
        entry["rank"] = 1
        entries.append(entry)
    return entries


def _entry(key: str, part: Part, record: str) -> dict[str, Any]:
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    entry = {"id": digest, **part, "from": [record]}
    for name in _OF_ONE_RECORD:
        entry.pop(name, None)
    return entry


_Saying = tuple[int, Said, Part]
"""One record's word for a thing, and its place among all that is said, best first."""


def _own_order(parts: Sequence[Part]) -> Sequence[Part]:
    """A record's entries, those first that it prefers, then those that are verified."""
    if len(parts) > 1 and any(part.get("preferred") or part.get("verified") for part in parts):
        return sorted(parts, key=lambda part: (not part.get("preferred"), part.get("verified") is not True))
    return parts


def _alike_together(attribute: str, things: dict[str, list[_Saying]]) -> dict[str, list[_Saying]]:
    """What is one thing in different spellings, under the smallest of its keys."""
    first = [sayings[0][2] for sayings in things.values()]
    if len({part.get("type") for part in first}) == len(first):
        return things
    tops = gathered(attribute, first)
    if len(set(tops)) == len(tops):
        return things
    groups: dict[int, list[str]] = {}
    for key, top in zip(things, tops, strict=True):
        groups.setdefault(top, []).append(key)
    return {
        min(keys): sorted((one for key in keys for one in things[key]), key=itemgetter(0)) for keys in groups.values()
    }


def _one(attribute: str, key: str, sayings: Sequence[_Saying]) -> dict[str, Any]:
    _, said, part = sayings[0]
    entry = _entry(key, part, said.record)
    dated = said.ended is not None or "valid_to" in part or "valid_from" in part
    for _, said, part in sayings[1:]:
        dated = dated or said.ended is not None or "valid_to" in part or "valid_from" in part
        if said.record not in entry["from"]:
            entry["from"].append(said.record)
        if attribute != "addresses":  # the parts of an address are never mixed from two records
            for name, value in part.items():
                if name not in _OF_ONE_RECORD and value is not None:
                    entry.setdefault(name, value)
    if dated:
        entry.update(_dates(sayings))
    return entry


def _dates(sayings: Sequence[_Saying]) -> Iterable[tuple[str, str]]:
    """Those of the best record that says any; where all its records were deleted, of the one that ended last."""
    last: dict[str, str] | None = None
    for _, said, part in sayings:
        if said.ended is None:
            break
        dates = _ended(part, said.ended)
        if last is None or dates["valid_to"] > last["valid_to"]:
            last = dates
    else:
        return last.items() if last else ()
    for _, said, part in sayings:
        if said.ended is None and ("valid_from" in part or "valid_to" in part):
            return [(name, part[name]) for name in _DATES if name in part]
    return ()


def _ended(part: Part, deleted: date) -> dict[str, str]:
    """The dates of an entry whose record was deleted."""
    first, last = part.get("valid_from"), (deleted - timedelta(days=1)).isoformat()
    last = min(part.get("valid_to", last), last)
    return {"valid_from": first, "valid_to": last} if first and first <= last else {"valid_to": last}


def _in_order(entries: list[dict[str, Any]], on: date | None) -> list[dict[str, Any]]:
    day = None if on is None else on.isoformat()
    holds, wrong, away = list[dict[str, Any]](), list[dict[str, Any]](), list[dict[str, Any]]()
    for entry in entries:
        if ("valid_to" in entry or "valid_from" in entry) and _is_away(entry, day):
            away.append(entry)
        elif entry.get("valid") is False:
            wrong.append(entry)
        else:
            holds.append(entry)
    holds += wrong
    count: dict[Any, int] = {}
    for entry in holds:
        kind = entry.get("type")
        count[kind] = entry["rank"] = count.get(kind, 0) + 1
    return holds + sorted(away, key=lambda entry: entry.get("valid") is False)


def _is_away(entry: Part, day: str | None) -> bool:
    """Whether it does not hold on that day; without one, whether it says an end."""
    if day is None:
        return "valid_to" in entry
    return not entry.get("valid_from", day) <= day <= entry.get("valid_to", day)


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


def _folded(addresses: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """An address that only says less than another of its role ("Catania, Italy") is not one of its own: the fuller one is known from there
    too.

    It goes to the first fuller one, best first, so the outcome depends on the members' rank alone."""
    spoken = [{n: bare(str(v)) for n, v in a.items() if n not in _ABOUT and v} for a in addresses]
    kept = []
    for at, address in enumerate(addresses):
        target = _fullest(at, addresses, spoken)
        if target == at:
            kept.append(address)
        else:
            addresses[target]["from"] += [r for r in address["from"] if r not in addresses[target]["from"]]
    return kept


def _fullest(at: int, addresses: Sequence[Part], spoken: Sequence[Mapping[str, str]]) -> int:
    """Follows from one address to a fuller one of its role until none says more."""
    while True:
        kind, mine = addresses[at].get("type"), spoken[at].items()
        fuller = (i for i, other in enumerate(spoken) if mine < other.items() and addresses[i].get("type") == kind)
        further = next(fuller, None)
        if further is None:
            return at
        at = further
