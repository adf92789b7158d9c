"""What customers are counted and narrowed by, kept by the database itself.

`countries`, `reachable` and `flawed` follow from the lists in the same row, so no code can forget them; reading them there instead
would mean unpacking every customer's JSON at each count. The columns are no part of the model: nobody writes them.

- `countries`: the country codes of the addresses, as the text of a JSON list;
- `reachable`: there is an e-mail address or telephone number that is not known to be wrong, or an address with a first line;
- `flawed`: a contact point is known to be invalid, or the check digits of an identifier say that it is wrong."""

from django.db import migrations

COLUMNS = """
ALTER TABLE customer
  ADD COLUMN countries text NOT NULL GENERATED ALWAYS AS (jsonb_path_query_array(addresses, '$[*].country')::text) STORED,
  ADD COLUMN reachable boolean NOT NULL GENERATED ALWAYS AS (
    jsonb_path_exists(contact_points, '$[*] ? (@.value != "" && !(@.valid == false))')
    OR jsonb_path_exists(addresses, '$[*] ? (@.line1 != "")')) STORED,
  ADD COLUMN flawed boolean NOT NULL GENERATED ALWAYS AS (
    jsonb_path_exists(contact_points, '$[*] ? (@.valid == false)')
    OR jsonb_path_exists(identifiers, '$[*] ? (@.verified == false)')) STORED
"""
COLUMNS_BACK = "ALTER TABLE customer DROP COLUMN countries, DROP COLUMN reachable, DROP COLUMN flawed"

INDEXES = (
    # Counts by facet and the shares of the first page are read from this index alone: the rows themselves are wide.
    (
        "customer_traits",
        "CREATE INDEX customer_traits ON customer (kind, status, countries, member_count, reachable, flawed) INCLUDE (id) WHERE active",
    ),
    # Pages in the order of the name begin anywhere without sorting everybody; who has no name comes last.
    (
        "customer_by_name",
        "CREATE INDEX customer_by_name ON customer ((name IS NULL), coalesce(lower(name), ''), id) WHERE active",
    ),
    # The few customers whose data need care are found without going through all the others.
    (
        "customer_in_need",
        "CREATE INDEX customer_in_need ON customer (updated_at, id) WHERE active AND (NOT reachable OR flawed)",
    ),
)

# Which systems know a customer is read from the index, too. It finds a customer's records as the one of the foreign key did, in whose
# place it stands: writing a record costs what it did.
KNOWN = """
CREATE INDEX source_record_known ON source_record (customer_id, system_id);
DO $$ DECLARE name text; BEGIN
  FOR name IN SELECT x.indexrelid::regclass::text FROM pg_index x
    WHERE x.indrelid = 'source_record'::regclass AND NOT x.indisunique AND x.indnatts = 1 AND x.indpred IS NULL
      AND x.indkey[0] = (SELECT attnum FROM pg_attribute WHERE attrelid = 'source_record'::regclass AND attname = 'customer_id') LOOP
    EXECUTE 'DROP INDEX ' || name;
  END LOOP;
END $$;
"""
KNOWN_BACK = "CREATE INDEX source_record_customer_id ON source_record (customer_id); DROP INDEX source_record_known"


class Migration(migrations.Migration):
    dependencies = [("customers", "0005_relation")]

    operations = [
        migrations.RunSQL(COLUMNS, COLUMNS_BACK),
        *(migrations.RunSQL(make, f"DROP INDEX {name}") for name, make in INDEXES),
        migrations.RunSQL(KNOWN, KNOWN_BACK),
    ]
