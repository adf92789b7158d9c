"""Uploaded files go when nobody needs them any more.

What a run took in is in the tables and what it rejected in quarantine, so its file goes when it has ended well. A failed
run may go on and keeps its file for some time; so does an upload that no run was made of. What `manage.py ingest` was
given, wherever it lies, belongs to whoever gave it."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from apps.connectors.models import Run
from apps.connectors.runs import uploads

ENDED_WELL = {Run.State.SUCCEEDED, Run.State.CANCELLED}
AT_WORK = {Run.State.QUEUED, Run.State.RUNNING}
INGEST = "command:ingest"


def remove_after(run: Run) -> None:
    """Removes the file of a run that has ended well; of any other run, and of a file that was not uploaded, nothing."""
    path = Path(run.file_path)
    if run.file_path and run.state in ENDED_WELL and path.parent == uploads():
        remove_spent([path])


def prune() -> int:
    """Removes every uploaded file that nobody needs any more; returns how many."""
    return remove_spent([path for path in uploads().iterdir() if path.is_file()])


def remove_spent(paths: Iterable[Path]) -> int:
    names = {name: path for path in paths for name in (str(path), str(path.resolve()))}
    runs_of: dict[Path, list[Run]] = defaultdict(list)
    for run in Run.objects.filter(kind="file", file_path__in=names).only("file_path", "state", "actor", "finished_at"):
        runs_of[names[run.file_path]].append(run)
    spent = [path for path in set(names.values()) if path.exists() and _spent(path, runs_of[path])]
    for path in spent:
        path.unlink(missing_ok=True)
    return len(spent)


def _spent(path: Path, runs: list[Run]) -> bool:
    states = {run.state for run in runs}
    if states & AT_WORK or any(run.actor == INGEST for run in runs):
        return False
    if states and states <= ENDED_WELL:
        return True
    touched = [datetime.fromtimestamp(path.stat().st_mtime, UTC), *(run.finished_at for run in runs if run.finished_at)]
    return max(touched) < timezone.now() - timedelta(days=settings.UPLOAD_DAYS)
