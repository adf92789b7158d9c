"""Evidence is never rewritten: a new score supersedes the old row."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("matching", "0001_initial"), ("customers", "0002_guards")]

    operations = [
        migrations.RunSQL(
            "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON edge FOR EACH ROW EXECUTE FUNCTION append_only('superseded_at')",
            "DROP TRIGGER append_only ON edge",
        ),
    ]
