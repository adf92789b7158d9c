"""JSON values as items of the intake: what is no object is set aside with its cause, and no odd text can stop a batch."""

from collections.abc import Sequence
from typing import Any

from apps.common.pointers import shown
from apps.common.strict_json import unstorable
from apps.connectors.inbound import Item
from apps.customers.canonical import Problem
from apps.customers.store import json_text


def items_of(records: Sequence[Any], *, patch: bool = False, first: int = 0) -> list[Item]:
    """One item a record; `first` is the number of the first one within its message."""
    return [item_of(record, first + at, patch=patch) for at, record in enumerate(records)]


def item_of(record: Any, at: int, *, patch: bool = False) -> Item:
    """One record of a message as an item; `at` is its place there."""
    if isinstance(record, dict):
        return Item(record, raw_text(record), at, patch=patch)
    return Item(None, raw_text(record), at, (Problem("", "wrong_type", f"A record is an object, not {shown(record)}."),))


def raw_text(record: Any) -> str:
    """The record as JSON text that a database column can hold, whatever stood in it."""
    text = json_text(record)
    return text if unstorable(record) is None else text.encode("ascii", "backslashreplace").decode()
