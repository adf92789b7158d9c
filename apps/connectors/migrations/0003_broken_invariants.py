"""The view that must be empty: one row for every promise of docs/explanation/invariants.md that the data breaks."""

from django.db import migrations

# The customer's columns and its newest snapshot must be the same row.
SNAPSHOT = (
    "id, active, replaced_by, retired_reason, version, kind, name, given_name, family_name, organization_name, birth_date, website,"
    " currency, language, payment_terms, credit_limit, status, addresses, contact_points, identifiers, extra, held, lineage,"
    " policy_hash, member_count, released, created_at, updated_at"
)

VIEW = f"""
DROP VIEW IF EXISTS broken_invariants;
CREATE VIEW broken_invariants (invariant, subject, detail) AS
WITH source AS (
  SELECT s.id, s.customer_id, s.state, s.deleted, s.canonical -> 'identifiers' AS identifiers FROM source_record s WHERE s.follows_id IS NULL
), verified AS (
  SELECT i.part ->> 'type' AS type, i.part ->> 'value' AS value, coalesce(i.part ->> 'country', '') AS country,
    s.id AS record, s.customer_id AS customer
  FROM source s, LATERAL jsonb_array_elements(
    CASE jsonb_typeof(s.identifiers) WHEN 'array' THEN s.identifiers ELSE '[]' END) AS i(part)
  WHERE (i.part ->> 'verified')::boolean AND s.state = 'built' AND NOT s.deleted
), telling AS (  -- a value held by more records than the cap is generic: it links nobody
  SELECT * FROM (SELECT *, count(*) OVER (PARTITION BY type, value, country) AS holders FROM verified) v
  WHERE holders <= coalesce((SELECT (parameters #>> '{{thresholds,block_cap}}')::int FROM match_model WHERE state = 'active'), 50)
), torn AS (
  SELECT a.type, a.value, a.customer AS one, b.customer AS other FROM telling a
  JOIN telling b ON b.type = a.type AND b.value = a.value AND b.country = a.country AND a.customer < b.customer
  GROUP BY 1, 2, 3, 4
), apart AS (  -- customers between which a verdict, a veto or an open doubt stands
  SELECT least(a.customer_id, b.customer_id) AS one, greatest(a.customer_id, b.customer_id) AS other FROM (
    SELECT record_a_id, record_b_id FROM judgement WHERE superseded_at IS NULL AND verdict = 'no_match'
    UNION ALL SELECT record_a_id, record_b_id FROM edge WHERE superseded_at IS NULL AND (flags & 1) = 1
    UNION ALL SELECT record_a_id, record_b_id FROM doubt WHERE state = 'open') p
  JOIN source a ON a.id = p.record_a_id JOIN source b ON b.id = p.record_b_id
)
SELECT 'I1', s.id::text, 'built, but of no customer or without one open membership of it' FROM source s
  LEFT JOIN membership m ON m.source_record_id = s.id AND m.until IS NULL
  WHERE s.customer_id IS DISTINCT FROM m.customer_id OR (s.state = 'built' AND s.customer_id IS NULL)
UNION ALL
SELECT 'I2', s.id::text, 'belongs to a retired customer' FROM source_record s JOIN customer c ON c.id = s.customer_id WHERE NOT c.active
UNION ALL
SELECT 'I3', c.id::text, 'retired, but its one hop does not end at an active customer' FROM customer c
  LEFT JOIN redirect r ON r.retired_id = c.id AND r.until IS NULL
  LEFT JOIN customer t ON t.id = r.successor_id
  WHERE NOT c.active AND (r.id IS NULL OR NOT t.active OR c.replaced_by IS DISTINCT FROM r.successor_id)
UNION ALL
SELECT 'I3', c.id::text, 'active, yet a redirect leads away from it' FROM customer c
  JOIN redirect r ON r.retired_id = c.id AND r.until IS NULL WHERE c.active
UNION ALL
SELECT 'I4', c.id::text, 'active with ' || count(s.id) || ' members, ' || c.member_count || ' counted' FROM customer c
  LEFT JOIN source s ON s.customer_id = c.id WHERE c.active GROUP BY c.id HAVING count(s.id) = 0 OR count(s.id) <> c.member_count
UNION ALL
SELECT 'I5', t.one::text, 'shares the verified ' || t.type || ' ' || t.value || ' with ' || t.other FROM torn t
  WHERE NOT EXISTS (SELECT 1 FROM apart p WHERE p.one = t.one AND p.other = t.other)
  AND NOT EXISTS (SELECT 1 FROM source s WHERE s.customer_id IN (t.one, t.other) AND s.state <> 'built')
  AND NOT EXISTS (SELECT 1 FROM redo r JOIN source s ON s.id = r.source_record_id WHERE s.customer_id IN (t.one, t.other))
UNION ALL
SELECT 'I6', j.id::text, 'kept apart by a person, yet one customer' FROM judgement j
  JOIN source_record a ON a.id = j.record_a_id JOIN source_record b ON b.id = j.record_b_id
  WHERE j.superseded_at IS NULL AND j.verdict = 'no_match' AND a.customer_id = b.customer_id
UNION ALL
SELECT 'I7', c.id::text, 'holds back ' || k.attribute || ' without an open or rejected hold' FROM customer c,
  LATERAL jsonb_object_keys(c.held) AS k(attribute) WHERE c.active AND NOT EXISTS (
    SELECT 1 FROM hold h WHERE h.customer_id = c.id AND h.attribute = k.attribute AND h.state IN ('open', 'rejected'))
UNION ALL
SELECT 'I7', h.customer_id::text, 'a live hold of ' || h.attribute || ' holds nothing back' FROM hold h
  JOIN customer c ON c.id = h.customer_id WHERE h.state IN ('open', 'rejected') AND NOT c.held ? h.attribute
UNION ALL
SELECT 'I9', m.id::text, 'two memberships of one record begin together' FROM membership m
  JOIN membership n ON n.source_record_id = m.source_record_id AND n.since = m.since AND n.id > m.id
UNION ALL
SELECT 'I11', c.id::text, 'version ' || c.version || ', but ' || count(h.version) || ' snapshots up to ' || coalesce(max(h.version), 0)
  FROM customer c LEFT JOIN historical_customer h ON h.id = c.id GROUP BY c.id, c.version
  HAVING count(h.version) <> c.version OR max(h.version) <> c.version OR min(h.version) <> 1
UNION ALL
SELECT 'I11', c.id::text, 'the newest snapshot is not the customer' FROM customer c JOIN historical_customer h
  ON h.id = c.id AND h.version = c.version
  WHERE (SELECT ROW({SNAPSHOT})::text FROM customer x WHERE x.id = c.id) <>
        (SELECT ROW({SNAPSHOT})::text FROM historical_customer y WHERE y.history_id = h.history_id)
UNION ALL
SELECT 'I11', c.id::text, c.version || ' versions, ' || count(e.id) || ' events' FROM customer c
  LEFT JOIN event e ON e.subject_id = c.id GROUP BY c.id, c.version HAVING count(e.id) <> c.version
UNION ALL
SELECT 'I15', v.source_record_id::text, 'version ' || v.version || ' was replaced by the same content' FROM source_record_version v
  JOIN LATERAL (
    SELECT n.content_digest FROM source_record_version n WHERE n.source_record_id = v.source_record_id AND n.version = v.version + 1
    UNION ALL SELECT s.content_digest FROM source_record s WHERE s.id = v.source_record_id AND s.version = v.version + 1
  ) n ON n.content_digest = v.content_digest
UNION ALL
SELECT 'I17', r.id::text, 'of ' || (r.counts ->> 'read') || ' records in, not every one is accounted for' FROM run r
  WHERE r.state = 'succeeded' AND NOT coalesce((r.options ->> 'dry_run')::boolean, false) AND (
    coalesce((r.counts ->> 'read')::bigint, 0) <> (
      SELECT coalesce(sum(value::bigint), 0) FROM jsonb_each_text(r.counts) WHERE key IN
        ('created', 'changed', 'deleted', 'unchanged', 'stale', 'quarantined'))
    OR coalesce((r.counts ->> 'quarantined')::bigint, 0) <> (SELECT count(*) FROM quarantine q
      WHERE q.run_id = r.id AND NOT q.problems @> '[{{"code": "cannot_be_matched"}}]'))
UNION ALL
SELECT 'I12', l.id::text, 'a live link of ' || s.customer_id || ' to a customer that is retired' FROM link l
  JOIN source_record s ON s.id = l.source_record_id JOIN customer c ON c.id = s.customer_id WHERE l.state = 'active' AND NOT c.active
UNION ALL
SELECT 'I12', d.id::text, 'done, yet nothing says which record there it made' FROM delivery d
  WHERE d.state = 'done' AND d.op = 'create' AND d.link_id IS NULL
UNION ALL
SELECT 'I13', l.id::text, 'version ' || l.acknowledged_version || ' acknowledged of a customer that has ' || c.version FROM link l
  JOIN customer c ON c.id = l.acknowledged_customer WHERE l.acknowledged_version > c.version
UNION ALL
SELECT 'I17', s.id::text, 'follows a record, but not to its customer' FROM source_record s JOIN source_record f ON f.id = s.follows_id
  WHERE s.customer_id IS DISTINCT FROM f.customer_id AND s.state = 'built'
"""


class Migration(migrations.Migration):
    dependencies = [("connectors", "0002_deliveries"), ("matching", "0002_guards"), ("events", "0002_feed_head")]

    operations = [migrations.RunSQL(VIEW, "DROP VIEW broken_invariants")]
