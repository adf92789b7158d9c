"""`manage.py backup FILE`: the hub's data in one file, its keys in another."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from mdmhub import embedded
from mdmhub.backup import BackupFailed, write_backup, write_keys
from mdmhub.doctor import note_keys_backed_up


class Command(BaseCommand):
    help = "Write the hub's data to FILE. The keys go to a file of their own (--keys): keep it somewhere else."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--keys", type=Path, metavar="KEYFILE", help="also write the keys, to this file")

    def handle(self, *args: Any, **options: Any) -> None:
        file, keys = options["file"], options["keys"]
        home = embedded.home()
        if keys is not None and keys.resolve().parent == home.keys.resolve():
            raise CommandError("the keys would be written beside themselves; choose another folder")
        try:
            manifest = write_backup(file)
        except BackupFailed as error:
            raise CommandError(str(error)) from error
        rows = sum(manifest.tables.values())
        self.stdout.write(f"{file}: {rows:,} rows in {len(manifest.tables)} tables, {file.stat().st_size / 1e6:.1f} MB")
        if keys is None:
            self.stdout.write(f"the keys in {home.keys} are not in it: `--keys KEYFILE` writes them to a second file")
        else:
            write_keys(home, keys)
            note_keys_backed_up(home)
            self.stdout.write(f"{keys}: the keys; keep this file apart from the backup")
