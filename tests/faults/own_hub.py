"""A hub with servers of its own, which a test may kill."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from mdmhub import embedded
from mdmhub.embedded.home import Home
from mdmhub.embedded.postgres import Postgres
from mdmhub.env import BASE_DIR, Env


class OwnHub:
    """A hub with servers of its own, which a test may kill; durable, as in real life."""

    def __init__(self, path: Path) -> None:
        self.settings = Env(DATABASE_URL=None, BROKER_URL=None, HUB_HOME=path, DEBUG=True, HUB_DURABLE=True)
        self.server = Postgres(Home(path))
        self.environment = {
            k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "BROKER_URL", "HUB_DURABLE")
        }
        self.environment |= {"HUB_HOME": str(path), "DJANGO_SETTINGS_MODULE": "mdmhub.settings", "DEBUG": "true"}
        self.manage("migrate", "--verbosity", "0")
        self.query("INSERT INTO system (code, name, kind, region, trust, delete_policy, one_record_per_customer, record_url, is_active,"
                   " created_at) VALUES ('crm', 'CRM', 'crm', '', 70, 'downgrade', false, '', true, now())")  # fmt: skip

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.Popen(
            command, cwd=BASE_DIR, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def manage(self, *arguments: str) -> str:
        process = self.start(*arguments)
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        return output

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(**self.server.connection()) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def one(self, sql: str) -> Any:
        return self.query(sql)[0][0]

    def wait_for(self, enough: Callable[[], bool], seconds: float = 60) -> None:
        ends = time.monotonic() + seconds
        while not enough():
            assert time.monotonic() < ends, "it did not come so far"
            time.sleep(0.02)  # another process is at work: it can only be looked at again

    def remove(self) -> None:
        embedded.stop_all(self.settings)
        shutil.rmtree(Home(self.settings.HUB_HOME).servers_folder(), ignore_errors=True)
