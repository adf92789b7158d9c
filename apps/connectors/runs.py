"""Runs: one intake of a file or of a large API call, batch by batch, with counts, progress and a place to go on from.

Position and counts are written in the transaction that keeps the batch, so a run that was killed goes on with the next record:
nothing is taken twice, nothing is left out."""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, connections, transaction
from django.utils import timezone

from apps.common import seal
from apps.common.act import Act
from apps.common.errors import Conflict, HubError, NotFound, Rejected, Retryable
from apps.common.ids import uuid7
from apps.connectors import files, inbound
from apps.connectors import models as tables
from apps.connectors.inbound import Door, Intake, Item, ItemOutcome
from apps.connectors.items import item_of
from apps.connectors.mapping import Mapping as ColumnMapping
from apps.customers.models import Quarantine, SourceRecord, System
from apps.matching.match import match

COUNTS = ("read", "created", "changed", "deleted", "unchanged", "stale", "quarantined")
STALE_AFTER_SECONDS = 60
Progress = Callable[[tables.Run], None]


def create_file_run(
    *,
    path: Path,
    file_name: str,
    system: System,
    mapping: tables.Mapping | None,
    act: Act,
    quiet: bool = False,
    dry_run: bool = False,
) -> tables.Run:
    """A queued run over a file that stays where it is until the run has ended. Raises FileProblem's sentence as Rejected."""
    try:
        with files.open_rows(path) as reader:
            warnings = [w.detail for w in reader.warnings]
    except files.FileProblem as problem:
        raise Rejected(problem.detail) from problem
    return tables.Run.objects.create(
        id=uuid7(), kind="file", system=system, file_name=file_name, file_path=str(path), file_digest=digest(path), mapping=mapping,
        options={"quiet": quiet, "dry_run": dry_run, "warnings": warnings}, total=path.stat().st_size, actor=act.actor,
        counts=dict.fromkeys(COUNTS, 0), correlation_id=act.correlation_id,
    )  # fmt: skip


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@transaction.atomic
def create_api_run(
    *, system: System, body: bytes, act: Act, patch: bool = False, keep_unknown: bool = False, quiet: bool = False,
    kind: str = "api", message_id: str | None = None, mapping: tables.Mapping | None = None,
) -> tables.Run | None:  # fmt: skip
    """A queued run over a body that was already read as JSON; the body is kept whole. None: this message came before."""
    salt = seal.new_salt()
    run_id = uuid7()
    run = tables.Run(
        id=run_id, kind=kind, system=system, file_name="", mapping=mapping, actor=act.actor, counts=dict.fromkeys(COUNTS, 0),
        options={"quiet": quiet, "patch": patch, "keep_unknown": keep_unknown}, correlation_id=act.correlation_id,
    )  # fmt: skip
    message = tables.InboundMessage(
        system=system, message_id=message_id or str(run_id), content_type="application/json", body=body, run=run,
        correlation_id=act.correlation_id, salt=salt, digest=seal.digest(system.code.encode(), salt, body),
    )  # fmt: skip
    if message_id and tables.InboundMessage.objects.filter(system=system, message_id=message_id).exists():
        return None
    run.save(force_insert=True)
    tables.InboundMessage.objects.bulk_create([message], ignore_conflicts=bool(message_id))
    if message_id and not tables.InboundMessage.objects.filter(run=run).exists():
        run.delete()
        return None
    return run


