"""`manage.py restore FILE`: a backup back into the hub, all of it or nothing."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from apps.customers.models import SourceRecord
from mdmhub import embedded
from mdmhub.backup import (
    BackupFailed,
    Manifest,
    broken_invariants,
    key_fingerprints,
    read_manifest,
    restore_backup,
    restore_keys,
)
from mdmhub.doctor import note_keys_backed_up
from mdmhub.embedded.home import Home
from mdmhub.embedded.running import running
from mdmhub.health import pending_migrations


class Command(BaseCommand):
    help = "Replace the hub's data by those of a backup FILE, and check them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--force", action="store_true", help="replace a hub that is not empty")
        parser.add_argument("--keys", type=Path, metavar="KEYFILE", help="put the keys of this file in place")
        parser.add_argument(
            "--without-keys",
            action="store_true",
            help="go on although the keys are others: stored credentials must be entered again",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        home = embedded.home()
        up = running(home)
        if up is not None:
            raise CommandError(f"the hub runs (process {up.pid}); end it first")
        try:
            manifest = read_manifest(options["file"])
            if not options["force"] and not _empty():
                raise CommandError("this hub is not empty; --force replaces what it holds")
            if options["keys"] is not None:
                restore_keys(home, options["keys"])
                note_keys_backed_up(home)
            elif not options["without_keys"] and manifest.keys != _same_keys(manifest, home):
                raise CommandError(
                    "the backup belongs to other keys than those in "
                    f"{home.keys}: give them with --keys KEYFILE, or go on --without-keys and enter credentials again"
                )
            restore_backup(options["file"])
        except BackupFailed as error:
            raise CommandError(str(error)) from error
        pending = pending_migrations()
        rows = sum(manifest.tables.values())
        self.stdout.write(f"restored {rows:,} rows of {manifest.made_at}; no invariant is broken")
        if pending:
            self.stdout.write(f"{len(pending)} migrations are pending: `manage.py migrate`, or `make run` does it")
        elif broken := broken_invariants():
            raise CommandError("broken invariants after the restore:\n" + "\n".join(broken))


def _same_keys(manifest: Manifest, home: Home) -> dict[str, str]:
    """The fingerprints here of the keys that the backup knew: one of an older release knew fewer."""
    return {name: print for name, print in key_fingerprints(home).items() if name in manifest.keys}


def _empty() -> bool:
    """Whether the hub holds nothing worth keeping. A database without the hub's tables is empty."""
    if SourceRecord._meta.db_table not in connection.introspection.table_names():
        return True
    return not SourceRecord.objects.exists()
