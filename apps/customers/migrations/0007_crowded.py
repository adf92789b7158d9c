"""Customers with as many addresses, contact points or identifiers as one may have: what goes beyond is left out, and a person should know."""

from django.db import migrations

COLUMN = """
ALTER TABLE customer ADD COLUMN crowded boolean NOT NULL GENERATED ALWAYS AS (
  jsonb_array_length(addresses) >= 200 OR jsonb_array_length(contact_points) >= 200 OR jsonb_array_length(identifiers) >= 200) STORED
"""
INDEX = "CREATE INDEX customer_crowded ON customer (id) WHERE active AND crowded"


class Migration(migrations.Migration):
    dependencies = [("customers", "0006_traits")]

    operations = [
        migrations.RunSQL(COLUMN, "ALTER TABLE customer DROP COLUMN crowded"),
        migrations.RunSQL(INDEX, "DROP INDEX customer_crowded"),
    ]
