"""A real SFTP server over one folder, for a test: its loop runs in a thread of its own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncssh


@dataclass
class Sftp:
    """`host_key` is what a known_hosts file says of the server; `logins` counts who came in."""

    port: int
    host_key: str
    folder: Path
    logins: int = 0


@contextmanager
def serving(folder: Path, *, password: str, public_key: str | None = None) -> Iterator[Sftp]:
    """A server that lets in the user "hub" by password, or by key when a public one is given."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    known = asyncssh.import_public_key(public_key) if public_key else None
    server = Sftp(0, key.export_public_key().decode().strip(), folder)

    open_connections: list[asyncssh.SSHServerConnection] = []

    class Door(asyncssh.SSHServer):
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            open_connections.append(conn)

        def begin_auth(self, username: str) -> bool:
            return True

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, given: str) -> bool:
            return self._let_in(fine=username == "hub" and given == password)

        def public_key_auth_supported(self) -> bool:
            return True

        def validate_public_key(self, username: str, given: asyncssh.SSHKey) -> bool:
            return self._let_in(fine=known is not None and given.public_data == known.public_data)

        def _let_in(self, *, fine: bool) -> bool:
            server.logins += fine
            return fine

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sftp", daemon=True)
    thread.start()

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=Door,
            server_host_keys=[key],
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(folder).encode()),
        )

    acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result(30)
    server.port = acceptor.get_port()
    try:
        yield server
    finally:

        async def end() -> None:
            acceptor.close()
            for connection in open_connections:
                connection.abort()
                await connection.wait_closed()
            await acceptor.wait_closed()
            await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(end(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()
