"""`manage.py check_hub`: does everything in the tables hold that the hub promises?"""

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.common.act import Act
from apps.common.errors import Conflict
from mdmhub import checkup

RUNBOOK = "docs/runbooks/broken-invariants.md"


class Command(BaseCommand):
    help = (
        "Hold every promise of docs/explanation/invariants.md that SQL can see against the tables; exit code 1 when one is broken."
        " With --fix what is derived is done again: customers are built, records matched. Facts are never edited."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fix", action="store_true", help="do again what can be mended so, then look once more")
        parser.add_argument(
            "--values", action="store_true", help="derive every customer again too, without writing (I7)"
        )
        parser.add_argument("--most", type=int, default=10, metavar="N", help="breaks of each promise to name (10)")
        parser.add_argument("--json", action="store_true", help="findings as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["most"] < 0:
            raise CommandError("--most must be 0 or more")
        worked: dict[str, int] = {}
        if options["fix"]:
            try:
                worked = checkup.mend(Act("hub:check_hub", "A promise of the hub was broken."))
            except Conflict as error:
                raise CommandError(f"{error.detail} Nothing is half done; run it again.") from error
        found = checkup.findings(options["most"], values=options["values"])
        if options["json"]:
            self.stdout.write(json.dumps({"findings": [asdict(one) for one in found], "worked_on": worked}, indent=1))
        else:
            self._tell(found, worked)
        if any(one.broken for one in found):
            sys.exit(1)

    def _tell(self, found: list[checkup.Finding], worked: dict[str, int]) -> None:
        for name, count in sorted(worked.items()):
            how = checkup.MENDED_BY[name]
            later = "; the workers come to it" if name == "I5" else ""
            self.stdout.write(f"{name}: {how}, {count:,} of them{later}")
        for one in found:
            self.stdout.write(
                f"{one.invariant:<4} {one.note or 'ok' if not one.broken else f'{one.broken:,} BROKEN':<12} {one.promise}"
            )
            for subject, detail in one.first:
                self.stdout.write(f"       {subject}  {detail}")
            if one.broken > len(one.first):
                self.stdout.write(f"       and {one.broken - len(one.first):,} more (--most)")
            if one.broken:
                self.stdout.write(f"       {_way_out(one)}")


def _way_out(one: checkup.Finding) -> str:
    if one.mended_by is None:
        return f"Facts are not edited: see {RUNBOOK}."
    return f"Run {one.mended_by}." if one.mended_by.startswith("manage.py") else f"--fix mends it by {one.mended_by}."
