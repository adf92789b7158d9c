"""manage.py measure_quality: the quality of all source records, by system and attribute."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from apps.customers.measure_quality import WHOLE, measure
from apps.customers.measure_stale import measure_stale
from apps.customers.queries_quality import measured
from apps.customers.queries_stale import stale_attributes


class Command(BaseCommand):
    help = "Measure the quality of all source records by the checks in force, and keep the result for the page and the API."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print the result as one line of JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        measure()
        measure_stale()
        found = measured()
        if options["json"]:
            rows = [
                {"system": system, "attribute": attribute or None, "records": row.records, "score": row.score, "failed": row.failed}
                for (system, attribute), row in found.scores.items()
            ]  # fmt: skip
            stale = [
                {"attribute": row.attribute, "days": row.days, "clock": row.clock, "held": row.held, "stale": row.stale, "unknown": row.unknown}
                for row in stale_attributes()
            ]  # fmt: skip
            self.stdout.write(json.dumps({"scores": rows, "stale": stale}, ensure_ascii=False))
            return
        for (system, attribute), row in found.scores.items():
            failed = ", ".join(f"{code} {count:,}" for code, count in row.failed.items())
            name = "whole records" if attribute == WHOLE else attribute
            self.stdout.write(f"{system:12} {name:22} {row.score:6.2f}  {row.records:>9,} records  {failed}")
        for old in stale_attributes():
            self.stdout.write(
                f"stale        {old.attribute:22} {old.stale:,} of {old.held:,} customers, older than {old.days:,} days ({old.clock})"
            )
        if not found.scores:
            self.stdout.write("There are no source records yet.")
