"""What the hub knows of the records it writes to, and records that follow others."""

import django.db.models.deletion
from django.db import migrations, models


ANCHORS_FOLLOW = "UPDATE source_record s SET follows_id = s.external_id::uuid FROM system y WHERE y.id = s.system_id AND y.kind = 'steward'"

# What a target has confirmed of one customer never falls back; a record that moves to another customer begins anew.
NEVER_BACK = """
CREATE FUNCTION link_never_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.acknowledged_customer = OLD.acknowledged_customer AND NEW.acknowledged_version < OLD.acknowledged_version THEN
    RAISE EXCEPTION 'link %: version % was acknowledged, % is older', OLD.id, OLD.acknowledged_version, NEW.acknowledged_version
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER never_back BEFORE UPDATE OF acknowledged_version ON link FOR EACH ROW EXECUTE FUNCTION link_never_back();
ALTER TABLE link ALTER COLUMN last_sent SET STATISTICS 0;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0002_guards"),
    ]

    operations = [
        migrations.AddField(
            model_name="link",
            name="acknowledged_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="link",
            name="acknowledged_customer",
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name="link",
            name="acknowledged_version",
            field=models.IntegerField(null=True),
        ),
        migrations.AddField(
            model_name="link",
            name="disposition",
            field=models.TextField(
                choices=[("there", "There"), ("deactivated", "Deactivated"), ("merged", "Merged"), ("gone", "Gone")],
                db_default="there",
            ),
        ),
        migrations.AddField(
            model_name="link",
            name="etag",
            field=models.TextField(blank=True, db_default=""),
        ),
        migrations.AddField(
            model_name="link",
            name="last_sent",
            field=models.JSONField(db_default={}),
        ),
        migrations.AddField(
            model_name="link",
            name="merged_into",
            field=models.TextField(blank=True, db_default=""),
        ),
        migrations.AddField(
            model_name="sourcerecord",
            name="follows",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="followers",
                to="customers.sourcerecord",
            ),
        ),
        migrations.AddConstraint(
            model_name="link",
            constraint=models.CheckConstraint(
                condition=models.Q(("disposition__in", ["there", "deactivated", "merged", "gone"])),
                name="link_disposition",
            ),
        ),
        migrations.RunSQL(ANCHORS_FOLLOW, migrations.RunSQL.noop),
        migrations.RunSQL(NEVER_BACK, "DROP FUNCTION link_never_back() CASCADE"),
    ]
