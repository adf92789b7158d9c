"""The relay gives change-feed positions: alone, after commit, without gaps.

A reader that asks for everything after position n never misses an event whose transaction committed late, because a position is
only ever given to rows that are already visible."""

from django.db import connection, transaction


@transaction.atomic
def relay(*, most: int = 10_000) -> int:
    """Gives the next positions to waiting events, `most` of them; returns how many. Two relays take turns on the head row.

    Versions of one subject keep their order: `occurred_at` grows strictly with the version, and version n + 1 cannot commit
    before version n."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT position FROM feed_head WHERE id = 1 FOR UPDATE")
        row = cursor.fetchone()
        if row is None:
            return _restore_head()
        head = row[0]
        cursor.execute(
            "UPDATE event e SET position = %s + w.n FROM (SELECT id, row_number() OVER (ORDER BY occurred_at, id) AS n FROM"
            " (SELECT id, occurred_at FROM event WHERE position IS NULL ORDER BY occurred_at, id LIMIT %s) x) w WHERE e.id = w.id",
            (head, most),
        )
        given: int = cursor.rowcount
        if given:
            cursor.execute("UPDATE feed_head SET position = position + %s WHERE id = 1", (given,))
    return given


def _restore_head() -> int:
    """The head row is missing (a table was emptied): it is made again from the positions that were given."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO feed_head (id, position) SELECT 1, coalesce(max(position), 0) FROM event ON CONFLICT DO NOTHING"
        )
    return relay()


def relay_all() -> int:
    """Relays until nothing waits; returns how many positions were given."""
    total = 0
    while given := relay():
        total += given
    return total
