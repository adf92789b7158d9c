"""The newest snapshot is the customer, its list of names included; a snapshot from before there was such a list stands for an empty one.
A request to take merges apart asks for something, though for no customer: it names what joined them. And an account that two customers
share is no sign that they are one."""

from importlib import import_module

from django.db import migrations

BEFORE = import_module("apps.connectors.migrations.0005_pending_approvals").VIEW
_COMPARED = " identifiers, extra, held, lineage,"
assert BEFORE.count(_COMPARED) == 2
_NOTHING = "'waits for approval, but nothing is asked for' FROM change_request r WHERE r.state = 'open'"
assert BEFORE.count(_NOTHING) == 1
VIEW = BEFORE.replace(_COMPARED, _COMPARED.replace("extra", "coalesce(names, '[]'), extra"))
VIEW = VIEW.replace(_NOTHING, f"{_NOTHING} AND r.kind IN ('hold', 'merge')")

_VERIFIED = "WHERE (i.part ->> 'verified')::boolean AND s.state = 'built'"
assert BEFORE.count(_VERIFIED) == 1
VIEW = VIEW.replace(_VERIFIED, f"{_VERIFIED} AND i.part ->> 'type' <> 'iban'")


class Migration(migrations.Migration):
    dependencies = [("connectors", "0005_pending_approvals"), ("customers", "0013_names_and_ends")]

    operations = [migrations.RunSQL(VIEW, BEFORE)]
