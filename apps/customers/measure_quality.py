"""Quality of all source records, measured: by system and attribute, and of a record when it is asked for."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from apps.common.jsontext import json_value
from apps.customers.models import QualityScore, SourceRecord
from apps.customers.quality import DIGITS, Quality, RecordQuality, of_record
from apps.policies.active import Active, active_ones

_CHUNK: Final = 2_000
_LOCK: Final = 0x9A11
EVERY: Final = timedelta(hours=1)
WHOLE: Final = ""
"""Stands for an attribute where the score is that of whole records."""


@dataclass(slots=True)
class _Sum:
    records: int = 0
    scores: float = 0.0
    failed: Counter[str] = field(default_factory=Counter)


def quality_of(canonical: Mapping[str, Any], changed: datetime) -> RecordQuality:
    """The quality of what a source record says, by the checks in force."""
    return of_record(canonical, _checks()[0], changed.date())


def _checks() -> tuple[Quality, Active]:
    (policy,) = active_ones("survivorship")
    return policy.rules.quality, policy


def measure() -> list[QualityScore]:
    """Measures every live source record and keeps the result in the place of the last one; records that the hub itself made in a
    system, and what stewards say, are no source's. Reads in chunks: memory does not grow with the hub."""
    quality, policy = _checks()
    sums: dict[tuple[UUID, str], _Sum] = defaultdict(_Sum)
    for system, canonical, changed in _records():
        found = of_record(canonical, quality, changed.astimezone(UTC).date())
        _add(sums[system, WHOLE], found.score, [])
        for attribute, score in found.scores.items():
            _add(sums[system, attribute], score, [check.code for check in found.failed.get(attribute, ())])
    now = timezone.now()
    rows = [
        QualityScore(
            system_id=str(system), attribute=attribute, records=one.records, score=round(one.scores / one.records, DIGITS),
            failed=dict(sorted(one.failed.items())), policy_hash=policy.hash, measured_at=now,
        )
        for (system, attribute), one in sorted(sums.items(), key=lambda item: (str(item[0][0]), item[0][1]))
        if one.records
    ]  # fmt: skip
    _keep(rows)
    return rows


def is_due() -> bool:
    """Whether it is time to measure: never yet though there are records, an hour ago, or by another policy."""
    last = QualityScore.objects.order_by("measured_at").values_list("measured_at", "policy_hash").first()
    if last is None:
        return SourceRecord.objects.exists()
    return last[1] != _checks()[1].hash or timezone.now() - last[0] > EVERY


def _add(one: _Sum, score: float | None, failed: list[str]) -> None:
    if score is not None:
        one.records += 1
        one.scores += score
        one.failed.update(failed)


@transaction.atomic
def _keep(rows: list[QualityScore]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    QualityScore.objects.all().delete()
    QualityScore.objects.bulk_create(rows)


def _records() -> Iterator[tuple[UUID, Mapping[str, Any], datetime]]:
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(
            "SELECT s.system_id, s.canonical::text, coalesce(s.source_updated_at, s.changed_at) FROM source_record s"
            " JOIN system y ON y.id = s.system_id WHERE NOT s.deleted AND s.follows_id IS NULL AND y.kind <> 'steward'"
        )
        while rows := cursor.fetchmany(_CHUNK):
            for system, canonical, changed in rows:
                yield system, json_value(canonical), changed