def claim(run_id: UUID | None = None) -> UUID | None:
    """Takes one waiting run (or `run_id`), or one whose process died, for this process; None when there is none."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE run SET state = 'running', started_at = coalesce(started_at, clock_timestamp()), heartbeat_at = clock_timestamp()"
            " WHERE id = (SELECT id FROM run WHERE (%(id)s::uuid IS NULL OR id = %(id)s) AND (state = 'queued' OR (state = 'running'"
            "  AND heartbeat_at < clock_timestamp() - %(stale)s * interval '1 second')) ORDER BY created_at LIMIT 1"
            "  FOR UPDATE SKIP LOCKED) RETURNING id",
            {"id": run_id, "stale": STALE_AFTER_SECONDS},
        )
        row = cursor.fetchone()
    return row[0] if row else None


def take_over(*, path: Path, system: System) -> tables.Run | None:
    """The interrupted run of this very file, queued again to go on where it stopped; None if there is none.

    A run whose heart still beats belongs to another process: Conflict."""
    mine = {"system": system, "file_path": str(path), "state__in": ("running", "queued", "failed")}
    for run in tables.Run.objects.filter(**mine).exclude(options__dry_run=True).order_by("-created_at"):
        if (run.state != "running" and not run.counts.get("read")) or run.file_digest != digest(path):
            continue  # one that has read nothing yet is only in the way while it counts as running
        still = tables.Run.objects.filter(id=run.id, state=run.state, heartbeat_at=run.heartbeat_at)
        if (run.state == "running" and _beats(run)) or not still.update(state="queued", error="", finished_at=None):
            raise Conflict("Another process is taking in this file right now.")
        return run
    return None


def _beats(run: tables.Run) -> bool:
    """Whether the run's heartbeat moves while we look; a batch takes far less than the time looked for."""
    for _ in range(10):
        time.sleep(0.5)
        if tables.Run.objects.get(id=run.id).heartbeat_at != run.heartbeat_at:
            return True
    return False


def waiting() -> bool:
    """Whether a run waits for somebody to take it."""
    return tables.Run.objects.filter(state="queued").exists()


def execute(run_id: UUID, *, on_progress: Progress | None = None, seconds: float | None = None) -> tables.Run:
    """Takes a claimed run to its end, or for `seconds` and back into the queue; a failure is written down with its cause."""
    run = tables.Run.objects.select_related("system", "mapping").get(id=run_id)
    try:
        _Execution(run, on_progress, seconds).work()
    except (HubError, files.FileProblem, OSError) as error:
        run.state, run.error = "failed", str(error)
    run.finished_at = timezone.now() if run.state != "queued" else None
    run.save(update_fields=("state", "error", "finished_at"))
    return run


