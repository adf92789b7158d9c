"""A hub that holds many records already, for tests that must pass on a full hub as on an empty one.

PRELOADED=100000 asks for it. The records are generated and taken in once, by benchmarks/load.py, into a database that serves
as template; a test that wants a hub gets a copy of its files, as quick as the disk."""

import json
import os
import subprocess
import sys

import psycopg
from django.db import connections

from mdmhub.env import BASE_DIR, env
from tests.live import database_url, live_environment


def wanted() -> int:
    """How many records the hubs of this run hold before a test begins; 0 for empty ones."""
    return int(os.environ.get("PRELOADED") or 0)


def load(template: str, records: int) -> None:
    """A new database `template` with this many generated records, taken in, matched and published."""
    drop(template)
    _administer(f'CREATE DATABASE "{template}"')
    here = str(env().HUB_HOME)  # its keys and its broker; they stay when the load ends
    command = [sys.executable, "benchmarks/load.py", str(records), "--only", "end-to-end", "--keep", here, "--json"]
    done = subprocess.run(
        command, cwd=BASE_DIR, env=live_environment(template), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)["end_to_end"]
    assert (facts["in"], facts["broken_invariants"]) == (records, 0), facts
    with psycopg.connect(database_url(template), autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")  # what autovacuum would have come to by the next day


def copy(template: str, name: str) -> None:
    """The database `name` becomes a copy of the template, whatever it was. Processes that hold a connection to it lose it."""
    connections.close_all()
    drop(name)
    _administer(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')


def drop(name: str) -> None:
    _administer(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _administer(sql: str) -> None:
    with psycopg.connect(database_url("postgres"), autocommit=True) as connection:
        connection.execute(sql)
