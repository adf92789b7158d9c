"""Multi-valued parts of a customer: addresses, contact points, identifiers, united over the members."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

_IDENTITY = {
    "contact_points": ("type", "value"),
    "identifiers": ("type", "value", "country"),
}


MOST_PARTS: Final = 200
"""Entries of one list of a customer; of more the best records' are kept, and a case says so."""


def part_key(attribute: str, part: Mapping[str, Any]) -> str:
    """Two parts with one key are the same thing. An address: letters and digits of its first line, and postal code or else city."""
    if attribute == "addresses":
        place = part.get("postal_code") or part.get("city") or ""
        return "|".join(
            (part.get("type") or "", _bare(part.get("line1") or ""), _bare(place), part.get("country") or "")
        )
    return "|".join([str(part.get(name) or "") for name in _IDENTITY[attribute]])


def _bare(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def unite(attribute: str, ranked: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]) -> list[dict[str, Any]]:
    """`ranked`: (record id, its parts), best record first. Each result has `id` (stable: made from its key), the fields of the
    best record that has it, and `from`: the records it came from, best first. Of more than MOST_PARTS the last are left out."""
    united: dict[str, dict[str, Any]] = {}
    for record, parts in ranked:
        for part in parts:
            key = part_key(attribute, part)
            known = united.get(key)
            if known is None:
                digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
                united[key] = {"id": digest, **{k: v for k, v in part.items() if k != "received"}, "from": [record]}
            elif record not in known["from"]:
                known["from"].append(record)
                if attribute != "addresses":  # the parts of an address are never mixed from two records
                    for name, value in part.items():
                        if name != "received" and value is not None:
                            known.setdefault(name, value)
    found = list(united.values())
    return (_folded(found) if attribute == "addresses" and len(found) > 1 else found)[:MOST_PARTS]


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
    """An address that only says less than another ("Catania, Italy") is not one of its own: the fuller one is known from there too.

    It goes to the first fuller one, best first, so the outcome depends on the members' rank alone."""
    spoken = [{n: _bare(str(v)) for n, v in a.items() if n not in ("id", "from") and v} for a in addresses]
    kept = []
    for at, address in enumerate(addresses):
        mine = spoken[at].items()
        fuller = next((i for i, other in enumerate(spoken) if mine < other.items()), None)
        if fuller is None:
            kept.append(address)
        else:
            target = _fullest(fuller, spoken)
            addresses[target]["from"] += [r for r in address["from"] if r not in addresses[target]["from"]]
    return kept


def _fullest(at: int, spoken: Sequence[Mapping[str, str]]) -> int:
    """Follows from one address to a fuller one until none says more."""
    while (
        further := next((i for i, other in enumerate(spoken) if spoken[at].items() < other.items()), None)
    ) is not None:
        at = further
    return at
