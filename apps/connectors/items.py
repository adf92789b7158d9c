"""JSON values as items of the intake: what is no object is set aside with its cause and stops nobody else."""

from collections.abc import Sequence
from typing import Any

from apps.common.jsontext import json_text
from apps.common.pointers import shown
from apps.connectors.inbound import Item
from apps.customers.canonical import Problem


def items_of(records: Sequence[Any], *, patch: bool = False, first: int = 0) -> list[Item]:
    """One item a record; `first` is the number of the first one within its message."""
    return [item_of(record, first + at, patch=patch) for at, record in enumerate(records)]


def item_of(record: Any, at: int, *, patch: bool = False) -> Item:
    """One record of a message as an item; `at` is its place there."""
    if isinstance(record, dict):
        return Item(record, json_text(record), at, patch=patch)
    problem = Problem("", "wrong_type", f"A record is an object, not {shown(record)}.")
    return Item(None, json_text(record), at, (problem,))
