"""manage.py release: the customers of an initial load are told to the targets from now on."""

import json
import sys
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from apps.common.act import Act
from apps.connectors import release as releasing
from apps.connectors.models import Run
from apps.connectors.release import Released
from apps.customers.models import System


class Command(BaseCommand):
    help = (
        "Release the customers of a quiet load, so that targets are told of them. Broken off, the same command goes on."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--run", type=UUID, metavar="ID", help="Only customers of this run.")
        which.add_argument("--system", metavar="CODE", help="Only customers with a record of this system.")
        parser.add_argument("--dry-run", action="store_true", help="Say how many, release none.")
        parser.add_argument(
            "--json", action="store_true", help="Print the result as one line of JSON, and no progress."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        run, system = options["run"], self._system(options["system"])
        if run is not None and not Run.objects.filter(id=run).exists():
            raise CommandError(f"There is no run {run}.")
        total = len(releasing.unreleased(run=run, system=system))
        if options["dry_run"]:
            facts = {"released": 0, "left": total, "dry_run": True}
            self._say(facts, f"{total:,} customers would be released.", as_json=options["json"])
            return

        def progress(told: Released) -> None:
            sys.stderr.write(f"\r{told.done:,} of {total:,} customers released ")
            sys.stderr.flush()

        told = releasing.release(
            act=Act("command:release", "initial load released"), run=run, system=system,
            on_progress=None if options["json"] else progress,
        )  # fmt: skip
        if total and not options["json"]:
            sys.stderr.write("\n")
        sentence = f"{told.done:,} customers released; the planner works out what targets lack."
        if told.left:
            sentence += f" {told.left:,} were being changed by others: run it again."
        self._say({"released": told.done, "left": told.left, "dry_run": False}, sentence, as_json=options["json"])

    @staticmethod
    def _system(code: str | None) -> int | None:
        if code is None:
            return None
        system = System.objects.filter(code=code).first()
        if system is None:
            known = ", ".join(System.objects.values_list("code", flat=True)) or "none"
            raise CommandError(f"There is no system {code}; known: {known}.")
        return system.id

    def _say(self, facts: dict[str, Any], sentence: str, *, as_json: bool) -> None:
        self.stdout.write(json.dumps(facts) if as_json else sentence)
