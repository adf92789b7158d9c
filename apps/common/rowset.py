"""The rows of a batch as its statements read them: a few as one JSON parameter, many through a temporary table.

A temporary table costs a commit about a millisecond, however few rows it held; JSON costs more for each row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import connection

from apps.common.ids import array

FEW = 20


@dataclass(frozen=True, slots=True)
class Rowset:
    """`source` stands after FROM, under the alias `i`; `params` go where it stands."""

    source: str
    params: tuple[str, ...] = ()


def rowset(table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]], *, as_table: bool = False) -> Rowset:
    """`rows` hold values in the order of `columns` (name -> type): JSON as text, bytes as `\\x…`, arrays as lists.

    `as_table`: statements write to it too."""
    shape = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    if len(rows) <= FEW and not as_table:
        return Rowset(f"jsonb_to_recordset(%s::jsonb) AS i({shape})", (_json(columns, rows),))
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE IF NOT EXISTS {table} ({shape}) ON COMMIT DELETE ROWS")
        cursor.execute(f"DELETE FROM {table}")  # noqa: S608 - names of the callers' own
        with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
            lists = [place for place, kind in enumerate(columns.values()) if kind.endswith("[]")]
            for row in rows:
                copy.write_row(_with_arrays(row, lists) if lists else row)
    return Rowset(f"{table} i")


def _with_arrays(row: Sequence[Any], lists: Sequence[int]) -> list[Any]:
    values = list(row)
    for place in lists:
        values[place] = array(values[place])
    return values


def _json(columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> str:
    names, whole = list(columns), [kind == "jsonb" for kind in columns.values()]
    told = [
        {name: orjson.Fragment(value) if json else value for name, json, value in zip(names, whole, row, strict=True)}
        for row in rows
    ]
    return orjson.dumps(told).decode()
