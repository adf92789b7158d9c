"""/livez: the process answers. /readyz: it can do its work.

Only the database and its migrations decide whether requests may come (503). A silent broker or a late heartbeat is
reported as `degraded` with status 200: the hub receives and serves without them, and taking the web away because a
worker is down would make things worse.
"""

import time
from collections.abc import Callable
from typing import Any

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from redis import RedisError

from mdmhub.broker import client
from mdmhub.tasks import HEARTBEAT_KEY

LATE_SECONDS = 35.0
"""Three missed beats of ten seconds, and a little."""


class HealthMiddleware:
    """Answers before sessions, hosts and redirects: a prober has no login, no host name and no TLS."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.migrated = False

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path == "/livez":
            return JsonResponse({"status": "ok"})
        if request.path == "/readyz":
            return self._readiness()
        return self.get_response(request)

    def _readiness(self) -> HttpResponse:
        checks = {"database": self._database(), **_broker()}
        needed = checks["database"] == "ok"
        status = "ok" if all(value == "ok" for value in checks.values()) else "degraded" if needed else "unavailable"
        return JsonResponse({"status": status, "checks": checks}, status=200 if needed else 503)

    def _database(self) -> str:
        try:
            if not self.migrated:
                self.migrated = not pending_migrations()
                return "ok" if self.migrated else "migrations are pending"
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except DatabaseError:
            return "does not answer"
        return "ok"


def pending_migrations() -> list[str]:
    """Names of the migrations the database has not had yet."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def _broker() -> dict[str, str]:
    try:
        with client() as broker:
            beaten: Any = broker.get(HEARTBEAT_KEY)
    except RedisError:
        return {"broker": "does not answer", "heartbeat": "unknown"}
    if beaten is None:
        return {"broker": "ok", "heartbeat": "none yet"}
    late = time.time() - float(beaten)
    return {"broker": "ok", "heartbeat": "ok" if late < LATE_SECONDS else f"last one {late:.0f} s ago"}
