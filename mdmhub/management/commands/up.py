"""`manage.py up`: the whole hub in one terminal, until Ctrl-C."""

import json
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from redis import RedisError

from apps.common.errors import HubError
from apps.connectors import sandbox as sandbox_systems
from apps.connectors.sandbox import FarError
from apps.customers.models import SourceRecord
from mdmhub import embedded
from mdmhub.broker import client
from mdmhub.celery import LANES
from mdmhub.demo import far
from mdmhub.embedded.home import port_is_free
from mdmhub.embedded.process import ServerFailed, tail
from mdmhub.embedded.running import AlreadyRunning, Hold
from mdmhub.env import BASE_DIR, EVERYWHERE, env
from mdmhub.health import pending_migrations
from mdmhub.supervisor import Child, Supervisor
from mdmhub.tasks import HEARTBEAT_KEY

PORTS_TRIED = 100
DEMO_CUSTOMERS = 2_000
READY_SECONDS = 90.0
WEB_STATEMENT_MS, WORKER_STATEMENT_MS = "10000", "60000"
PYTHON = [sys.executable, "-m"]


class Stopped(Exception):
    """Somebody asked the hub to end."""


class Command(BaseCommand):
    help = "Start the hub: database and broker (unless given from outside), web, workers and beat. Ctrl-C ends it all."
    requires_system_checks: list[str] = []  # the checks run once the database is there, as part of migrate

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=env().HOST, help="address to listen on (HOST, else %(default)s)")
        parser.add_argument("--port", type=int, default=env().PORT, help="port to listen on (PORT, else %(default)s)")
        parser.add_argument("--no-demo", action="store_true", help="leave an empty hub empty (the same as DEMO=0)")

    def handle(self, *args: Any, **options: Any) -> None:
        demo = not options["no_demo"] and os.environ.get("DEMO", "1") not in {"0", "no", "false"}
        begun = time.monotonic()
        os.umask(0o077)  # what the children write is nobody else's business
        try:
            with _signals(), Hold(embedded.home()) as hold:
                self._run(hold, options["host"], options["port"], demo=demo, begun=begun)
        except (AlreadyRunning, ServerFailed) as error:
            raise CommandError(str(error)) from error
        except Stopped:
            self._say("the hub is down; its data is kept")

    def _run(self, hold: Hold, host: str, port: int, *, demo: bool, begun: float) -> None:
        try:
            self._prepare(demo=demo)
            port = self._free_port(host, port)
            supervisor = Supervisor(_children(host, port), self._say)
            systems = Supervisor(_sandbox(port) if _has_sandbox() else [], self._say)
            try:
                _forget_heartbeat()
                systems.start()
                supervisor.start()
                self._wait_ready(supervisor, host, port)
                self._connect_sandbox()
                url = f"http://{'localhost' if host in {'127.0.0.1', *EVERYWHERE} else host}:{port}/"
                hold.announce(url)
                self._welcome(url, time.monotonic() - begun)
                self._tend(supervisor, systems)
            finally:
                self._say("ending …")
                supervisor.stop()
                systems.stop()  # after those that call them
        finally:
            connection.close()
            embedded.stop_all()

    def _prepare(self, *, demo: bool) -> None:
        started = embedded.ensure_running()
        if started:
            self._say(f"started {' and '.join(started)}")
        if pending_migrations():
            self._say("migrating the database")
            call_command("migrate", interactive=False, verbosity=0)
        if not settings.DEBUG:
            call_command("collectstatic", interactive=False, verbosity=0)
        loaded = settings.HUB_HOME / "demo-loaded"
        if demo and settings.DEMO_LOGINS_ALLOWED and not loaded.exists() and not SourceRecord.objects.exists():
            self._say("the hub is empty: loading the demo (DEMO=0 leaves it empty)")
            call_command("demo")
            loaded.touch(mode=0o600)

    def _connect_sandbox(self) -> None:
        """Once: the demo's records also live in the sandbox systems, which are connected and observed."""
        connected = settings.HUB_HOME / "sandbox-connected"
        if not _has_sandbox() or connected.exists():
            return
        self._say("connecting the demo's four systems")
        places = sandbox_systems.places(settings.HUB_HOME)
        try:
            _wait_for_ports([place.port for place in places.values()])
            far.fill(places, DEMO_CUSTOMERS)
            far.connect(places)
        except (HubError, FarError, OSError) as error:
            self._say(f"the demo's systems are not connected, the next start tries again: {error}")
            return
        connected.touch(mode=0o600)

    def _free_port(self, host: str, wanted: int) -> int:
        for port in range(wanted, min(wanted + PORTS_TRIED, 65536)):
            if port_is_free(port, host):
                if port != wanted:
                    self._say(f"port {wanted} is in use, taking {port}")
                return port
        raise CommandError(f"no free port from {wanted} on; choose one with PORT=")

    def _wait_ready(self, supervisor: Supervisor, host: str, port: int) -> None:
        """Until the web answers, and the first heartbeat has gone from beat over the broker to a worker."""
        deadline = time.monotonic() + READY_SECONDS
        state: dict[str, Any] = {}
        while time.monotonic() < deadline:
            for child in supervisor.children:
                if not child.alive:
                    raise CommandError(f"{child.name} did not start; the end of {child.log}:\n{tail(child.log, 30)}")
            state = _readiness(host, port)
            if state.get("status") == "ok":
                return
            time.sleep(0.1)
        if state.get("status") != "degraded":
            web = supervisor.children[0]
            raise CommandError(f"the web does not answer: {state}; the end of {web.log}:\n{tail(web.log, 30)}")
        self._say(f"the web answers, but not all is well: {state['checks']}; see {embedded.home().logs}")

    def _tend(self, *supervisors: Supervisor) -> None:
        while True:
            time.sleep(1)
            for supervisor in supervisors:
                supervisor.tend()
            if any(server.pid() is None for server in embedded.servers()):
                started = embedded.ensure_running()
                if started:
                    self._say(f"{' and '.join(started)} had gone, started again")

    def _welcome(self, url: str, seconds: float) -> None:
        self._say(f"ready after {seconds:.1f} s: {url}")
        logins = _demo_logins()
        for role, password in logins.items():
            self.stdout.write(f"    {role:<12} {password}")
        if not logins:
            self.stdout.write("    no demo logins; `manage.py createsuperuser` makes an administrator")
        self.stdout.write(f"    logs in {embedded.home().logs}; Ctrl-C ends the hub\n")
        self.stdout.flush()

    def _say(self, text: str) -> None:
        self.stdout.write(f"hub: {text}")
        self.stdout.flush()


