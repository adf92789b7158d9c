"""The database emptied after a test that commits: as Django's flush leaves it, in a tenth of its time."""

from collections.abc import Callable
from typing import Final

from django.db import ProgrammingError, connection, transaction
from django.test import TransactionTestCase
from psycopg.errors import InsufficientPrivilege

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
            flush(test)

    return teardown


def empty() -> None:
    """Deletes what there is, without triggers, and so in any order."""
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    tables = {name: connection.ops.quote_name(name) for name in names if name not in KEPT}
    filled = " UNION ALL ".join(f"SELECT '{n}' WHERE EXISTS (SELECT 1 FROM {t})" for n, t in tables.items())
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(filled)
        for (name,) in cursor.fetchall():
            cursor.execute(f"DELETE FROM {tables[name]}")
