"""Keys that systems have given up: kept, sealed, and an erasure finds what was set aside under them."""

import apps.common.ids
import django.db.models.deletion
from django.db import migrations, models


FINDS_FORMER_KEYS = """
DO $$ DECLARE
  now_ text := 'JOIN source_record s ON s.system_id = q.system_id AND s.external_id = q.external_id WHERE s.id = ANY(records)';
  then_ text := 'JOIN source_record s ON s.system_id = q.system_id AND (s.external_id = q.external_id OR EXISTS (SELECT FROM renamed_key k'
    ' WHERE k.source_record_id = s.id AND k.before = q.external_id)) WHERE s.id = ANY(records)';
  of_ text := pg_get_functiondef('erase_subject(uuid, uuid, text, text, uuid)'::regprocedure);
BEGIN
  IF position(now_ IN of_) = 0 THEN
    RAISE EXCEPTION 'erase_subject is not the function that this migration knows';
  END IF;
  EXECUTE replace(of_, now_, then_);
END $$;
"""
GUARD = "CALL guard_append_only('renamed_key')"


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0013_names_and_ends"),
    ]

    operations = [
        migrations.CreateModel(
            name="RenamedKey",
            fields=[
                (
                    "id",
                    models.UUIDField(default=apps.common.ids.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("before", models.TextField()),
                ("after", models.TextField()),
                ("actor", models.TextField()),
                ("reason", models.TextField()),
                ("correlation_id", models.UUIDField()),
                ("renamed_at", models.DateTimeField()),
                (
                    "source_record",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="renamed",
                        to="customers.sourcerecord",
                    ),
                ),
                (
                    "system",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="customers.system",
                    ),
                ),
            ],
            options={
                "db_table": "renamed_key",
                "indexes": [
                    models.Index(fields=["source_record"], name="renamed_key_record"),
                    models.Index(fields=["system", "before"], name="renamed_key_before"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("before", models.F("after")), _negated=True), name="renamed_key_differs"
                    )
                ],
            },
        ),
        migrations.RunSQL(GUARD, migrations.RunSQL.noop),
        migrations.RunSQL(FINDS_FORMER_KEYS, migrations.RunSQL.noop),
    ]
