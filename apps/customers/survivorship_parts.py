"""Multi-valued parts of a customer: addresses, contact points, identifiers, united over the members."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

_IDENTITY = {
    "contact_points": ("type", "value"),
    "identifiers": ("type", "value", "country"),
}


def part_key(attribute: str, part: Mapping[str, Any]) -> str:
    """Two parts with one key are the same thing. An address: letters and digits of its first line, and postal code or else city."""
    if attribute == "addresses":
        place = part.get("postal_code") or part.get("city") or ""
        return "|".join((part.get("type") or "", _bare(part.get("line1") or ""), _bare(place), part.get("country") or ""))
    return "|".join(str(part.get(name) or "") for name in _IDENTITY[attribute])


def _bare(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())


def unite(attribute: str, ranked: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]) -> list[dict[str, Any]]:
    """`ranked`: (record id, its parts), best record first. Each result has `id` (stable: made from its key), the fields of the
    best record that has it, and `from`: the records it came from, best first."""
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
                for name, value in part.items():
                    if name != "received" and value is not None:
                        known.setdefault(name, value)
    return list(united.values())
