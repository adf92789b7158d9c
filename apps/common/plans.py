"""How the database plans the statements of a batch."""

from django.db import connection

_BY_INDEX = (
    "SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),"
    " set_config('enable_seqscan', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true),"
    " set_config('lock_timeout', %s, true)"
)


def find_by_index(*, wait: str = "0") -> None:
    """For the rest of this transaction: rows are found by index, and a lock is waited for no longer than `wait` ("5s"; "0": for ever).

    A batch names a few hundred rows of tables of any size. The planner knows nothing of temporary tables, and its plans outlive
    the size a table had when they were made: left to itself it now and then reads a whole table for each batch."""
    with connection.cursor() as cursor:
        cursor.execute(_BY_INDEX, (wait,))
