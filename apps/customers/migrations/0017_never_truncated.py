"""What is append-only is not emptied either: TRUNCATE fires no trigger of a row, and so went past the guards."""

from django.db import migrations

GUARD = """
CREATE OR REPLACE PROCEDURE guard_truncate(guarded regclass) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE OR REPLACE TRIGGER never_truncated BEFORE TRUNCATE ON %s'
    ' FOR EACH STATEMENT EXECUTE FUNCTION append_only()', guarded);
END $$;
CREATE OR REPLACE PROCEDURE guard_append_only(guarded regclass, set_once name DEFAULT NULL) LANGUAGE plpgsql AS $$
DECLARE
  fixed text;
BEGIN
  SELECT string_agg(quote_ident(attname), ', ') INTO fixed FROM pg_attribute
    WHERE attrelid = guarded AND attnum > 0 AND NOT attisdropped AND attname IS DISTINCT FROM set_once;
  EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OF %s ON %s FOR EACH ROW'
    ' WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION append_only()', fixed, guarded);
  EXECUTE format('CREATE TRIGGER never_deleted BEFORE DELETE ON %s FOR EACH ROW EXECUTE FUNCTION append_only()', guarded);
  CALL guard_truncate(guarded);
  IF set_once IS NOT NULL THEN
    EXECUTE format('CREATE TRIGGER set_once BEFORE UPDATE OF %1$I ON %2$s FOR EACH ROW'
      ' WHEN (OLD.%1$I IS NOT NULL AND OLD.%1$I IS DISTINCT FROM NEW.%1$I) EXECUTE FUNCTION append_only(%1$L)', set_once, guarded);
  END IF;
END $$;
DO $$
DECLARE
  guarded regclass;
BEGIN
  FOR guarded IN SELECT DISTINCT tgrelid::regclass FROM pg_trigger WHERE tgname IN ('append_only', 'seal_stays') LOOP
    CALL guard_truncate(guarded);
  END LOOP;
END $$;
"""

BACK = """
DO $$
DECLARE
  guarded regclass;
BEGIN
  FOR guarded IN SELECT tgrelid::regclass FROM pg_trigger WHERE tgname = 'never_truncated' LOOP
    EXECUTE format('DROP TRIGGER never_truncated ON %s', guarded);
  END LOOP;
END $$;
CREATE OR REPLACE PROCEDURE guard_truncate(guarded regclass) LANGUAGE plpgsql AS 'BEGIN END';
"""


class Migration(migrations.Migration):
    dependencies = [("customers", "0016_unmerge_requests"), ("events", "0004_sealed")]

    operations = [migrations.RunSQL(GUARD, BACK)]
