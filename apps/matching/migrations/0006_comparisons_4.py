"""Mailboxes made of a name are compared otherwise since version 4: what is stored is compared again as the redo queue is worked off."""

from django.db import migrations

AGAIN = """
INSERT INTO redo (source_record_id, reason, due_at, attempts)
SELECT source_record_id, 'it is compared otherwise by now', clock_timestamp(), 0 FROM match_record WHERE features_version < 4
ON CONFLICT (source_record_id) DO NOTHING
"""


class Migration(migrations.Migration):
    dependencies = [("matching", "0005_keys_3")]
    operations = [migrations.RunSQL(AGAIN, migrations.RunSQL.noop)]
