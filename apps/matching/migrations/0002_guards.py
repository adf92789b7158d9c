"""Evidence is never rewritten: a new score supersedes the old row."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("matching", "0001_initial"), ("customers", "0002_guards")]

    operations = [
        migrations.RunSQL(
            "CALL guard_append_only('edge', 'superseded_at');"
            "ALTER TABLE match_record ALTER COLUMN features SET STATISTICS 0, ALTER COLUMN keys SET STATISTICS 0",
            "DROP TRIGGER append_only ON edge; DROP TRIGGER never_deleted ON edge; DROP TRIGGER set_once ON edge",
        ),
    ]
