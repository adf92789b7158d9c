"""How the database plans the statements of a batch."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

_BY_INDEX = (
    "SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),"
    " set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', %s, true)"
)
_COUNTS_FORBIDDEN_STEPS = 18_00_00


def find_by_index() -> None:
    """For the rest of this transaction rows are found by index. How long a lock is waited for is the connection's business.

    A batch names a few hundred rows of tables of any size. The planner knows nothing of temporary tables, and its plans outlive
    the size a table had when they were made: left to itself it now and then reads a whole table for each batch.

    A temporary table can only be read as a whole. PostgreSQL 18 picks the plan with the fewest steps that are forbidden; before, one
    such step made all plans look equally dear, so there the whole table stays allowed."""
    with connection.cursor() as cursor:
        cursor.execute(_BY_INDEX, ("off" if _server_version() >= _COUNTS_FORBIDDEN_STEPS else "on",))


@contextmanager
def never_whole_tables() -> Iterator[None]:
    """In a transaction: statements inside, which read no temporary table, go by index however small a table is taken for."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('enable_seqscan'), set_config('enable_seqscan', 'off', true)")
        before = cursor.fetchone()[0]
        yield
        cursor.execute("SELECT set_config('enable_seqscan', %s, true)", (before,))


def _server_version() -> int:
    """As the server counts: 180006 is 18.6. Known from the connection, so it asks nobody."""
    connection.ensure_connection()
    version: int = connection.connection.info.server_version
    return version
