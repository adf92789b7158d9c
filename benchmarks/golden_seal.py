"""What the seal costs: rows a second sealed and verified, bytes of a sealed row, and how much of a load's time the sealer takes that
comes as often as the schedule says."""

import threading
import time
from collections.abc import Callable
from typing import Any

from benchmarks.hub import scratch_hub


def seal(wanted: int, take_in: Callable[[int], None]) -> dict[str, dict[str, Any]]:
    """Of a hub of `wanted` customers, and of as many more that come while the sealer works."""
    with scratch_hub():
        from django.db import connection

        from apps.events import verifying
        from apps.events.relay import relay_all
        from mdmhub import sealed

        def size(what: str) -> int:
            with connection.cursor() as cursor:
                cursor.execute(what)
                return int(cursor.fetchone()[0])

        take_in(wanted)
        relay_all()
        start = time.perf_counter()
        done = sealed.seal(seconds=3600)
        seconds = time.perf_counter() - start
        report: dict[str, dict[str, Any]] = {"sealed": _rate(done.rows, seconds)}
        report["sealed"]["batches"] = done.seals
        report["sealed"]["bytes_per_row"] = round(size("SELECT pg_total_relation_size('seal')") / done.rows, 1)
        start = time.perf_counter()
        found = verifying.verify(tables=sealed.SEALED, file=sealed.checkpoint_file(), known=sealed.audit_signer().known)
        report["verified"] = {**_rate(found.rows, time.perf_counter() - start), "findings": found.broken}
        start = time.perf_counter()
        sealed.seal(seconds=3600)
        report["nothing to do"] = {"seconds": round(time.perf_counter() - start, 3)}
        report["load while sealing"] = _beside(wanted, take_in)
        start = time.perf_counter()
        found = verifying.verify(tables=sealed.SEALED, file=sealed.checkpoint_file(), known=sealed.audit_signer().known)
        report["verified all"] = {**_rate(found.rows, time.perf_counter() - start), "findings": found.broken}
    return report


def _beside(wanted: int, take_in: Callable[[int], None]) -> dict[str, Any]:
    """As many customers more while the sealer runs at its interval; how long its longest run took, and what was left at the end."""
    from django.db import connection

    from apps.events import sealing
    from mdmhub import sealed
    from mdmhub.schedule import SCHEDULE

    ended, runs = threading.Event(), []
    interval = next(entry.every for entry in SCHEDULE if entry.task == "mdmhub.tasks.seal")

    def work() -> None:
        try:
            while not ended.wait(interval):
                start = time.perf_counter()
                done = sealed.seal(seconds=30)
                runs.append((done.rows, time.perf_counter() - start))
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    start = time.perf_counter()
    take_in(2 * wanted)
    seconds = time.perf_counter() - start
    left = sealing.backlog(tables=sealed.SEALED)
    ended.set()
    thread.join()
    start = time.perf_counter()
    sealed.seal(seconds=3600)
    return {
        "seconds": round(seconds, 1), "sealed_meanwhile": sum(rows for rows, _ in runs), "sealing_seconds": round(sum(s for _, s in runs), 1),
        "longest_run": round(max((s for _, s in runs), default=0), 2), "left_rows": left.rows, "left_sealed_in": round(time.perf_counter() - start, 2),
    }  # fmt: skip


def _rate(rows: int, seconds: float) -> dict[str, Any]:
    return {"rows": rows, "seconds": round(seconds, 2), "per_second": round(rows / seconds)}
