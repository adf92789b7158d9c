"""manage.py drain: match whatever waits, here and now."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from apps.events.relay import relay_all
from apps.matching.sweep import drain


class Command(BaseCommand):
    requires_system_checks: list[str] = []
    help = "Match due records, work off the redo queue and give change-feed positions, until nothing is left."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        records = 0
        while seen := drain():
            records += seen
        events = relay_all()
        if options["verbosity"]:
            facts = {"records": records, "events": events}
            self.stdout.write(
                json.dumps(facts) if options["json"] else f"{records:,} records matched, {events:,} events published."
            )
