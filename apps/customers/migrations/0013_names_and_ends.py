"""A customer's other names as a list, entries of lists that begin and end, and two more ways to take what a system deletes.

Every customer is derived again once: the entries of its lists are ranked from now on."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

# Versions that are there already keep NULL: their digests say nothing of names.
COLUMNS = """
ALTER TABLE customer ADD COLUMN names jsonb NOT NULL DEFAULT '[]';
ALTER TABLE customer ALTER COLUMN names DROP DEFAULT, ALTER COLUMN names SET STATISTICS 0;
ALTER TABLE customer ADD CONSTRAINT customer_names CHECK (jsonb_typeof(names) = 'array' AND jsonb_array_length(names) <= 200);
ALTER TABLE historical_customer ADD COLUMN names jsonb;
ALTER TABLE historical_customer ALTER COLUMN names SET STATISTICS 0;
DROP TRIGGER append_only ON historical_customer;
DROP TRIGGER never_deleted ON historical_customer;
CALL guard_append_only('historical_customer');
"""
COLUMNS_BACK = """
ALTER TABLE customer DROP COLUMN names;
DROP TRIGGER append_only ON historical_customer;
DROP TRIGGER never_deleted ON historical_customer;
ALTER TABLE historical_customer DROP COLUMN names;
CALL guard_append_only('historical_customer');
"""

CROWDED = """
ALTER TABLE customer DROP COLUMN crowded;
ALTER TABLE customer ADD COLUMN crowded boolean NOT NULL GENERATED ALWAYS AS (
  jsonb_array_length(addresses) >= 200 OR jsonb_array_length(contact_points) >= 200 OR jsonb_array_length(identifiers) >= 200
  OR jsonb_array_length(names) >= 200) STORED;
CREATE INDEX customer_crowded ON customer (id) WHERE active AND crowded;
"""
CROWDED_BACK = """
ALTER TABLE customer DROP COLUMN crowded;
ALTER TABLE customer ADD COLUMN crowded boolean NOT NULL GENERATED ALWAYS AS (
  jsonb_array_length(addresses) >= 200 OR jsonb_array_length(contact_points) >= 200 OR jsonb_array_length(identifiers) >= 200) STORED;
CREATE INDEX customer_crowded ON customer (id) WHERE active AND crowded;
"""

FORM = """
CREATE OR REPLACE FUNCTION erased_form(of text) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE of
    WHEN 'historical_customer' THEN '{"name": null, "given_name": null, "family_name": null, "organization_name": null,
      "birth_date": null, "website": null, "currency": null, "language": null, "payment_terms": null, "credit_limit": null,
      "status": null, "addresses": [], "contact_points": [], "identifiers": [], "names": null, "extra": {}, "held": {}, "lineage": [],
      "salt": null}'::jsonb
    WHEN 'event' THEN '{"body": null, "salt": null}'::jsonb
    WHEN 'source_record_version' THEN '{"raw": null, "canonical": null, "salt": null}'::jsonb
    WHEN 'edge' THEN '{"levels": null, "salt": null}'::jsonb
    WHEN 'quarantine' THEN '{"raw": null, "fixed": null, "problems": [], "salt": null}'::jsonb
  END
$$
"""
FORM_BACK = FORM.replace('"names": null, ', "")

DERIVE_ALL = """
INSERT INTO rebuild_run (id, policy_hash, reason, state, done, written, conflicts, failed, last_error, actor, correlation_id)
SELECT gen_random_uuid(), '', 'manual', 'running', 0, 0, 0, 0, '', 'hub:migrate', gen_random_uuid()
WHERE EXISTS (SELECT FROM customer) ON CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):
    dependencies = [("customers", "0012_merge_request")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(COLUMNS, COLUMNS_BACK)],
            state_operations=[
                migrations.AddField("customer", "names", models.JSONField(default=list)),
                migrations.AddField("historicalcustomer", "names", models.JSONField(default=list)),
            ],
        ),
        migrations.RunSQL(CROWDED, CROWDED_BACK),
        migrations.RunSQL(FORM, FORM_BACK),
        migrations.CreateModel(
            name="CustomerDue",
            fields=[
                (
                    "customer",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="due",
                        serialize=False,
                        to="customers.customer",
                    ),
                ),
                ("on", models.DateField(db_index=True)),
            ],
            options={"db_table": "customer_due"},
        ),
        migrations.RemoveConstraint("system", "system_delete_policy"),
        migrations.AlterField(
            "system",
            "delete_policy",
            models.TextField(
                choices=[
                    ("keep", "keep: a deleted record goes on contributing"),
                    ("downgrade", "downgrade: its values stay until any live record has one"),
                    (
                        "end_date",
                        "end date: as downgrade, and its addresses, contact points, identifiers and names end that day",
                    ),
                    (
                        "cascade",
                        "cascade: its values leave the customer; with the last record the customer is closed",
                    ),
                ],
                default="downgrade",
            ),
        ),
        migrations.AddConstraint(
            "system",
            models.CheckConstraint(
                condition=Q(delete_policy__in=["keep", "downgrade", "end_date", "cascade"]), name="system_delete_policy"
            ),
        ),
        migrations.RunSQL(DERIVE_ALL, migrations.RunSQL.noop),
    ]
