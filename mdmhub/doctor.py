"""What is wrong on this machine, and how to mend it. Each check looks at one thing and never changes anything."""

import json
import os
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from django.conf import settings
from django.db import DatabaseError, connection
from redis import RedisError

from apps.common.errors import HubError
from apps.connectors import queries
from apps.events import sealing, verifying_turns
from apps.events.models import Checkpoint, Seal
from apps.policies import active
from mdmhub import embedded, sealed
from mdmhub.backup import broken_invariants, key_fingerprints, server_version
from mdmhub.broker import client
from mdmhub.embedded.home import Home, is_root, port_is_free, write_private
from mdmhub.embedded.running import running
from mdmhub.env import BASE_DIR, env
from mdmhub.health import pending_migrations

EXTENSIONS = ("pg_trgm", "unaccent", "btree_gin", "btree_gist")
OLDEST_SERVER = 150000
FREE_BYTES_NEEDED, FREE_BYTES_GOOD = 300_000_000, 2_000_000_000
CLOCK_SECONDS = 2.0
BACKED_UP = "backed-up.json"

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `mend` says what to do; empty when all is well."""

    check: str
    level: Level
    what: str
    mend: str = ""


Check = Callable[[], Iterator[Finding]]


def examine() -> list[Finding]:
    """All findings, in the order of the checks."""
    found: list[Finding] = []
    for name, check in CHECKS.items():
        seen = list(check())
        found += seen or [Finding(name, "ok", "nothing to say")]
    return found


def python() -> Iterator[Finding]:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info < (3, 11):  # noqa: UP036  (an older one may well be the reason why the doctor was called)
        yield Finding("python", "problem", f"Python {version}", "use Python 3.11 or newer: make setup PYTHON=/path")
    else:
        yield Finding("python", "ok", f"Python {version}")


def libraries() -> Iterator[Finding]:
    wrong = []
    for line in (BASE_DIR / "requirements.txt").read_text().splitlines():
        name, _, version = line.partition("#")[0].strip().partition("==")
        if version:
            try:
                has = metadata.version(name)
            except metadata.PackageNotFoundError:
                has = "not installed"
            wrong += [f"{name} {has} instead of {version}"] if has != version else []
    if wrong:
        yield Finding("libraries", "problem", "; ".join(wrong), "make setup")
    else:
        yield Finding("libraries", "ok", "as pinned in requirements.txt")


def disk() -> Iterator[Finding]:
    free = shutil.disk_usage(settings.HUB_HOME).free
    level: Level = "problem" if free < FREE_BYTES_NEEDED else "warning" if free < FREE_BYTES_GOOD else "ok"
    mend = "" if level == "ok" else f"free space there, or move the hub with HUB_HOME (now {settings.HUB_HOME})"
    yield Finding("disk", level, f"{free / 1e9:.1f} GB free at {settings.HUB_HOME}", mend)


def port() -> Iterator[Finding]:
    where = f"{env().HOST}:{env().PORT}"
    up = running(embedded.home())
    if up is not None:
        yield Finding("port", "ok", f"the hub runs at {up.url}")
    elif port_is_free(env().PORT, env().HOST):
        yield Finding("port", "ok", f"{where} is free")
    else:
        mend = "`make run` takes the next free one; PORT= chooses another"
        yield Finding("port", "warning", f"{where} is in use", mend)


def locale() -> Iterator[Finding]:
    coding = sys.getfilesystemencoding().lower()
    if coding != "utf-8":
        yield Finding("locale", "problem", f"file names are {coding}", "export LC_ALL=C.UTF-8")
    elif (sys.stdout.encoding or "").lower().replace("-", "") not in {"utf8", ""}:
        yield Finding("locale", "warning", f"the terminal is {sys.stdout.encoding}", "export LC_ALL=C.UTF-8")
    else:
        yield Finding("locale", "ok", "UTF-8")


def permissions() -> Iterator[Finding]:
    home = embedded.home()
    allowed = 0o710 if is_root() else 0o700
    private = [home.keys, home.logs, home.state_file, *home.keys.glob("*"), home.path / "demo-logins.json"]
    open_ones = [path for path in private if path.exists() and _mode(path) & 0o077]
    if _mode(home.path) & ~allowed:
        open_ones.append(home.path)
    for server in embedded.servers():
        if server.folder.exists() and _mode(server.folder) & 0o077:
            open_ones.append(server.folder)
    if open_ones:
        names = " ".join(str(path) for path in open_ones)
        yield Finding("permissions", "problem", f"other users can reach {names}", f"chmod go-rwx {names}")
    else:
        yield Finding("permissions", "ok", f"only this account can reach {home.path}")


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def database() -> Iterator[Finding]:
    try:
        version = server_version()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()")
            encoding = cursor.fetchone()[0]
            cursor.execute("SELECT name FROM pg_available_extensions WHERE name = ANY(%s)", [list(EXTENSIONS)])
            missing = set(EXTENSIONS) - {row[0] for row in cursor.fetchall()}
    except DatabaseError as error:
        mend = "look at DATABASE_URL" if env().DATABASE_URL else f"read {embedded.home().path}/…/postgres/server.log"
        yield Finding("database", "problem", f"does not answer: {str(error).strip()}", mend)
        return
    if version < OLDEST_SERVER:
        yield Finding("database", "problem", f"PostgreSQL {version // 10000}", "the hub needs PostgreSQL 15 or newer")
    if encoding != "UTF8":
        yield Finding("database", "problem", f"its encoding is {encoding}", "create the database with ENCODING 'UTF8'")
    if missing:
        lacking = ", ".join(sorted(missing))
        yield Finding("database", "problem", f"lacks {lacking}", "install PostgreSQL's contrib package")
    kind = "external" if env().DATABASE_URL else "embedded"
    yield Finding("database", "ok", f"PostgreSQL {version // 10000}, {kind}")


def migrations() -> Iterator[Finding]:
    try:
        pending = pending_migrations()
    except DatabaseError:
        return
    if pending:
        yield Finding("migrations", "problem", f"{len(pending)} are pending, first {pending[0]}", "manage.py migrate")
        return
    yield Finding("migrations", "ok", "none pending")
    broken = broken_invariants()
    if broken:
        yield Finding("invariants", "problem", "; ".join(broken[:5]), "docs/runbooks/broken-invariants.md")
    else:
        yield Finding("invariants", "ok", "none broken")


def policies() -> Iterator[Finding]:
    """A policy in force may have been written under a release that read it otherwise: nothing could be decided by it."""
    yield from _unusable_policies() or [Finding("policies", "ok", "all in force can be used")]


def _unusable_policies() -> list[Finding]:
    found = []
    try:
        for kind in active.kinds():
            try:
                active.active(kind)
            except HubError as error:
                wrong = "; ".join(f"{f.field}: {f.detail}" for f in getattr(error, "fields", ())[:3])
                what = f"{kind} in force cannot be used: {error.detail} {wrong}".strip()
                mend = f"activate a version of {kind} without these mistakes (docs/how-to/change-a-policy.md)"
                found.append(Finding("policies", "problem", what, mend))
    except DatabaseError:
        return []
    return found


def clock() -> Iterator[Finding]:
    try:
        with connection.cursor() as cursor:
            before = time.time()
            cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
            theirs = float(cursor.fetchone()[0])
            apart = theirs - (before + time.time()) / 2
    except DatabaseError:
        return
    if abs(apart) > CLOCK_SECONDS:
        what = f"this machine and the database are {apart:+.1f} s apart"
        yield Finding("clock", "warning", what, "set both by NTP: recency decides which value wins")
    else:
        yield Finding("clock", "ok", f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC, the database agrees")


def broker() -> Iterator[Finding]:
    try:
        with client() as there:
            about: Any = there.info()
    except RedisError as error:
        mend = "look at BROKER_URL" if env().BROKER_URL else f"read {embedded.home().path}/…/valkey/server.log"
        yield Finding("broker", "problem", f"does not answer: {error}", mend)
        return
    name = f"{about.get('server_name', 'redis')} {about.get('valkey_version', about.get('redis_version', ''))}"
    if not about.get("aof_enabled"):
        mend = "set `appendonly yes`: without it a restart forgets rung doorbells until the next sweep"
        yield Finding("broker", "warning", f"{name} keeps nothing over a restart", mend)
    elif about.get("maxmemory_policy", "noeviction") != "noeviction":
        yield Finding("broker", "warning", f"{name} throws messages away when full", "set maxmemory-policy noeviction")
    else:
        yield Finding("broker", "ok", f"{name}, keeps its messages over a restart")


LAG_SECONDS = 600.0


def targets() -> Iterator[Finding]:
    """What the systems that the hub writes to wait for, and what waits for a person."""
    try:
        found = queries.monitor()
        stopped = queries.switch_state()
    except DatabaseError:
        return  # the database has its own finding
    if stopped.stopped:
        yield Finding(
            "targets", "warning", f"nothing leaves the hub: {stopped.reason}", "docs/runbooks/everything-stopped.md"
        )
    for target in found:
        name = target.system_name
        if target.error:
            yield Finding(
                "targets", "problem", f"{name} cannot be used: {target.error}", "manage.py connect FILE --check"
            )
        elif target.mode == "paused":
            yield Finding(
                "targets",
                "warning",
                f"{name} is paused: {target.paused_reason}",
                "docs/runbooks/credentials-refused.md",
            )
        elif target.breaker != "closed":
            yield Finding(
                "targets", "warning", f"{name} does not answer: {target.last_error}", "docs/runbooks/target-down.md"
            )
        elif target.mode == "live" and (target.lag or 0.0) > LAG_SECONDS:
            what = f"{target.waiting:,} changes wait for {name}, the oldest for {(target.lag or 0) / 60:.0f} minutes"
            yield Finding("targets", "warning", what, "docs/runbooks/backlog-grows.md")
        if target.failed:
            yield Finding(
                "targets",
                "warning",
                f"{target.failed:,} deliveries to {name} need a person",
                "docs/how-to/exceptions.md",
            )


SEAL_LATE_SECONDS = 600.0
VERIFIED_WITHIN = timedelta(hours=48)


def audit() -> Iterator[Finding]:
    """What waits for the sealer, whether its checkpoints are kept, and what the last verification of the audit found."""
    book = "docs/runbooks/audit-does-not-verify.md"
    try:
        waiting = sealing.backlog(tables=sealed.SEALED)
        check = verifying_turns.last()
        signed, first = Checkpoint.objects.exists(), Seal.objects.order_by("sequence").first()
    except DatabaseError:
        return  # the database, or its migrations, have their own finding
    if check is not None and check.broken:
        yield Finding(
            "audit", "problem", f"does not verify: {check.broken:,} findings", f"manage.py verify_audit, {book}"
        )
    verified = None if check is None else check.finished_at or check.started_at
    late = datetime.now(UTC) - VERIFIED_WITHIN
    if first is not None and first.sealed_at < late and (verified is None or verified < late):
        yield Finding("audit", "warning", "was not verified for two days", f"manage.py verify_audit, {book}")
    if signed and not sealed.checkpoint_file().exists():
        what = f"the checkpoint file {sealed.checkpoint_file()} is gone"
        yield Finding("audit", "problem", what, f"put its copy back, or see {book}")
    if waiting.oldest is not None and waiting.oldest > SEAL_LATE_SECONDS:
        what = f"{waiting.rows:,} rows wait for the sealer, the oldest for {waiting.oldest / 60:.0f} minutes"
        yield Finding("audit", "warning", what, f"start the hub; if it runs, {book}")


def keys() -> Iterator[Finding]:
    home = embedded.home()
    if keys_backed_up(home):
        yield Finding("keys", "ok", "backed up")
        return
    mend = "`manage.py backup FILE --keys KEYFILE`; or copy the folder and say so: `manage.py doctor --keys-backed-up`"
    yield Finding("keys", "warning", f"{home.keys} is not backed up: without it stored credentials are lost", mend)


def secrets() -> Iterator[Finding]:
    near = env().HOST in {"127.0.0.1", "localhost", "::1"}
    if settings.DEBUG and not near:
        mend = "set DEBUG=0 and ALLOWED_HOSTS, and put TLS in front"
        yield Finding("secrets", "problem", f"debug pages and demo logins are open to the network ({env().HOST})", mend)
    elif settings.DEBUG and env().DATABASE_URL:
        yield Finding("secrets", "warning", "DEBUG is on with an external database", "set DEBUG=0 in production")
    elif len(settings.SECRET_KEY) < 50:
        yield Finding("secrets", "problem", "SECRET_KEY is short", "use 50 random characters or more")
    else:
        yield Finding("secrets", "ok", "debug on, loopback only" if settings.DEBUG else "production settings")


CHECKS: dict[str, Check] = {
    "python": python,
    "libraries": libraries,
    "locale": locale,
    "disk": disk,
    "permissions": permissions,
    "port": port,
    "database": database,
    "migrations": migrations,
    "policies": policies,
    "clock": clock,
    "broker": broker,
    "targets": targets,
    "audit": audit,
    "keys": keys,
    "secrets": secrets,
}


def keys_backed_up(home: Home) -> bool:
    """Whether somebody said so, of the keys that are there now."""
    try:
        return bool(json.loads((home.keys / BACKED_UP).read_text()) == key_fingerprints(home))
    except (OSError, ValueError):
        return not any(os.scandir(home.keys)) if home.keys.is_dir() else True


def note_keys_backed_up(home: Home) -> None:
    write_private(home.keys / BACKED_UP, json.dumps(key_fingerprints(home)))
