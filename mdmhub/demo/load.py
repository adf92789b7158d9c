"""The demo in the hub: systems, logins, and the records of the generator, through the same door as anybody's files."""

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from apps.accounts.models import User
from apps.common.act import Act
from apps.common.errors import Rejected
from apps.connectors import runs
from apps.connectors.models import Connection, Run
from apps.customers.models import SourceRecord, System
from apps.customers.systems import steward_system
from apps.events.sealing import LOCK
from mdmhub import sealed
from mdmhub.demo.generator import write_files

SYSTEMS = (
    {"code": "crm", "name": "CRM", "kind": "crm", "trust": 70, "region": "EU"},
    {"code": "erp", "name": "ERP", "kind": "erp", "trust": 80, "region": "EU"},
    {"code": "billing", "name": "Billing", "kind": "billing", "trust": 75, "region": "EU"},
    {"code": "support", "name": "Support desk", "kind": "support", "trust": 50, "region": "US"},
)
ROLES = ("viewer", "steward", "approver", "integrator", "admin")
ACTOR = "command:demo"
FILES = "demo"


def logins_file() -> Path:
    return Path(settings.HUB_HOME) / "demo-logins.json"


def ensure_systems() -> dict[str, System]:
    """The four systems of the demo with a connection each, and `steward`; existing ones stay as they are."""
    found = {}
    for fields in SYSTEMS:
        system, _ = System.objects.get_or_create(code=fields["code"], defaults=fields)
        Connection.objects.get_or_create(name=system.code, defaults={"system": system, "adapter": "webhook"})
        found[system.code] = system
    steward_system()
    return found


def ensure_logins() -> dict[str, str]:
    """One login per role; the passwords are made once and kept in HUB_HOME/demo-logins.json, for the hub's owner alone."""
    if not settings.DEMO_LOGINS_ALLOWED:
        raise Rejected("Demo logins are refused while DEBUG is off: make real accounts with manage.py createsuperuser.")
    path = logins_file()
    logins: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    for role in ROLES:
        password = logins.setdefault(role, secrets.token_urlsafe(9))
        user, created = User.objects.get_or_create(
            username=role, defaults={"roles": [role], "email": f"{role}@hub.example"}
        )
        if created or not user.check_password(password):
            user.set_password(password)
            user.is_staff = user.is_superuser = role == "admin"
            user.save()
    path.touch(mode=0o600, exist_ok=True)
    path.write_text(json.dumps(logins, indent=1))
    return logins


def load(*, customers: int, seed: int, on_run: Callable[[Run], None] | None = None) -> list[Run]:
    """Writes the four files into HUB_HOME/demo and takes them in; returns the runs."""
    systems = ensure_systems()
    paths = write_files(Path(settings.HUB_HOME) / FILES, customers, seed)
    done = []
    for code, system in systems.items():
        run = runs.create_file_run(
            path=paths[code], file_name=paths[code].name, system=system, mapping=None, act=Act(ACTOR, "the demo")
        )
        runs.claim(run.id)
        done.append(runs.execute(run.id, on_progress=on_run))
    return done


CUSTOMER_TABLES = (
    "bulk_unmerge, merge_request, note, steward_decision, steward_case, relation, delivery_attempt, delivery, plan_due,"
    " doubt, edge, redo, match_record, blocking_key, oversized_key, judgement, hold, change_request, quarantine, field_drift,"
    " inbound_message, run, mapping, lookup_key, customer_search, customer_due, redirect, membership, link, source_record_version, renamed_key, source_record,"
    " historical_customer, stale_attribute, customer, event"
)

SEALS = "seal, seal_cursor, checkpoint, audit_check"


@contextmanager
def guards_aside() -> Iterator[None]:
    """What is append-only may be emptied in here, by the owner of its tables."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'never_truncated'")
        guarded = [table for (table,) in cursor.fetchall()]
        for table in guarded:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER never_truncated")
        yield
        for table in guarded:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER never_truncated")


@transaction.atomic
def empty() -> None:
    """Empties the hub of customers and of the seals of their history, which begins anew."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))  # the sealer's: nothing is sealed meanwhile
        with guards_aside():
            cursor.execute(f"TRUNCATE {CUSTOMER_TABLES}, {SEALS}")
        cursor.execute("UPDATE feed_head SET position = 0")


def remove() -> dict[str, Any]:
    """Empties the hub of the demo's customers; systems, logins and policies stay, and the audit says, signed, that it begins anew.

    Raises Rejected when the hub holds records of anybody else: a golden record that others share is never taken away."""
    with transaction.atomic():
        demo_runs = list(Run.objects.filter(actor=ACTOR).values_list("id", flat=True))
        others = SourceRecord.objects.exclude(run_id__in=demo_runs).count()
        if others:
            raise Rejected(
                f"The hub holds {others:,} records that are not of the demo, some perhaps merged with the demo's. Nothing was removed;"
                " `make reset` starts afresh with an empty hub."
            )
        records = SourceRecord.objects.count()
        empty()
    sealed.after_restore("", "the demo was removed")
    return {"records": records}
