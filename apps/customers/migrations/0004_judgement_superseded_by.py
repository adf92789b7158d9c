from django.db import migrations, models

# The guard of the table was made for the columns it had; this one is set once, with the moment.
SET_ONCE = """
CREATE TRIGGER superseded_by_set_once BEFORE UPDATE OF superseded_by ON judgement FOR EACH ROW
  WHEN (OLD.superseded_at IS NOT NULL AND OLD.superseded_by IS DISTINCT FROM NEW.superseded_by)
  EXECUTE FUNCTION append_only('superseded_by');
"""


class Migration(migrations.Migration):
    dependencies = [("customers", "0003_links_outward")]

    operations = [
        migrations.AddField("judgement", "superseded_by", models.UUIDField(null=True)),
        migrations.AddIndex(
            "judgement",
            models.Index(
                fields=["superseded_by"],
                name="judgement_superseded_by",
                condition=models.Q(superseded_by__isnull=False),
            ),
        ),
        migrations.RunSQL(SET_ONCE, "DROP TRIGGER superseded_by_set_once ON judgement"),
    ]