@contextmanager
def _signals() -> Iterator[None]:
    """The first signal ends the hub in order; while it ends, further ones are ignored."""

    def stop(number: int, frame: Any) -> None:
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)
        raise Stopped

    before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def web_command(host: str, port: int, *, threads: int = 4) -> list[str]:
    """The web server: a process per core; a thread that waits for the database lets another one work."""
    bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    gunicorn = [*PYTHON, "gunicorn", "mdmhub.wsgi", "--bind", bind, "--worker-class", "gthread", "--workers", "2"]
    gunicorn += ["--threads", str(threads), "--preload", "--graceful-timeout", "10", "--timeout", "60"]
    return [*gunicorn, "--no-control-socket"]


def _has_sandbox() -> bool:
    """The demo's systems run with the demo, and only where its logins are allowed."""
    return settings.DEMO_LOGINS_ALLOWED and (settings.HUB_HOME / "demo-loaded").exists()


def _wait_for_ports(ports: Sequence[int]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    for port in ports:
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            if time.monotonic() > deadline:
                raise TimeoutError(f"nothing answers on port {port}; see {embedded.home().logs}")
            time.sleep(0.05)


def _sandbox(port: int) -> list[Child]:
    """The demo's systems; what changes there is told to the hub's web by webhook."""
    near = f"http://127.0.0.1:{port}/api/v1/hooks"
    environment = {**os.environ, "PYTHONPATH": str(BASE_DIR), "PYTHONUNBUFFERED": "1"}
    commands = sandbox_systems.commands(settings.HUB_HOME, lambda kind: f"{near}/{kind}")
    return [Child(name, command, embedded.home().logs / f"{name}.log", environment) for name, command in commands]


def _children(host: str, port: int) -> list[Child]:
    """Web first: somebody waits for it. One worker per lane, so that a load never keeps a steward waiting."""
    logs = embedded.home().logs
    base = {**os.environ, "DJANGO_SETTINGS_MODULE": "mdmhub.settings", "PYTHONPATH": str(BASE_DIR)}
    base["PYTHONUNBUFFERED"] = "1"
    web = {**base, "HUB_STATEMENT_TIMEOUT_MS": WEB_STATEMENT_MS}
    work = {**base, "HUB_STATEMENT_TIMEOUT_MS": WORKER_STATEMENT_MS}
    celery = [*PYTHON, "celery", "-A", "mdmhub"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "INFO"]
    children = [Child("web", web_command(host, port), logs / "web.log", web)]
    for lane in LANES:
        pool = ["-P", "solo"] if lane == "delivery" else ["-c", "1"]  # it makes its calls from threads of its own
        worker = [*celery, "worker", "-Q", lane, "-n", f"{lane}@%h", *pool, *quiet]
        children.append(Child(f"worker-{lane}", worker, logs / f"worker-{lane}.log", work))
    children.append(Child("beat", [*celery, "beat", "-l", "WARNING"], logs / "beat.log", base))
    return children


def _forget_heartbeat() -> None:
    """A heartbeat of the last run would make this one look ready before it is."""
    with suppress(RedisError), client() as broker:
        broker.delete(HEARTBEAT_KEY)


def _readiness(host: str, port: int) -> dict[str, Any]:
    near = "localhost" if host in EVERYWHERE else f"[{host}]" if ":" in host else host
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy has no business on loopback
    try:
        with opener.open(f"http://{near}:{port}/readyz", timeout=5) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as error:
        return {"status": error.code}
    except (OSError, ValueError):
        return {}


def _demo_logins() -> dict[str, str]:
    """One login per role, kept by the demo command; the user name is the role."""
    if not settings.DEMO_LOGINS_ALLOWED:
        return {}
    with suppress(FileNotFoundError, ValueError):
        return dict(json.loads((settings.HUB_HOME / "demo-logins.json").read_text()))
    return {}
