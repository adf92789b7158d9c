"""What no code may break: guards in the database itself."""

from django.db import migrations

SEALED_DIGEST = """
CREATE FUNCTION sealed_digest(meta text, salt bytea, payload text) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE AS $$  -- as convert_to is: declared stricter it would not be inlined
  SELECT sha256(convert_to(meta, 'UTF8') || sha256(salt || convert_to(payload, 'UTF8')))
$$;
"""

COMPOSITE_KEY = """
ALTER TABLE source_record ADD CONSTRAINT source_record_in_active_customer
  FOREIGN KEY (customer_id, customer_active) REFERENCES customer (id, active);
ALTER TABLE historical_customer ADD CONSTRAINT historical_customer_version UNIQUE (id, version);
ALTER TABLE customer ADD CONSTRAINT customer_parts CHECK (
  jsonb_typeof(addresses) = 'array' AND jsonb_array_length(addresses) <= 200
  AND jsonb_typeof(contact_points) = 'array' AND jsonb_array_length(contact_points) <= 200
  AND jsonb_typeof(identifiers) = 'array' AND jsonb_array_length(identifiers) <= 200);
ALTER TABLE membership ADD CONSTRAINT membership_never_twice
  EXCLUDE USING gist (source_record_id WITH =, tstzrange(since, until) WITH &&);
"""

# A guard that names its columns costs nothing when a column that may be set once is set: the change feed's positions are.
APPEND_ONLY = """
CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('hub.erasing', true) = 'on' THEN
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
  END IF;
  IF TG_NARGS > 0 THEN
    RAISE EXCEPTION '%.% is set once', TG_TABLE_NAME, TG_ARGV[0] USING ERRCODE = 'restrict_violation';
  END IF;
  RAISE EXCEPTION 'table % is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE PROCEDURE guard_append_only(guarded regclass, set_once name DEFAULT NULL) LANGUAGE plpgsql AS $$
DECLARE
  fixed text;
BEGIN
  SELECT string_agg(quote_ident(attname), ', ') INTO fixed FROM pg_attribute
    WHERE attrelid = guarded AND attnum > 0 AND NOT attisdropped AND attname IS DISTINCT FROM set_once;
  EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OF %s ON %s FOR EACH ROW'
    ' WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION append_only()', fixed, guarded);
  EXECUTE format('CREATE TRIGGER never_deleted BEFORE DELETE ON %s FOR EACH ROW EXECUTE FUNCTION append_only()', guarded);
  IF set_once IS NOT NULL THEN
    EXECUTE format('CREATE TRIGGER set_once BEFORE UPDATE OF %1$I ON %2$s FOR EACH ROW'
      ' WHEN (OLD.%1$I IS NOT NULL AND OLD.%1$I IS DISTINCT FROM NEW.%1$I) EXECUTE FUNCTION append_only(%1$L)', set_once, guarded);
  END IF;
END $$;
CALL guard_append_only('historical_customer');
CALL guard_append_only('source_record_version');
CALL guard_append_only('membership', 'until');
CALL guard_append_only('redirect', 'until');
CALL guard_append_only('judgement', 'superseded_at');
CALL guard_append_only('event', 'position');
"""

# Payloads are never searched by value, and what happened is only ever found by its id and number: looking at them again and again as a table grows is most of what ANALYZE would cost.
NO_STATISTICS = """
DO $$ DECLARE payload record; BEGIN
  FOR payload IN SELECT attrelid::regclass AS of, attname AS name FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped
    AND attrelid IN ('customer'::regclass, 'historical_customer'::regclass, 'source_record'::regclass,
      'source_record_version'::regclass, 'event'::regclass, 'quarantine'::regclass)
    AND (atttypid IN ('jsonb'::regtype, 'bytea'::regtype) OR attname IN ('raw', 'policy_hash')) LOOP
    EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS 0', payload.of, payload.name);
  END LOOP;
  FOR payload IN SELECT attrelid::regclass AS of, attname AS name FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped
    AND attrelid IN ('historical_customer'::regclass, 'source_record_version'::regclass, 'event'::regclass)
    AND attstattarget IS DISTINCT FROM 0 LOOP
    EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS 10', payload.of, payload.name);
  END LOOP;
END $$;
"""

# The library indexes the snapshot's id and user alone; (id, version) serves the first, and nobody asks for the second.
FEWER_INDEXES = """
DO $$ DECLARE name text; BEGIN
  FOR name IN SELECT c.relname FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
    WHERE x.indrelid = 'historical_customer'::regclass AND NOT x.indisunique LOOP
    EXECUTE format('DROP INDEX %I', name);
  END LOOP;
END $$;
"""

QUARANTINE_KEEPS_RAW = """
CREATE FUNCTION quarantine_keeps_raw() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.raw IS DISTINCT FROM OLD.raw AND current_setting('hub.erasing', true) IS DISTINCT FROM 'on' THEN
    RAISE EXCEPTION 'the payload of a quarantined record is kept as received' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER keeps_raw BEFORE UPDATE ON quarantine FOR EACH ROW EXECUTE FUNCTION quarantine_keeps_raw();
"""

# A person's live verdict can be replaced by another person's only: the machine has to find a free place.
PERSON_OUTRANKS = """
CREATE FUNCTION judgement_person_outranks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.origin = 'machine' AND EXISTS (
    SELECT 1 FROM judgement WHERE record_a_id = NEW.record_a_id AND record_b_id = NEW.record_b_id
      AND origin = 'person' AND (superseded_at IS NULL OR superseded_at = now())) THEN
    RAISE EXCEPTION 'a machine never replaces a person''s verdict' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER person_outranks BEFORE INSERT ON judgement FOR EACH ROW EXECUTE FUNCTION judgement_person_outranks();
"""


class Migration(migrations.Migration):
    dependencies = [("customers", "0001_initial"), ("events", "0001_initial")]

    operations = [
        migrations.RunSQL(SEALED_DIGEST, "DROP FUNCTION sealed_digest(text, bytea, text)"),
        migrations.RunSQL(COMPOSITE_KEY, migrations.RunSQL.noop),
        migrations.RunSQL(FEWER_INDEXES, migrations.RunSQL.noop),
        migrations.RunSQL(
            APPEND_ONLY, "DROP PROCEDURE guard_append_only(regclass, name); DROP FUNCTION append_only() CASCADE"
        ),
        migrations.RunSQL(NO_STATISTICS, migrations.RunSQL.noop),
        migrations.RunSQL(QUARANTINE_KEEPS_RAW, "DROP FUNCTION quarantine_keeps_raw() CASCADE"),
        migrations.RunSQL(PERSON_OUTRANKS, "DROP FUNCTION judgement_person_outranks() CASCADE"),
    ]
