"""The order in which those who plan, tell and listen take rows, so that nobody waits in a circle.

Source records, deliveries, links, circuits, connections, customers to be planned: in this order, and rows of one kind by id. What
changes the state of a delivery holds every open one of its record first: of two of one record one waits in an index, where no
order holds. The planner alone waits for no delivery and no link: what is in other hands it leaves, and plans again."""

from collections.abc import Collection, Iterable
from uuid import UUID

from django.db import connection

from apps.common.ids import array
from apps.common.jsontext import json_text

OPEN = "('planned', 'waiting', 'failed', 'sending', 'uncertain')"
"""States of deliveries that may still change."""


def hold_records(records: Iterable[UUID]) -> dict[UUID, UUID]:
    """The customers of these source records, by record; until the end of the transaction none goes elsewhere."""
    wanted = array(set(records))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, customer_id FROM source_record WHERE id = ANY(%s::uuid[]) AND customer_id IS NOT NULL ORDER BY id"
            " FOR NO KEY UPDATE",
            (wanted,),
        )
        return dict(cursor.fetchall())


# One arm for each partial index.
_OF_SUBJECTS = """
WITH s AS MATERIALIZED (SELECT DISTINCT r.c, r.r FROM jsonb_to_recordset(%s::jsonb) AS r(c uuid, r uuid))
SELECT 1 FROM delivery d WHERE d.state IN ('planned', 'waiting', 'failed', 'sending', 'uncertain') AND d.id IN (
  SELECT o.id FROM s JOIN delivery o ON o.connection_id = s.c AND o.record_id = s.r AND o.state IN ('sending', 'uncertain')
  UNION ALL
  SELECT o.id FROM s JOIN delivery o ON o.connection_id = s.c AND o.record_id = s.r AND o.state IN ('waiting', 'planned')
  UNION ALL
  SELECT o.id FROM s JOIN delivery o ON o.connection_id = s.c AND o.record_id = s.r AND o.state = 'failed')
ORDER BY d.id FOR NO KEY UPDATE
"""


def hold_deliveries(subjects: Collection[tuple[UUID, UUID]]) -> None:
    """Every open delivery of these subjects (connection, record). A statement after this one sees what others did to them before."""
    if not subjects:
        return
    with connection.cursor() as cursor:
        cursor.execute(_OF_SUBJECTS, (json_text([{"c": c.hex, "r": r.hex} for c, r in subjects]),))


def hold_links(ids: Collection[UUID], named: Collection[tuple[int, str]]) -> None:
    """Links by id, and those of these records in targets (system, external id)."""
    if not ids and not named:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM link WHERE id IN (SELECT unnest(%s::uuid[]) UNION SELECT l.id FROM jsonb_to_recordset(%s::jsonb) AS n(s int, e text)"
            " JOIN link l ON l.system_id = n.s AND l.external_id = n.e) ORDER BY id FOR NO KEY UPDATE",
            (array(ids), json_text([{"s": system, "e": external_id} for system, external_id in named])),
        )


def deliveries_in_hand(ids: Collection[UUID]) -> dict[UUID, str]:
    """The states of those of these deliveries that nobody else holds; they are held from now on. For the planner: waits for nobody."""
    if not ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, state FROM delivery WHERE id = ANY(%s::uuid[]) FOR NO KEY UPDATE SKIP LOCKED", (array(ids),)
        )
        return dict(cursor.fetchall())
