"""The database emptied after a test that commits: as Django's flush leaves it, in a tenth of its time."""

from collections.abc import Callable
from typing import Final

from django.db import ProgrammingError, connection, transaction
from django.test import TransactionTestCase
from psycopg.errors import InsufficientPrivilege

from mdmhub.demo.load import guards_aside

KEPT: Final = frozenset({"auth_permission", "django_content_type"})
"""What every start of the tests makes, and no test changes: Django would delete it and make it again each time."""


def fast(flush: Callable[[TransactionTestCase], None]) -> Callable[[TransactionTestCase], None]:
    """A teardown that deletes the few rows of a test; `flush`, which gives every table new files, where the role may not do that."""

    def teardown(test: TransactionTestCase) -> None:
        try:
            empty()
        except ProgrammingError as error:
            if not isinstance(error.__cause__, InsufficientPrivilege):
                raise
            with guards_aside():
                flush(test)

    return teardown


_SEVERAL_PAGES: Final = 64 * 1024
"""Bytes of a table from which on a plan for an empty one is a wrong one."""


def empty() -> None:
    """Deletes what there is, without triggers, and so in any order.

    A table that had many rows is brought back to its size when new: counted while its pages held nothing, it would be taken for empty
    however much the next test puts in, and each row looked for by going through it all."""
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    tables = {name: connection.ops.quote_name(name) for name in names if name not in KEPT}
    filled = " UNION ALL ".join(f"SELECT '{n}' WHERE EXISTS (SELECT 1 FROM {t})" for n, t in tables.items())
    with connection.cursor() as cursor:
        with transaction.atomic():
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(filled)
            emptied = [name for (name,) in cursor.fetchall()]
            for name in emptied:
                cursor.execute(f"DELETE FROM {tables[name]}")
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relname = ANY(%s) AND pg_relation_size(oid) > %s",
            (emptied, _SEVERAL_PAGES),
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f"VACUUM {tables[name]}")
