"""What waits for a second person is about something that is there: I16."""

from importlib import import_module

from django.db import migrations

BEFORE = import_module("apps.connectors.migrations.0004_erased_snapshots").VIEW
I16 = """
UNION ALL
SELECT 'I16', h.customer_id::text, 'a change of ' || h.attribute || ' waits for approval, but ' || CASE WHEN NOT c.active THEN 'the customer is retired'
    WHEN r.state <> 'open' THEN 'its request is ' || r.state ELSE 'something else is proposed by now' END
  FROM hold h JOIN customer c ON c.id = h.customer_id JOIN change_request r ON r.id = h.change_request_id
  WHERE h.state = 'open' AND (NOT c.active OR r.state <> 'open'
    OR coalesce(c.held -> h.attribute, 'null') <> coalesce(h.proposed_value, 'null'))
UNION ALL
SELECT 'I16', r.id::text, 'waits for approval, but nothing is asked for' FROM change_request r WHERE r.state = 'open'
  AND NOT EXISTS (SELECT 1 FROM hold h WHERE h.change_request_id = r.id AND h.state = 'open')
  AND NOT EXISTS (SELECT 1 FROM merge_request m WHERE m.change_request_id = r.id)
UNION ALL
SELECT 'I16', r.id::text, 'waits to merge ' || n.id || ', which is no customer any more' FROM change_request r
  JOIN merge_request m ON m.change_request_id = r.id CROSS JOIN LATERAL unnest(m.customers) AS n(id)
  LEFT JOIN customer c ON c.id = n.id WHERE r.state = 'open' AND c.active IS NOT TRUE
UNION ALL
SELECT 'I16', g.id::text, 'waits to take a target live that is ' || n.mode FROM go_live g JOIN connection n ON n.id = g.connection_id
  WHERE g.state = 'open' AND (n.mode <> 'observe' OR n.adapter = 'webhook')
"""
VIEW = BEFORE.rstrip() + I16


class Migration(migrations.Migration):
    dependencies = [("connectors", "0004_erased_snapshots"), ("customers", "0012_merge_request")]

    operations = [migrations.RunSQL(VIEW, BEFORE)]
