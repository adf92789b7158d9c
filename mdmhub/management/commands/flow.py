"""manage.py flow: the way of a record and the events it leaves behind, as a table."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from mdmhub.flow import EVENTS, STAGES
from mdmhub.schedule import SCHEDULE


class Command(BaseCommand):
    help = "Print the stages of a record's way, the events, and the periodic tasks."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["json"]:
            self.stdout.write(
                json.dumps({"stages": [asdict(s) for s in STAGES], "events": [asdict(e) for e in EVENTS],
                            "schedule": [asdict(p) for p in SCHEDULE]})
            )  # fmt: skip
            return
        for stage in STAGES:
            self.stdout.write(f"{stage.name:<16} {stage.verb:<42} {stage.leaves}")
        self.stdout.write("")
        for event in EVENTS:
            self.stdout.write(f"{event.type:<19} {event.means}")
        self.stdout.write("")
        for entry in SCHEDULE:
            self.stdout.write(f"every {entry.every:>4g} s  {entry.task:<34} {entry.reason}")
