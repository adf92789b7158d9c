"""PostgreSQL and Valkey of the hub's own, used wherever DATABASE_URL or BROKER_URL is not given.

Any command attaches to the live servers or starts them; they go on running when it ends, and only `manage.py up`
(or `python -m mdmhub.embedded stop`) ends them.
"""

from mdmhub.embedded.home import Home
from mdmhub.embedded.postgres import Postgres
from mdmhub.embedded.valkey import Valkey
from mdmhub.env import Env, env


def home(settings: Env | None = None) -> Home:
    """The home of the configured hub."""
    return Home((settings or env()).HUB_HOME)


def servers(settings: Env | None = None) -> "tuple[Postgres | Valkey, ...]":
    """The embedded servers this hub uses: none, one or both."""
    chosen = settings or env()
    own = home(chosen)
    found: list[Postgres | Valkey] = []
    if chosen.DATABASE_URL is None:
        found.append(Postgres(own, durable=chosen.HUB_DURABLE))
    if chosen.BROKER_URL is None:
        found.append(Valkey(own))
    return tuple(found)


def ensure_running(settings: Env | None = None) -> list[str]:
    """Start what is not running; the names of what was started. Safe to call from many processes at once."""
    chosen = settings or env()
    wanted = servers(chosen)
    if not wanted:
        return []
    with home(chosen).lock():
        return [type(server).__name__ for server in wanted if server.ensure()]


def stop_all(settings: Env | None = None) -> list[str]:
    """End the servers of this hub; the names of what was running."""
    chosen = settings or env()
    with home(chosen).lock():
        return [type(server).__name__ for server in servers(chosen) if server.stop()]
