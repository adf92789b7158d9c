"""Echoes: what a target says only because the hub had told it is no news. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from apps.connectors.planning import ADDRESS, flat
from apps.customers.canonical_identifiers import KINDS as IDENTIFIERS
from apps.customers.canonical_lists import CONTACT_KINDS

Json = dict[str, Any]


def own_values(
    arrived: Mapping[str, Any], stored: Mapping[str, Any], sent: Mapping[str, Any], going: Mapping[str, Any]
) -> tuple[Json, list[str]]:
    """The record's own values, and the names of sent fields that the far side has changed since. `going`: what is being told right
    now; it may be there already.

    A field that arrives as it was sent keeps the value the record had said by itself; one that arrives otherwise is the far side's
    own from now on; one that does not arrive is not known. Neither argument is changed."""
    found = flat(arrived)
    empty = set(arrived.get("empty", ()))
    echoed, changed = set[str](), list[str]()
    knows_address = any(n in found or n in empty for n in ADDRESS)
    address_is_ours = any(
        all(found.get(n) == told[n] for n in ADDRESS if n in told)
        for told in (sent, {**sent, **going})
        if told.keys() & set(ADDRESS)
    )
    for name in sent.keys() | going.keys():
        if name in ADDRESS:
            ours, known = address_is_ours, knows_address
        else:
            ours = any(name in told and found.get(name) == told[name] for told in (sent, going))
            known = name in found or name in empty
        if ours or not known:
            echoed.add(name)
        elif name in sent:
            changed.append(name)
    return _restored(arrived, stored, echoed), sorted(changed)


def _restored(arrived: Mapping[str, Any], stored: Mapping[str, Any], echoed: set[str]) -> Json:
    result: Json = {k: v for k, v in arrived.items() if k not in echoed}
    result.update((n, stored[n]) for n in echoed if n in stored)
    _restore_list(result, arrived, stored, "contact_points", echoed & set(CONTACT_KINDS))
    _restore_list(result, arrived, stored, "identifiers", echoed & set(IDENTIFIERS))
    if echoed & set(ADDRESS):
        _put(result, "addresses", stored.get("addresses", ()))
    extra = {n for n in echoed if n.startswith("extra.")}
    if extra:
        names = {n.removeprefix("extra.") for n in extra}
        kept = {n: v for n, v in arrived.get("extra", {}).items() if n not in names}
        own = {n: v for n, v in stored.get("extra", {}).items() if n in names}
        result.pop("extra", None)
        if kept or own:
            result["extra"] = {**kept, **own}
    before = set(stored.get("empty", ()))
    had = flat(stored).keys() | before  # "empty" speaks of a value the record once had
    _put(result, "empty", sorted((set(arrived.get("empty", ())) - echoed) & had | (before & echoed)))
    return result


def _restore_list(
    result: Json, arrived: Mapping[str, Any], stored: Mapping[str, Any], part: str, kinds: set[str]
) -> None:
    if kinds:
        own = list(stored.get(part, ()))
        found = [e for e in arrived.get(part, ()) if e["type"] not in kinds] + [e for e in own if e["type"] in kinds]
        same = len(found) == len(own) and all(e in own for e in found)
        _put(result, part, own if same else found)  # in the order it had: order alone is no news


def _put(result: Json, name: str, value: Iterable[Any]) -> None:
    found = list(value)
    if found:
        result[name] = found
    else:
        result.pop(name, None)
