"""manage.py demo: about 2,000 customers in four systems, with stories to look at."""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.common.errors import HubError
from apps.connectors.models import Run
from mdmhub.demo import load


class Command(BaseCommand):
    help = "Load the demo (systems, logins, customers), or take its customers away again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--customers", type=int, default=2_000)
        parser.add_argument("--seed", type=int, default=7)
        parser.add_argument(
            "--remove", action="store_true", help="Take the demo's customers away; systems and logins stay."
        )
        parser.add_argument("--logins-only", action="store_true", help="Only make the systems and the logins.")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["remove"]:
                self._say(load.remove(), options, "{records:,} records of the demo were removed.")
                return
            load.ensure_systems()
            load.ensure_logins()
            if options["logins_only"]:
                return
            done = load.load(
                customers=options["customers"], seed=options["seed"], on_run=None if options["json"] else self._progress
            )
        except HubError as error:
            raise CommandError(str(error)) from error
        failed = next((run for run in done if run.state != "succeeded"), None)
        if failed is not None:
            raise CommandError(f"{failed.file_name}: {failed.error}")
        counts = {name: sum(run.counts[name] for run in done) for name in done[0].counts}
        self._say(counts, options, "{read:,} records in, {quarantined:,} quarantined.")

    def _say(self, facts: dict[str, Any], options: dict[str, Any], sentence: str) -> None:
        self.stdout.write(json.dumps(facts) if options["json"] else sentence.format(**facts))

    def _progress(self, run: Run) -> None:
        sys.stderr.write(f"\r{run.file_name}: {run.counts['read']:,} records   ")
        sys.stderr.flush()
