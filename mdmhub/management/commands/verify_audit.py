"""`manage.py verify_audit`: is everything that happened still there as it was sealed, and nothing beside it?"""

import json
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.dateparse import parse_date, parse_datetime

from apps.common.errors import Permanent
from apps.events import checkpoints, verifying
from mdmhub import sealed

RUNBOOK = "docs/runbooks/audit-does-not-verify.md"


class Command(BaseCommand):
    help = (
        "Verify the sealed history: finds every row that was edited, deleted, swapped or put in, and every seal that was cut off or made"
        " again; exit code 1 when something is found. Nothing is changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--since",
            metavar="WHEN",
            help="rows sealed since this day or moment (ISO 8601); the chain is verified whole",
        )
        parser.add_argument(
            "--checkpoints", type=Path, metavar="FILE", help="a copy of the checkpoint file, from elsewhere"
        )
        parser.add_argument("--most", type=int, default=20, metavar="N", help="findings of each kind to name (20)")
        parser.add_argument("--json", action="store_true", help="the report as JSON")
        parser.add_argument(
            "--public-key", action="store_true", help="print the public keys that verify checkpoints, and end"
        )
        parser.add_argument(
            "--accept-restore",
            metavar="WHY",
            help="sign that the database was restored and the chain goes on from what it holds now",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        by, file = sealed.audit_signer(), options["checkpoints"] or sealed.checkpoint_file()
        if options["public_key"]:
            self.stdout.write("\n".join(f"{name}\n{pem}" for name, pem in by.public().items()))
            return
        if options["accept_restore"] is not None:
            try:
                sequence = checkpoints.accept_restore(why=options["accept_restore"], by=by, file=file)
            except Permanent as error:
                raise CommandError(error.detail) from error
            self.stdout.write(f"signed: the chain goes on from seal {sequence:,}")
            return
        report = verifying.verify(
            tables=sealed.SEALED, file=file, known=by.known, since=_moment(options["since"]), progress=self._progress()
        )
        if options["json"]:
            self.stdout.write(json.dumps(_told(report, options["most"]), indent=1, default=str))
        else:
            self._tell(report, options["most"])
        if report.broken:
            sys.exit(1)

    def _progress(self) -> verifying.Progress:
        begun, shown = time.monotonic(), [0.0]

        def tell(done: int, of: int) -> None:
            now = time.monotonic()
            if now - shown[0] > 2 and now - begun > 2:
                shown[0] = now
                self.stderr.write(f"{done:,} of {of:,} rows, {done / (now - begun):,.0f} a second")

        return tell

    def _tell(self, report: verifying.Report, most: int) -> None:
        named: dict[str, int] = {}
        for one in report.findings:
            named[one.kind] = named.get(one.kind, 0) + 1
            if named[one.kind] <= most:
                where = f" (seal {one.sequence:,})" if one.sequence is not None else ""
                self.stdout.write(f"{one.kind.upper():<18} {one.table} {one.id}{where}: {one.detail}")
        for kind, count in report.counts.items():
            if count > most:
                self.stdout.write(f"{kind.upper():<18} and {count - most:,} more (--most)")
        for notice in report.notices:
            self.stdout.write(f"note: {notice}")
        self.stdout.write(_summary(report))
        if report.broken:
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in report.counts.items())
            self.stdout.write(f"{report.broken:,} FINDINGS: {kinds}. See {RUNBOOK}.")


def _summary(report: verifying.Report) -> str:
    if report.sealed_until is None:
        return f"Nothing is sealed yet; {report.waiting:,} rows wait for the sealer."
    verdict = "verify" if not report.broken else "were looked at"
    return (
        f"{report.rows:,} rows in {report.seals:,} batches {verdict}; sealed until {report.sealed_until.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC,"
        f" signed up to batch {report.signed_upto:,} ({report.checkpoints:,} checkpoints); {report.waiting:,} rows wait for the sealer."
    )


def _told(report: verifying.Report, most: int) -> dict[str, Any]:
    named: dict[str, list[Any]] = {kind: [] for kind in report.counts}
    for one in report.findings:
        if len(named[one.kind]) < most:
            named[one.kind].append(asdict(one))
    return {
        "rows": report.rows, "batches": report.seals, "checkpoints": report.checkpoints, "signed_upto": report.signed_upto,
        "sealed_until": report.sealed_until and report.sealed_until.isoformat(), "waiting": report.waiting,
        "broken": report.broken, "counts": dict(report.counts), "findings": [one for kind in named.values() for one in kind],
        "notices": report.notices,
    }  # fmt: skip


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = parse_datetime(text)
        if moment is None and (day := parse_date(text)) is not None:
            moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    except ValueError:
        moment = None
    if moment is None:
        raise CommandError(f"--since {text}: write a day or a moment, as 2026-05-01 or 2026-05-01T12:00:00Z")
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
