"""`manage.py doctor`: what is wrong on this machine, and how to mend it."""

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from mdmhub import embedded
from mdmhub.doctor import examine, note_keys_backed_up

SIGNS = {"ok": "ok     ", "warning": "warning", "problem": "PROBLEM"}


class Command(BaseCommand):
    help = "Look at this machine and this hub; exit code 1 when something must be mended."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="findings as JSON")
        parser.add_argument("--keys-backed-up", action="store_true", help="note that the keys have been backed up")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["keys_backed_up"]:
            note_keys_backed_up(embedded.home())
        findings = examine()
        if options["json"]:
            self.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=1))
        else:
            for finding in findings:
                self.stdout.write(f"{SIGNS[finding.level]}  {finding.check}: {finding.what}")
                if finding.mend:
                    self.stdout.write(f"         → {finding.mend}")
        if any(finding.level == "problem" for finding in findings):
            sys.exit(1)
