"""When a customer is due to be derived again though nobody says anything new: an entry of its lists begins to hold, or holds no longer."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any
from uuid import UUID

from django.db import connection

from apps.common.jsontext import json_text
from apps.customers.survivorship import PARTS, Member
from apps.customers.survivorship_parts import turns


def due(members: Iterable[Member], on: date) -> date | None:
    """The first day after `on` (both in UTC) on which what the members say comes to something else; None without any."""
    return turns(_entries(members), on)


def _entries(members: Iterable[Member]) -> Iterator[Mapping[str, Any]]:
    for member in members:
        for attribute in PARTS:
            yield from member.canonical.get(attribute, ())
            if attribute in member.pins:
                yield from member.pins[attribute].value


def keep(dues: Mapping[UUID, date]) -> None:
    """Notes the day of each customer, in place of one noted before: one statement. The caller holds the locks of the customers."""
    told = json_text([{"c": id_.hex, "d": day.isoformat()} for id_, day in sorted(dues.items())])
    with connection.cursor() as cursor:
        cursor.execute(
            'INSERT INTO customer_due (customer_id, "on") SELECT c, d FROM jsonb_to_recordset(%s::jsonb) AS t(c uuid, d date)'
            ' ON CONFLICT (customer_id) DO UPDATE SET "on" = excluded."on" WHERE customer_due."on" <> excluded."on"',
            (told,),
        )


def overdue(on: date, after: UUID, most: int) -> list[UUID]:
    """The next customers whose day has come, in the order of their ids."""
    with connection.cursor() as cursor:
        cursor.execute(
            'SELECT customer_id FROM customer_due WHERE "on" <= %s AND customer_id > %s ORDER BY customer_id LIMIT %s',
            (on, after, most),
        )
        return [id_ for (id_,) in cursor.fetchall()]


def done(customers: Iterable[UUID], on: date) -> None:
    """They have been derived: a day that has come is due no longer."""
    with connection.cursor() as cursor:
        cursor.execute(
            'DELETE FROM customer_due WHERE customer_id = ANY(%s::uuid[]) AND "on" <= %s', (list(customers), on)
        )
