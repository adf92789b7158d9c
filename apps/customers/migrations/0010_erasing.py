"""The one way past the guards: erasing, by a function that says who and why.

Before, a session that set `hub.erasing` could change and delete whatever it liked. Now a guarded row may be brought to its erased form, and
to no other, in a transaction that has written an erasure which names it. Nothing is ever deleted."""

from django.db import migrations

# What an erasure makes of a row; whose row it is, is told by ids that an erasure names.
FORM = """
CREATE FUNCTION erased_form(of text) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE of
    WHEN 'historical_customer' THEN '{"name": null, "given_name": null, "family_name": null, "organization_name": null,
      "birth_date": null, "website": null, "currency": null, "language": null, "payment_terms": null, "credit_limit": null,
      "status": null, "addresses": [], "contact_points": [], "identifiers": [], "extra": {}, "held": {}, "lineage": [],
      "salt": null}'::jsonb
    WHEN 'event' THEN '{"body": null, "salt": null}'::jsonb
    WHEN 'source_record_version' THEN '{"raw": null, "canonical": null, "salt": null}'::jsonb
    WHEN 'edge' THEN '{"levels": null, "salt": null}'::jsonb
    WHEN 'quarantine' THEN '{"raw": null, "fixed": null, "problems": [], "salt": null}'::jsonb
  END
$$;
CREATE FUNCTION erasure_subjects(of text, told jsonb) RETURNS uuid[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE of
    WHEN 'historical_customer' THEN ARRAY[told ->> 'id']
    WHEN 'event' THEN ARRAY[told ->> 'subject_id']
    WHEN 'source_record_version' THEN ARRAY[told ->> 'source_record_id']
    WHEN 'edge' THEN ARRAY[told ->> 'record_a_id', told ->> 'record_b_id']
    WHEN 'quarantine' THEN ARRAY[told ->> 'id']
  END::uuid[]
$$;
CREATE FUNCTION is_erasure(of text, before jsonb, after jsonb) RETURNS boolean LANGUAGE sql STABLE
SET search_path = public, pg_temp AS $$
  SELECT coalesce(after = before || erased_form(of), false) AND EXISTS (SELECT FROM erasure
    WHERE written_in = pg_current_xact_id()::text::bigint AND subjects && erasure_subjects(of, before))
$$;
"""

GUARDS = """
CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND is_erasure(TG_TABLE_NAME, to_jsonb(OLD), to_jsonb(NEW)) THEN
    RETURN NEW;
  END IF;
  IF TG_NARGS > 0 THEN
    RAISE EXCEPTION '%.% is set once', TG_TABLE_NAME, TG_ARGV[0] USING ERRCODE = 'restrict_violation';
  END IF;
  RAISE EXCEPTION 'table % is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE OR REPLACE FUNCTION quarantine_keeps_raw() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF NEW.raw IS DISTINCT FROM OLD.raw AND NOT is_erasure('quarantine', to_jsonb(OLD), to_jsonb(NEW)) THEN
    RAISE EXCEPTION 'the payload of a quarantined record is kept as received' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CALL guard_append_only('erasure');
"""

ERASE = """
CREATE FUNCTION erase_subject(customer uuid, erasure_id uuid, actor text, reason text, correlation uuid) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  customers uuid[]; records uuid[]; aside uuid[];
  counts jsonb := '{}'; guarded text; which text; assigned text; done bigint;
BEGIN
  SELECT array_agg(id ORDER BY id) INTO customers FROM (
    SELECT c.id FROM customer c WHERE c.id = $1
    UNION SELECT r.retired_id FROM redirect r WHERE r.successor_id = $1 AND r.until IS NULL) found;
  IF customers IS NULL THEN
    RAISE EXCEPTION 'there is no customer %', $1 USING ERRCODE = 'no_data_found';
  END IF;
  SELECT coalesce(array_agg(s.id ORDER BY s.id), '{}') INTO records FROM source_record s WHERE s.customer_id = ANY(customers);
  SELECT coalesce(array_agg(q.id ORDER BY q.id), '{}') INTO aside FROM quarantine q
    JOIN source_record s ON s.system_id = q.system_id AND s.external_id = q.external_id WHERE s.id = ANY(records);
  FOR guarded, which IN VALUES
    ('historical_customer', 't.id = ANY($1)'), ('event', 't.subject_id = ANY($1)'), ('source_record_version', 't.source_record_id = ANY($2)'),
    ('edge', 't.superseded_at IS NOT NULL AND (t.record_a_id = ANY($2) OR t.record_b_id = ANY($2))'), ('quarantine', 't.id = ANY($3)')
  LOOP
    EXECUTE format('SELECT count(*) FROM %I t WHERE t.salt IS NOT NULL AND %s', guarded, which) INTO done USING customers, records, aside;
    counts := counts || jsonb_build_object(guarded, done);
  END LOOP;
  INSERT INTO erasure (id, customer_id, subjects, counts, actor, reason, correlation_id, erased_at, written_in)
    VALUES ($2, $1, customers || records || aside, counts, $3, $4, $5, clock_timestamp(), pg_current_xact_id()::text::bigint);
  FOR guarded, which IN VALUES
    ('historical_customer', 't.id = ANY($1)'), ('event', 't.subject_id = ANY($1)'), ('source_record_version', 't.source_record_id = ANY($2)'),
    ('edge', 't.superseded_at IS NOT NULL AND (t.record_a_id = ANY($2) OR t.record_b_id = ANY($2))'), ('quarantine', 't.id = ANY($3)')
  LOOP
    SELECT string_agg(format('%1$I = (jsonb_populate_record(NULL::%2$I, %3$L)).%1$I', key, guarded, erased_form(guarded)), ', ') INTO assigned
      FROM jsonb_object_keys(erased_form(guarded)) AS key;
    EXECUTE format('UPDATE %I t SET %s WHERE t.salt IS NOT NULL AND %s', guarded, assigned, which) USING customers, records, aside;
  END LOOP;
  RETURN counts;
END $$;
REVOKE ALL ON FUNCTION erase_subject(uuid, uuid, text, text, uuid) FROM PUBLIC;
"""

BACK = """
DROP FUNCTION erase_subject(uuid, uuid, text, text, uuid);
DROP TRIGGER append_only ON erasure; DROP TRIGGER never_deleted ON erasure;
CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'table % is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE OR REPLACE FUNCTION quarantine_keeps_raw() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.raw IS DISTINCT FROM OLD.raw THEN
    RAISE EXCEPTION 'the payload of a quarantined record is kept as received' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("customers", "0009_sealed")]

    operations = [
        migrations.RunSQL(
            FORM,
            "DROP FUNCTION is_erasure(text, jsonb, jsonb), erased_form(text), erasure_subjects(text, jsonb)",
        ),
        migrations.RunSQL(GUARDS, migrations.RunSQL.noop),
        migrations.RunSQL(ERASE, BACK),
    ]
