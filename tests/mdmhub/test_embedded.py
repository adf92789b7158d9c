"""mdmhub.embedded: start, attach, survive kill -9, two homes at once, closed to every other local user."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from mdmhub import embedded
from mdmhub.embedded.home import SOCKET_PATH_LIMIT, Home, passable
from mdmhub.embedded.postgres import Postgres
from mdmhub.embedded.process import running, wait_until, works_in
from mdmhub.embedded.valkey import Valkey
from mdmhub.env import Env, Misconfigured

STRANGER = 65533


def settings_for(path: Path) -> Env:
    return Env(DATABASE_URL=None, BROKER_URL=None, HUB_HOME=path, DEBUG=True, HUB_DURABLE=True)


def remove(settings: Env) -> None:
    embedded.stop_all(settings)
    folder = Home(settings.HUB_HOME).servers_folder()
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(settings.HUB_HOME, ignore_errors=True)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder everybody may pass through: pytest's own is closed to the servers' account."""
    path = Path(tempfile.mkdtemp(prefix="mdmhub-place-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def settings(place: Path) -> Iterator[Env]:
    made = settings_for(place / "hub")
    yield made
    remove(made)


def postgres(settings: Env) -> Postgres:
    return Postgres(Home(settings.HUB_HOME))


def valkey(settings: Env) -> Valkey:
    return Valkey(Home(settings.HUB_HOME))


def test_start_attach_stop_and_start_again_keeps_data(settings: Env) -> None:
    assert embedded.ensure_running(settings) == ["Postgres", "Valkey"]
    assert embedded.ensure_running(settings) == []
    with psycopg.connect(**postgres(settings).connection()) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept VALUES (42)")
    valkey(settings).client().set("kept", "42")
    assert embedded.stop_all(settings) == ["Postgres", "Valkey"]
    assert embedded.stop_all(settings) == []
    assert embedded.ensure_running(settings) == ["Postgres", "Valkey"]
    with psycopg.connect(**postgres(settings).connection()) as connection:
        assert connection.execute("SELECT n FROM kept").fetchall() == [(42,)]
    assert valkey(settings).client().get("kept") == b"42"


def test_killed_servers_start_again_and_nothing_committed_is_lost(settings: Env) -> None:
    embedded.ensure_running(settings)
    with psycopg.connect(**postgres(settings).connection(), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (n int)")
    for round_number in range(3):
        with psycopg.connect(**postgres(settings).connection(), autocommit=True) as connection:
            connection.execute("INSERT INTO kept VALUES (%s)", [round_number])
            for server in (postgres(settings), valkey(settings)):
                pid = server.pid()
                assert pid is not None
                os.kill(pid, signal.SIGKILL)
            # At once, while the killed server's children may still be there and it may be a zombie.
            assert "Postgres" in embedded.ensure_running(settings)
    with psycopg.connect(**postgres(settings).connection()) as connection:
        assert connection.execute("SELECT n FROM kept ORDER BY n").fetchall() == [(0,), (1,), (2,)]


def test_a_stranger_with_the_old_process_id_is_not_taken_for_the_server(settings: Env) -> None:
    embedded.ensure_running(settings)
    server = postgres(settings)
    embedded.stop_all(settings)
    (server.data / "postmaster.pid").write_text(f"{os.getpid()}\n{server.data}\n0\n5432\n\n\n\n")
    assert server.pid() is None
    assert embedded.ensure_running(settings) == ["Postgres", "Valkey"]


def test_a_zombie_does_not_run() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    assert wait_until(lambda: not running(child.pid), 10)  # ended, but nobody has waited for it: a zombie
    os.kill(child.pid, 0)  # and kill() takes it for alive
    assert not works_in(child.pid, Path.cwd())
    child.wait()


def test_many_processes_start_one_server(settings: Env) -> None:
    environment = {**os.environ, "HUB_HOME": str(settings.HUB_HOME)}
    environment = {name: value for name, value in environment.items() if name not in {"DATABASE_URL", "BROKER_URL"}}
    command = [sys.executable, "-m", "mdmhub.embedded", "start"]
    starters = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    told = [starter.communicate(timeout=120)[0] for starter in starters]
    assert [starter.returncode for starter in starters] == [0] * 6
    assert sum("Postgres" in line for line in told) == 1


def test_two_homes_at_once(settings: Env, place: Path) -> None:
    other = settings_for(place / "other")
    try:
        embedded.ensure_running(settings)
        embedded.ensure_running(other)
        assert postgres(settings).pid() != postgres(other).pid()
        assert Home(settings.HUB_HOME).state()["postgres_password"] != Home(other.HUB_HOME).state()["postgres_password"]
        embedded.stop_all(other)
        assert postgres(settings).pid() is not None
    finally:
        remove(other)


def test_a_path_too_long_for_a_socket_uses_loopback(place: Path) -> None:
    settings = settings_for(place / ("long" * 25) / "hub")
    try:
        assert len(str(settings.HUB_HOME)) > SOCKET_PATH_LIMIT
        embedded.ensure_running(settings)
        assert postgres(settings).connection()["host"] == "127.0.0.1"
        with psycopg.connect(postgres(settings).url()) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert valkey(settings).url().startswith("redis://")
        assert valkey(settings).client().ping()
    finally:
        remove(settings)


def test_the_password_is_needed(settings: Env) -> None:
    embedded.ensure_running(settings)
    wrong = {**postgres(settings).connection(), "password": "wrong"}
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(**wrong)


def test_no_password_stands_on_a_command_line(settings: Env) -> None:
    embedded.ensure_running(settings)
    state = Home(settings.HUB_HOME).state()
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert state["postgres_password"] not in listed
    assert state["valkey_password"] not in listed


def test_a_home_of_somebody_else_is_refused(place: Path) -> None:
    if os.geteuid() != 0:
        home = Home(Path("/"))
    else:
        (place / "hub").mkdir()
        os.chown(place / "hub", STRANGER, STRANGER)
        home = Home(place / "hub")
    with pytest.raises(Misconfigured, match="belongs to user id"):
        home.prepare()


def test_no_secret_is_readable_by_others(settings: Env) -> None:
    """By mode: nothing but the servers' programs (as root, a copy everybody may read) is open to group or others."""
    embedded.ensure_running(settings)
    open_ones = []
    for root in {settings.HUB_HOME, Home(settings.HUB_HOME).servers_folder()}:
        for folder, names, files in os.walk(root):
            names[:] = [name for name in names if not name.startswith(("postgresql-", "valkey-"))]
            for path in [Path(folder) / name for name in (*names, *files)]:
                if stat.S_IMODE(path.lstat().st_mode) & 0o077 and not path.is_symlink():
                    open_ones.append(path)
    # What lies inside a closed folder cannot be reached, whatever its own mode.
    reachable = [path for path in open_ones if all(_strangers_pass(part) for part in path.parents)]
    assert reachable == []


def _strangers_pass(folder: Path) -> bool:
    """Whether somebody who is neither the owner nor of the servers' group may pass."""
    return bool(stat.S_IMODE(folder.stat().st_mode) & stat.S_IXOTH)


PROBE = """
import os, sys, socket
os.setgroups([]); os.setgid({uid}); os.setuid({uid})
reached = []
for root in sys.argv[1:]:
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if not name.startswith(("postgresql-", "valkey-"))]
        reached += [os.path.join(folder, name) for name in files]
    for name in {targets!r}:
        path = os.path.join(root, name)
        for attempt in (lambda: open(path, "rb").read(), lambda: os.listdir(path), lambda: open(path, "ab")):
            try:
                attempt(); reached.append(path)
            except OSError:
                pass
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(path); reached.append(path)
        except OSError:
            pass
print("\\n".join(reached))
"""


def test_another_user_reaches_nothing(settings: Env) -> None:
    """Really tried, under another user id. A normal user has none to lend, and relies on the test of modes above."""
    embedded.ensure_running(settings)
    if os.geteuid() != 0:
        return
    targets = ["keys", "logs", "servers.json", "lock", "postgres", "postgres/data", "postgres/data/pg_hba.conf"]
    targets += ["postgres/.s.PGSQL.5432", "valkey", "valkey/valkey.sock", "valkey/valkey.conf"]
    targets += ["keys/field-encryption", ""]
    roots = {str(settings.HUB_HOME), str(Home(settings.HUB_HOME).servers_folder())}
    probe = PROBE.format(uid=STRANGER, targets=targets)
    done = subprocess.run([sys.executable, "-c", probe, *roots], capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout.split() == []


def test_a_home_below_a_closed_folder_works(place: Path) -> None:
    """As root the servers' account cannot pass a 0700 folder: the servers move, the folder's mode stays."""
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    settings = settings_for(closed / "hub")
    try:
        embedded.ensure_running(settings)
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        folder = Home(settings.HUB_HOME).servers_folder()
        if os.geteuid() == 0:
            assert passable(folder.parent)
            assert not folder.is_relative_to(closed)
            data = folder / "postgres" / "data"
            assert (data.stat().st_uid, stat.S_IMODE(data.stat().st_mode)) == (65534, 0o700)
    finally:
        remove(settings)


def test_knowing_the_address_makes_no_server_folder(settings: Env) -> None:
    """Settings are read by every tool; only a start makes the servers' folders."""
    assert valkey(settings).url().startswith("redis")
    assert postgres(settings).url().startswith("postgresql://")
    assert not valkey(settings).folder.exists()
    assert not postgres(settings).folder.exists()
    assert embedded.ensure_running(settings) == ["Postgres", "Valkey"]
