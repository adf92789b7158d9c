"""Places in JSON values: "/contact/id" as in RFC 6901, where "*" is the first entry of an object or list."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

Pointer = tuple[str, ...]

ABSENT: Final = object()


def pointer(text: str) -> Pointer:
    """The steps of a pointer; "" is the whole value. Raises ValueError when it does not begin with a slash."""
    if not text:
        return ()
    if not text.startswith("/"):
        raise ValueError(text)
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in text[1:].split("/"))


def at(value: Any, steps: Pointer) -> Any:
    """What stands at a place, or ABSENT."""
    for step in steps:
        if isinstance(value, Mapping):
            value = next(iter(value.values()), ABSENT) if step == "*" and "*" not in value else value.get(step, ABSENT)
        elif isinstance(value, list):
            index = 0 if step == "*" else int(step) if step.isdecimal() else len(value)
            value = value[index] if index < len(value) else ABSENT
        else:
            return ABSENT
    return value


def first(value: Any, places: Sequence[Pointer]) -> Any:
    """What stands at the first of several places that has something other than null, or ABSENT."""
    for steps in places:
        found = at(value, steps)
        if found is not ABSENT and found is not None:
            return found
    return ABSENT


def wrapped(value: Any, steps: Pointer) -> Any:
    """The value where the steps lead, inside new objects."""
    for step in reversed(steps):
        value = {step: value}
    return value


def folded(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Two objects as one; where both have a value that of `over` counts, and objects are folded in turn."""
    found = dict(base)
    for name, value in over.items():
        mine = found.get(name)
        found[name] = folded(mine, value) if isinstance(mine, Mapping) and isinstance(value, Mapping) else value
    return found
