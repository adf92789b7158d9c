"""The daily verification: in turns, so that it never holds its lane for long, however much there is."""

import logging
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import connection
from django.utils import timezone

from apps.events.models import AuditCheck
from apps.events.sealed import Sealed
from apps.events.verifying import verify

LOCK: Final = 0x5EA2
EVERY: Final = timedelta(hours=24)
KEPT: Final = 200
log = logging.getLogger(__name__)


def turn(
    *, tables: Sequence[Sealed], file: Path, known: dict[str, Ed25519PublicKey], seconds: float
) -> AuditCheck | None:
    """Goes on with the verification that is under way, or begins one a day after the last began; None when there is nothing to do.

    What it finds is kept and logged as an error; nothing else is changed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", (LOCK,))
        if not cursor.fetchone()[0]:
            return None
        try:
            check = AuditCheck.objects.filter(finished_at=None).order_by("id").first()
            if check is None:
                if AuditCheck.objects.filter(started_at__gt=timezone.now() - EVERY).exists():
                    return None
                check = AuditCheck(started_at=timezone.now())
            return _go_on(check, tables, file, known, seconds)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))


def _go_on(
    check: AuditCheck, tables: Sequence[Sealed], file: Path, known: dict[str, Ed25519PublicKey], seconds: float
) -> AuditCheck:
    report = verify(tables=tables, file=file, known=known, after=check.upto, seconds=seconds, missing=check.missing)
    check.upto, check.rows = max(check.upto, report.upto), check.rows + report.rows
    check.missing = dict(report.missing)
    told = [*check.findings, *(asdict(one) for one in report.findings)]
    apart = {(one["kind"], one["table"], one["id"], one["sequence"]): one for one in told}
    check.broken = max(check.broken, report.broken, len(apart))
    check.findings = list(apart.values())[:KEPT]
    if report.whole:
        check.finished_at = timezone.now()
    check.save()
    if report.broken:
        first = report.findings[0]
        log.error(
            "the audit does not verify: %s findings, first %s of %s %s",
            report.broken,
            first.kind,
            first.table,
            first.id,
        )
    return check


def last() -> AuditCheck | None:
    """The newest verification, finished or not."""
    return AuditCheck.objects.order_by("-started_at").first()
