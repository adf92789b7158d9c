"""What is sealed of a table, and the SQL by which one row of it becomes a leaf."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

SETTINGS: Final = (
    "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, MDY'; SET LOCAL IntervalStyle = 'postgres';"
    " SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'"
)
"""A row's text depends on these: it is only ever made, and made again, under them."""
LEAF: Final = 48
"""Bytes: 16 of id, 32 of digest."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """One aspect of a table. `row`: what stands from the insert on; others: what is set later, once, where `when` holds.

    `columns`: what the digest covers; empty: every column but the key, `later` (what other aspects cover, or nothing does) and `erased`
    (what an erasure empties). `order`: rows are looked for by UUIDv7, by a moment or by a number that the database gives; `by`: that
    column, indexed where the table grows.

    `proof`: SQL of row `t` that has to hold while its salt is there: its own column `digest` is that of its payload; `erasure`: SQL that has
    to hold where the salt is gone: the payload is too, and somebody answers for it; `again`: what no SQL can work out of the columns
    `reads` (as text), asked of rows that have their salt."""

    table: str
    aspect: str = "row"
    order: Literal["id", "time", "number"] = "id"
    by: str = "id"
    key: str = "id"
    when: str = "true"
    columns: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    erased: tuple[str, ...] = ()
    proof: str = ""
    erasure: str = "false"
    reads: tuple[str, ...] = ()
    again: Callable[..., bool] | None = None

    @property
    def name(self) -> str:
        return f"{self.table}:{self.aspect}"

    @property
    def numbered(self) -> bool:
        """Whether the key is a number: it stands in a leaf as a UUID of the same value."""
        return self.order == "number" and self.by == self.key

    @property
    def id(self) -> str:
        """SQL of the row `t`'s key as UUID."""
        return f"lpad(to_hex(t.{self.key}), 32, '0')::uuid" if self.numbered else f"t.{self.key}"

    def row_of(self, leaf: str) -> str:
        """SQL of the key of the row that a leaf's UUID means."""
        return f"('x' || right(replace({leaf}::text, '-', ''), 16))::bit(64)::bigint" if self.numbered else leaf

    def shown(self, id: UUID) -> str:
        """The row's key as it stands in its table."""
        return str(id.int) if self.numbered else str(id)

    @property
    def place(self) -> str:
        """SQL of the row's place as bigint; "" where it follows from the id."""
        return {"id": "", "time": f"(extract(epoch FROM t.{self.by}) * 1000000)::bigint", "number": f"t.{self.by}"}[
            self.order
        ]

    def place_of(self, last: UUID, highest: int | None) -> int:
        """The highest place of rows of which `last` has the highest id."""
        return (last.int >> 80) * 1000 if highest is None else highest

    def bound(self, place: int) -> Any:
        """A place as the value that `by` is compared with, in the form `compared` says."""
        return UUID(int=max(place, 0) // 1000 << 80) if self.order == "id" else place

    @property
    def compared(self) -> str:
        """SQL of a place as a value of the column `by`."""
        kinds = {"id": "%s::uuid", "time": "timestamptz 'epoch' + %s::bigint * interval '1 microsecond'"}
        return kinds.get(self.order, "%s::bigint")


def leaf(columns: Sequence[str]) -> str:
    """SQL of the digest of row `t` over `columns`."""
    values = ", ".join(f't."{name}"' for name in columns)
    return f"sha256(convert_to(ROW({values})::text, 'UTF8'))"
