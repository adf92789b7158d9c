"""The part of the merging policy that says what an unmerge takes with it, and when it needs a second person."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from apps.common.errors import FieldError
from apps.common.pointers import shown

KINDS: Final = ("household", "group", "contact", "other")
"""Kinds of relations between records."""
MOST: Final = 1_000_000
_KEYS: Final = ("cascade", "second_person_from")


@dataclass(frozen=True, slots=True)
class UnmergePolicy:
    """`cascade`: kinds of relation along which an unmerge takes other customers apart too; `second_person_from`: the number of customers
    from which on a bulk unmerge on its page waits for somebody else."""

    cascade: frozenset[str] = frozenset()
    second_person_from: int = 20


def read_unmerge(told: Any, wrong: list[FieldError]) -> UnmergePolicy:
    """Reads `[unmerge]`; what is wrong is added to `wrong`, each with its place."""
    if not isinstance(told, Mapping):
        wrong.append(FieldError("/unmerge", "wrong_type", "unmerge is a table: write [unmerge]."))
        return UnmergePolicy()
    wrong += [
        FieldError(f"/unmerge/{name}", "unknown_name", f"{shown(name)} is unknown; known are {', '.join(_KEYS)}.")
        for name in told
        if name not in _KEYS
    ]
    kinds = told.get("cascade", [])
    if not isinstance(kinds, list):
        wrong.append(
            FieldError(
                "/unmerge/cascade", "wrong_type", 'cascade is a list of kinds of relations, such as ["contact"].'
            )
        )
        kinds = []
    wrong += [
        FieldError(
            f"/unmerge/cascade/{at}", "unknown_name", f"{shown(kind)} is no kind of relation; known are {', '.join(KINDS)}."
        )
        for at, kind in enumerate(kinds)
        if kind not in KINDS
    ]  # fmt: skip
    number = told.get("second_person_from", UnmergePolicy().second_person_from)
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= MOST:
        detail = f"A whole number of customers from 1 to {MOST:,}: from so many on somebody else decides."
        wrong.append(FieldError("/unmerge/second_person_from", "out_of_range", detail))
        number = 1
    return UnmergePolicy(frozenset(kind for kind in kinds if isinstance(kind, str)), number)
