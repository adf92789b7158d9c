"""manage.py measure_quality: the quality of all source records, by system and attribute."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from apps.customers.measure_quality import WHOLE, measure
from apps.customers.queries_quality import measured


class Command(BaseCommand):
    help = "Measure the quality of all source records by the checks in force, and keep the result for the page and the API."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print the result as one line of JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        measure()
        found = measured()
        if options["json"]:
            rows = [
                {"system": system, "attribute": attribute or None, "records": row.records, "score": row.score, "failed": row.failed}
                for (system, attribute), row in found.scores.items()
            ]  # fmt: skip
            self.stdout.write(json.dumps({"scores": rows}, ensure_ascii=False))
            return
        for (system, attribute), row in found.scores.items():
            failed = ", ".join(f"{code} {count:,}" for code, count in row.failed.items())
            name = "whole records" if attribute == WHOLE else attribute
            self.stdout.write(f"{system:12} {name:22} {row.score:6.2f}  {row.records:>9,} records  {failed}")
        if not found.scores:
            self.stdout.write("There are no source records yet.")
