"""Single rows without the ORM's query builder, for what is asked at every call: there it takes longer to ask than the
database takes to answer."""

from functools import cache
from typing import Any, TypeVar

from django.db import connection, models

M = TypeVar("M", bound=models.Model)


def first(model: type[M], condition: str, *params: Any) -> M | None:
    """A row of `model` that `condition` finds (SQL of the program's own, `%s` for each of `params`); None without one."""
    statement, names, readers = _statement(model, condition)
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        row = cursor.fetchone()
    if row is None:
        return None
    values = list(row)
    for place, read in readers:
        values[place] = read(values[place], None, connection)
    return model.from_db(connection.alias, names, values)


@cache
def _statement(model: type[models.Model], condition: str) -> tuple[str, list[str], list[tuple[int, Any]]]:
    """The SQL, the names of the fields it reads, and how those are read that the driver leaves as text (by place)."""
    fields = model._meta.concrete_fields
    columns = ", ".join(f'"{field.column}"' for field in fields)
    readers = [(at, read) for at, field in enumerate(fields) if (read := getattr(field, "from_db_value", None))]
    sql = f'SELECT {columns} FROM "{model._meta.db_table}" WHERE {condition} LIMIT 1'  # noqa: S608 - our own text
    return sql, [field.attname for field in fields], readers
