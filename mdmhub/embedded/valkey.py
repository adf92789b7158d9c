"""Embedded Valkey, the broker: a doorbell between processes. Losing it loses nothing, but it keeps an append-only file
all the same, so that a kill costs no sweep. Password in a 0600 file (never on the command line), Unix socket in a 0700
folder or loopback; one process at a time starts it (the caller holds Home.lock())."""

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import redis

from mdmhub.embedded import process
from mdmhub.embedded.binaries import valkey_server
from mdmhub.embedded.home import NOBODY, SOCKET_PATH_LIMIT, Home, free_ports, port_is_free, write_private
from mdmhub.embedded.process import ServerFailed

START_SECONDS = 60.0


@dataclass(frozen=True)
class Valkey:
    """The Valkey server of one home."""

    home: Home

    @property
    def folder(self) -> Path:
        return self.home.servers_folder() / "valkey"

    @property
    def socket(self) -> Path:
        return self.folder / "valkey.sock"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def by_socket(self) -> bool:
        return len(os.fsencode(self.socket)) <= SOCKET_PATH_LIMIT

    @property
    def port(self) -> int:
        return int(self.home.state()["valkey_port"])

    @property
    def password(self) -> str:
        return str(self.home.state()["valkey_password"])

    def url(self) -> str:
        """Broker URL in kombu's spelling; readable before the server runs."""
        password = quote(self.password, safe="")
        if self.by_socket:
            return f"redis+socket://:{password}@{quote(str(self.socket))}"
        return f"redis://:{password}@127.0.0.1:{self.port}/0"

    def client(self) -> "redis.Redis":
        if self.by_socket:
            return redis.Redis(unix_socket_path=str(self.socket), password=self.password, socket_timeout=2)
        return redis.Redis(host="127.0.0.1", port=self.port, password=self.password, socket_timeout=2)

    def pid(self) -> int | None:
        """The live server's process id, or None."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            pid = int((self.folder / "server.pid").read_text())
            return pid if process.works_in(pid, self.folder) else None
        return None

    def ensure(self) -> bool:
        """Attach to the live server, or start it; True when it was started. The caller holds the home's lock."""
        if self.pid() is not None and self._answers():
            return False
        self.home.make_server_folder("valkey")
        if not self.by_socket and not port_is_free(self.port):
            self.home.remember(valkey_port=free_ports(1)[0])
        for stale in (self.socket, self.folder / "server.pid"):
            stale.unlink(missing_ok=True)
        configuration = self.folder / "valkey.conf"
        write_private(configuration, self._configuration(), owner=NOBODY)
        started = process.run_as_server([valkey_server(self.home), configuration])
        if started.returncode != 0:
            raise ServerFailed(f"Valkey did not start: {started.stdout}\n{process.tail(self.log)}")
        if not process.wait_until(lambda: self.pid() is not None, 10) or not self._answers():
            raise ServerFailed(f"Valkey ended at once:\n{process.tail(self.log)}")
        return True

    def stop(self) -> bool:
        """End the server after it has written its file. True when one was running."""
        pid = self.pid()
        if pid is None:
            return False
        process.end(pid, signal.SIGTERM, 15.0)
        return True

    def _configuration(self) -> str:
        listen = (
            ["port 0", f'unixsocket "{self.socket}"', "unixsocketperm 700"]
            if self.by_socket
            else [f"port {self.port}", "bind 127.0.0.1", "protected-mode yes"]
        )
        lines = [
            *listen,
            f"requirepass {self.password}",
            f'dir "{self.folder}"',
            f'logfile "{self.log}"',
            f'pidfile "{self.folder / "server.pid"}"',
            "daemonize yes",
            "appendonly yes",
            "appendfsync everysec",
            'save ""',
            "maxmemory-policy noeviction",
        ]
        return "\n".join(lines) + "\n"

    def _answers(self) -> bool:
        """Wait until the live server answers; False when it ends instead. Raises when it does neither."""
        trouble: list[Exception] = []

        def settled() -> bool:
            try:
                with self.client() as client:
                    client.ping()
            except redis.RedisError as error:
                trouble[:] = [error]
                return self.pid() is None
            trouble.clear()
            return True

        if not process.wait_until(settled, START_SECONDS):
            raise ServerFailed(f"Valkey does not answer: {trouble[0]}\n{process.tail(self.log)}")
        return not trouble
