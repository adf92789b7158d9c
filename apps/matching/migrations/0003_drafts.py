"""Models are kept as drafts before they are put in force, and how far a version has been spread is remembered."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("matching", "0002_guards")]

    operations = [
        migrations.AddField("matchmodel", "queued_to", models.UUIDField(null=True)),
        migrations.RemoveConstraint("matchmodel", "match_model_state"),
        migrations.AddConstraint(
            "matchmodel",
            models.CheckConstraint(
                condition=models.Q(("state__in", ["draft", "active", "retired"])), name="match_model_state"
            ),
        ),
    ]
