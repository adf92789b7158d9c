"""Keys are made otherwise since version 3: what is stored is made again, record by record, as the redo queue is worked off."""

from django.db import migrations

AGAIN = """
INSERT INTO redo (source_record_id, reason, due_at, attempts)
SELECT source_record_id, 'its keys are made otherwise by now', clock_timestamp(), 0 FROM match_record WHERE features_version < 3
ON CONFLICT (source_record_id) DO NOTHING
"""


class Migration(migrations.Migration):
    dependencies = [("matching", "0004_features_2")]
    operations = [migrations.RunSQL(AGAIN, migrations.RunSQL.noop)]
