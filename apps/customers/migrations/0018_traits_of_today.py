"""What customers are counted and narrowed by follows from what holds today: not from an address, number or identifier that has ended or
has not begun. A dated entry has a rank as long as it holds, and on the day on which that changes the customer is derived again."""

from django.db import migrations

HOLDS = "(exists(@.rank) || !(exists(@.valid_from) || exists(@.valid_to)))"

AGAIN = """
ALTER TABLE customer DROP COLUMN countries, DROP COLUMN reachable, DROP COLUMN flawed,
  ADD COLUMN countries text NOT NULL GENERATED ALWAYS AS (jsonb_path_query_array(addresses, '$[*]{where}.country')::text) STORED,
  ADD COLUMN reachable boolean NOT NULL GENERATED ALWAYS AS (
    jsonb_path_exists(contact_points, '$[*] ? (@.value != "" && !(@.valid == false){and_})')
    OR jsonb_path_exists(addresses, '$[*] ? (@.line1 != ""{and_})')) STORED,
  ADD COLUMN flawed boolean NOT NULL GENERATED ALWAYS AS (
    jsonb_path_exists(contact_points, '$[*] ? (@.valid == false{and_})')
    OR jsonb_path_exists(identifiers, '$[*] ? (@.verified == false{and_})')) STORED;
CREATE INDEX customer_traits ON customer (kind, status, countries, member_count, reachable, flawed) INCLUDE (id) WHERE active;
CREATE INDEX customer_in_need ON customer (updated_at, id) WHERE active AND (NOT reachable OR flawed);
"""


class Migration(migrations.Migration):
    dependencies = [("customers", "0017_never_truncated")]

    operations = [
        migrations.RunSQL(AGAIN.format(where=f" ? {HOLDS}", and_=f" && {HOLDS}"), AGAIN.format(where="", and_=""))
    ]
