"""manage.py rekey: a system has given its records other keys."""

import csv
import json
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from apps.common.act import Act
from apps.common.errors import HubError, Rejected
from apps.customers.models import System
from apps.customers.rekey import MOST, Rekeyed, Rename, rekey

HEADER = ["from", "to"]


class Command(BaseCommand):
    help = (
        "Give a system's records the keys it calls them by from now on. Each stays the record it was, of the same customer, with its links"
        " and history. From a CSV file with the columns from and to, or one with --from and --to."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("system", help="Code of the system.")
        parser.add_argument("--file", type=Path, metavar="CSV", help="Columns from and to.")
        parser.add_argument("--from", dest="before", metavar="KEY")
        parser.add_argument("--to", dest="after", metavar="KEY")
        parser.add_argument("--reason", required=True, help="Why, for the history.")
        parser.add_argument("--dry-run", action="store_true", help="Say what would be done, and do nothing.")
        parser.add_argument("--json", action="store_true", help="Print the result as one line of JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        system = System.objects.filter(code=options["system"]).exclude(kind=System.Kind.STEWARD).first()
        if system is None:
            raise CommandError(f"There is no system {options['system']}.")
        renames = _renames(options)
        act = Act("command:rekey", options["reason"])
        done: list[Rekeyed] = []
        for at in range(0, len(renames), MOST):
            with transaction.atomic():
                done += _batch(system.id, renames[at : at + MOST], act, at)
                transaction.set_rollback(options["dry_run"])
        customers = len({one.customer for one in done if one.customer is not None})
        if options["json"]:
            told = {"dry_run": options["dry_run"], "renamed": len(done), "customers": customers, "correlation_id": str(act.correlation_id)}  # fmt: skip
            self.stdout.write(json.dumps(told))
            return
        would = "would be renamed" if options["dry_run"] else "are renamed"
        self.stdout.write(f"{len(done):,} records of {customers:,} customers {would}.")


def _batch(system: int, batch: Sequence[Rename], act: Act, before: int) -> list[Rekeyed]:
    try:
        return rekey(system_id=system, renames=batch, act=act)
    except Rejected as error:
        told = [f"{_place(f.field, before)}: {f.detail}" for f in error.fields[:20]]
        raise CommandError("\n".join(filter(None, [_so_far(before), error.detail, *told]))) from error
    except HubError as error:
        raise CommandError(f"{_so_far(before)} {error.detail}".strip()) from error


def _so_far(before: int) -> str:
    """Batches are done one by one; what a dry run found good can only fail when somebody changes the records meanwhile."""
    return f"The first {before:,} lines are done: take them out of the file, then run it again." if before else ""


def _place(pointer: str, before: int) -> str:
    """The line of the file that `/renames/AT/…` stands for; the first holds the names of the columns."""
    parts = pointer.split("/")
    return f"line {int(parts[2]) + before + 2}, {parts[3]}" if len(parts) == 4 else pointer


def _renames(options: dict[str, Any]) -> list[Rename]:
    named = (options["before"] is not None, options["after"] is not None)
    if (options["file"] is not None) == all(named) or any(named) != all(named):
        raise CommandError("Give either --file, or --from and --to.")
    if options["file"] is None:
        return [Rename(options["before"], options["after"])]
    try:
        with options["file"].open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file, strict=True)
            if next(rows, None) != HEADER:
                raise CommandError("The first line of the file is: from,to")
            told = list(rows)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"{options['file']} cannot be read: {error}") from error
    wrong = [str(line) for line, row in enumerate(told, start=2) if len(row) != 2]
    if wrong or not told:
        raise CommandError(f"Not two columns in line {', '.join(wrong[:10])}." if wrong else "The file names no keys.")
    return [Rename(*row) for row in told]
