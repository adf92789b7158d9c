"""The feed starts at position 0."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("events", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "INSERT INTO feed_head (id, position) VALUES (1, 0)",
            "DELETE FROM feed_head",
        ),
    ]
