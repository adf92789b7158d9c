"""manage.py ingest FILE --system CODE: a file's records, through to golden records."""

import json
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError, transaction

from apps.common.act import Act
from apps.common.errors import Conflict, HubError
from apps.connectors import files, runs
from apps.connectors import models as tables
from apps.connectors.mapping import Mapping, parse_map_options
from apps.connectors.saved_mappings import save_mapping
from apps.customers.models import System

BAR = 24


class Command(BaseCommand):
    requires_system_checks: list[str] = []  # they look at the pages of the hub; a file waits for none of them
    help = "Take in a file of customer records (CSV, NDJSON, JSON, Parquet). Started again after an interruption, it goes on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--system", required=True, help="Code of the system the records come from.")
        parser.add_argument("--mapping", type=Path, help="A mapping document (TOML).")
        parser.add_argument(
            "--map", action="append", default=[], metavar="canonical=column", help="One column; may be repeated."
        )
        parser.add_argument("--dry-run", action="store_true", help="Do everything, keep nothing.")
        parser.add_argument(
            "--quiet", action="store_true", help="Initial load: match and build, tell nobody until released."
        )
        parser.add_argument(
            "--restart",
            action="store_true",
            help="Read the file from its beginning although a run of it was interrupted.",
        )
        parser.add_argument(
            "--json", action="store_true", help="Print the result as one line of JSON, and no progress."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            run = self._run(options)
        except (HubError, files.FileProblem) as error:
            fields = "".join(f"\n  {f.field}: {f.detail}" for f in getattr(error, "fields", ()))
            raise CommandError(f"{error}{fields}") from error
        except (InterfaceError, OperationalError) as error:
            reason = str(error).strip()
            raise CommandError(
                f"The database is gone: {reason}\nWhat was taken in is kept; the same command goes on from there."
            ) from error
        self._report(run, as_json=options["json"])
        if run.state != "succeeded":
            raise CommandError(run.error or f"The run was {run.state}.")

    def _run(self, options: dict[str, Any]) -> tables.Run:
        path: Path = options["file"].resolve()
        if not path.is_file():
            raise CommandError(f"There is no file {path}.")
        system = System.objects.filter(code=options["system"]).first()
        if system is None:
            codes = ", ".join(System.objects.values_list("code", flat=True)) or "none yet"
            raise CommandError(
                f"There is no system {options['system']!r}. Known are: {codes}. Add one in the admin pages."
            )
        with transaction.atomic():  # nobody else sees the run before it is taken
            run = self._queued(path, system, options)
            if runs.claim(run.id) is None:
                raise Conflict("Another process is taking in this file right now.")
        self._started, self._from, self._shown = time.monotonic(), run.counts["read"], 0.0
        return runs.execute(run.id, on_progress=None if options["json"] else self._progress)

    def _queued(self, path: Path, system: System, options: dict[str, Any]) -> tables.Run:
        run = None if options["restart"] or options["dry_run"] else runs.take_over(path=path, system=system)
        if run is None:
            run = runs.create_file_run(
                path=path, file_name=path.name, system=system, mapping=self._mapping(options, system, path),
                act=Act("command:ingest", f"ingest {path.name}"), quiet=options["quiet"], dry_run=options["dry_run"],
            )  # fmt: skip
        elif not options["json"]:
            self.stderr.write(
                f"Going on with the run of {run.created_at:%Y-%m-%d %H:%M} after {run.counts['read']:,} records."
            )
        return run

    @staticmethod
    def _mapping(options: dict[str, Any], system: System, path: Path) -> tables.Mapping | None:
        mapping = Mapping.from_toml(options["mapping"].read_text()) if options["mapping"] else None
        if options["map"]:
            pairs = parse_map_options(options["map"])
            mapping = (mapping or Mapping()).with_columns(pairs)
        if mapping is None:
            return None
        with files.open_rows(path) as reader:
            mapping.check(reader.header)
        return save_mapping(system=system, name=path.name, mapping=mapping, act=Act("command:ingest"))

    def _progress(self, run: tables.Run) -> None:
        now = time.monotonic()
        if now - self._shown < 0.2:
            return
        self._shown = now
        rate = (run.counts["read"] - self._from) / max(now - self._started, 0.001)
        share = min((run.position.get("bytes", 0)) / run.total, 1.0) if run.total else 0.0
        elapsed = now - self._started
        left = f", {elapsed / share - elapsed:,.0f} s left" if share > 0.02 else ""
        done = "#" * int(share * BAR)
        sys.stderr.write(f"\r[{done:<{BAR}}] {share:4.0%}  {run.counts['read']:,} records, {rate:,.0f}/s{left}   ")
        sys.stderr.flush()

    def _report(self, run: tables.Run, *, as_json: bool) -> None:
        counts = dict(run.counts)
        linked = counts["created"] + counts["changed"] + counts["deleted"]
        if as_json:
            seconds = round(time.monotonic() - self._started, 3)
            self.stdout.write(
                json.dumps({"run": str(run.id), "state": run.state, "error": run.error, "seconds": seconds, "linked": linked,
                            "dry_run": bool(run.options.get("dry_run")), "warnings": run.options.get("warnings", []), **counts})
            )  # fmt: skip
            return
        sys.stderr.write("\n")
        for warning in run.options.get("warnings", []):
            self.stderr.write(f"note: {warning}")
        dry = " (dry run: nothing was kept)" if run.options.get("dry_run") else ""
        self.stdout.write(
            f"{counts['read']:,} records in = {linked:,} linked ({counts['created']:,} new, {counts['changed']:,} changed,"
            f" {counts['deleted']:,} deleted) + {counts['unchanged'] + counts['stale']:,} unchanged"
            f" + {counts['quarantined']:,} quarantined{dry}"
        )
        if counts["quarantined"] and not dry:
            self.stdout.write(f"Quarantined records wait at /quarantine/?run={run.id}")
