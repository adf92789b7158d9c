"""`manage.py crosswalk`: which customer every id of every system stands for, as CSV."""

import csv
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError, OutputWrapper

from apps.customers.models import System
from apps.customers.queries_sources import crosswalk

HEADER = ("system", "external_id", "customer_id")


class Command(BaseCommand):
    help = "Write system, external_id, customer_id of every record as CSV (UTF-8); memory does not grow with the hub."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--output", default="-", metavar="FILE", help="where to write (default: standard output)")
        parser.add_argument("--system", metavar="CODE", help="only this system's ids")

    def handle(self, *_: Any, **options: Any) -> None:
        system = options["system"]
        if system and not System.objects.filter(code=system).exists():
            known = ", ".join(System.objects.values_list("code", flat=True)) or "none"
            raise CommandError(f"There is no system {system}; known: {known}.")
        output = options["output"]
        count = _write(self.stdout, system) if output == "-" else self._to_file(Path(output), system)
        self.stderr.write(f"{count:,} ids written")

    def _to_file(self, path: Path, system: str | None) -> int:
        """The file appears whole or not at all: whoever reads it never sees half of it."""
        part = path.with_name(f"{path.name}.part")
        try:
            with part.open("w", encoding="utf-8", newline="") as file:
                count = _write(file, system)
            part.replace(path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise CommandError(f"{path} cannot be written: {error.strerror}.") from error
        return count


def _write(out: TextIO | OutputWrapper, system: str | None) -> int:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    count = 0
    for row in crosswalk(system):
        writer.writerow(row)
        count += 1
    return count
