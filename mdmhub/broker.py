"""A plain connection to the broker, for what the hub itself asks it: is it there, does it keep its data, when was the
last heartbeat. Messages go through Celery."""

from typing import Any
from urllib.parse import unquote, urlsplit

import redis

from mdmhub import embedded
from mdmhub.embedded.valkey import Valkey
from mdmhub.env import env


def client(timeout: float = 2.0) -> "redis.Redis":
    """Connection to the configured broker, external or embedded; every call ends within `timeout` seconds."""
    url = env().BROKER_URL
    if url is None:
        return Valkey(embedded.home()).client()
    options: dict[str, Any] = {"socket_timeout": timeout, "socket_connect_timeout": timeout}
    parts = urlsplit(url)
    if parts.scheme == "redis+socket":
        return redis.Redis(
            unix_socket_path=unquote(parts.path),
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            socket_timeout=timeout,
        )
    return redis.Redis.from_url(url, **options)