class _Execution:
    """One process working on one run: reads and keeps batches here, matches the batch before in a second thread."""

    def __init__(self, run: tables.Run, on_progress: Progress | None, seconds: float | None) -> None:
        self.run = run
        self.ends = time.monotonic() + seconds if seconds else None
        self.on_progress = on_progress
        options = run.options
        self.dry_run = bool(options.get("dry_run"))
        self.act = Act(
            run.actor,
            f"run {run.file_name or run.id}",
            correlation_id=run.correlation_id,
            run_id=run.id,
            quiet=bool(options.get("quiet")),
        )
        mapping = ColumnMapping.from_dict(run.mapping.body) if run.mapping else None
        self.door = Door(run.system, mapping, run.file_name, keep_unknown=bool(options.get("keep_unknown", True)))
        self.waiting: Future[None] | None = None
        self.beat = 0.0

    def work(self) -> None:
        ended = "succeeded"
        if self.run.position:
            self._catch_up()
        with ThreadPoolExecutor(1, thread_name_prefix="match") as matcher:
            for batch, position in self._batches():
                if self._cancelled():
                    break
                self._take(batch, position, matcher)
                if self.on_progress:
                    self.on_progress(self.run)
                if self.ends is not None and time.monotonic() > self.ends:
                    ended = "queued"
                    break
            self._settle()
            matcher.submit(connections.close_all).result()
        if self.run.state == "running":
            self.run.state = ended

    def _catch_up(self) -> None:
        """What a process kept before it died, and had not matched yet."""
        left = (
            SourceRecord.objects.filter(run_id=self.run.id, state="received")
            .order_by("id")
            .values_list("id", flat=True)
        )
        with suppress(Retryable):
            match(list(left), act=self.act)

    def _take(self, batch: list[Item], position: dict[str, Any], matcher: ThreadPoolExecutor) -> None:
        if self.dry_run:
            with transaction.atomic():
                outcomes = inbound.take_in(door=self.door, items=batch, act=self.act)
                transaction.set_rollback(True)
            self._count(outcomes)
            self._save(position)
            return
        before = dict(self.run.counts)
        intake = inbound.keep(
            door=self.door, items=batch, act=self.act, also=lambda kept: self._kept(kept, position, before)
        )
        self._settle()
        self.waiting = matcher.submit(inbound.finish, intake, act=self.act)

    def _settle(self) -> None:
        """Waits for the batch before; a failure to match leaves its records to the sweep."""
        if self.waiting is not None:
            waiting, self.waiting = self.waiting, None
            waiting.result()

    def _kept(self, intake: Intake, position: dict[str, Any], before: dict[str, int]) -> None:
        """Inside the transaction that keeps the batch; it may be done again, so it counts from what was `before`."""
        self.run.counts = dict(before)
        self._count(intake.outcomes)
        self._save(position)

    def _count(self, outcomes: list[ItemOutcome]) -> None:
        counts = Counter(o.outcome for o in outcomes)
        for name in COUNTS:
            self.run.counts[name] = self.run.counts.get(name, 0) + (len(outcomes) if name == "read" else counts[name])

    def _save(self, position: dict[str, Any]) -> None:
        self.run.position = position
        self.run.heartbeat_at = timezone.now()
        self.run.save(update_fields=("position", "counts", "heartbeat_at"))

    def _cancelled(self) -> bool:
        """Asked of the database once a second at the most."""
        if time.monotonic() - self.beat < 1.0:
            return False
        self.beat = time.monotonic()
        if tables.Run.objects.filter(id=self.run.id, state="cancelled").exists():
            self.run.state = "cancelled"
        return self.run.state == "cancelled"

    def _batches(self) -> Iterator[tuple[list[Item], dict[str, Any]]]:
        source = self._file_items() if self.run.kind == "file" else self._message_items()
        batch: list[Item] = []
        position: dict[str, Any] = {}
        for item, position in source:
            batch.append(item)
            if len(batch) == inbound.BATCH:
                yield batch, position
                batch = []
        if batch:
            yield batch, position

    def _file_items(self) -> Iterator[tuple[Item, dict[str, Any]]]:
        path = Path(self.run.file_path)
        if digest(path) != self.run.file_digest:
            raise Conflict("The file changed since the run was created; start a new run.")
        with files.open_rows(path, position=self.run.position.get("at", 0)) as reader:
            for row in reader:
                yield (
                    Item(row.values, row.raw, row.line, row.problems),
                    {"at": reader.position, "bytes": reader.bytes_read},
                )

    def _message_items(self) -> Iterator[tuple[Item, dict[str, Any]]]:
        message = tables.InboundMessage.objects.get(run=self.run)
        records = json.loads(bytes(message.body or b"[]"))
        if isinstance(records, dict):
            records = records.get("records", [records])
        self.run.total = len(records)
        patch = bool(self.run.options.get("patch"))
        for at in range(self.run.position.get("item", 0), len(records)):
            yield item_of(records[at], at, patch=patch), {"item": at + 1}


def cancel(run_id: UUID) -> tables.Run:
    """Stops a run that has not ended; what it has taken in stays. Raises NotFound, Conflict."""
    if tables.Run.objects.filter(id=run_id, state__in=("queued", "running")).update(
        state="cancelled", finished_at=timezone.now()
    ):
        return tables.Run.objects.get(id=run_id)
    if tables.Run.objects.filter(id=run_id).exists():
        raise Conflict("This run has ended already.")
    raise NotFound("No such run.")


def rejected_rows(run: tables.Run) -> Iterator[Quarantine]:
    """Quarantined records of one run in the order of the file, read in chunks."""
    return Quarantine.objects.filter(run_id=run.id).order_by("line", "id").iterator(chunk_size=500)


def uploads() -> Path:
    """Where uploaded files wait for their run: readable by the hub alone."""
    folder = Path(settings.MEDIA_ROOT) / "uploads"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
