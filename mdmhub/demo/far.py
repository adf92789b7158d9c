"""The demo in the systems themselves: the generator's records, loaded into the running sandbox servers as their own."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apps.common.act import Act
from apps.connectors import connections, poll, sandbox
from apps.connectors.sandbox import Far, Place, native
from apps.connectors.secrets import add_secret
from apps.connectors.targets import targets
from apps.customers.models import System
from mdmhub.demo.generator import generate

BATCH = 2_000
_ACT = Act("command:demo", "the demo")


def connect(places: Mapping[str, Place]) -> None:
    """Connects the running servers as targets that observe. The hub has their records as files already, so it polls what changes from
    now on; what they tell by webhook is signed with the secret of their place."""
    for kind, place in places.items():
        document = tomllib.loads((Path(sandbox.__file__).parent / "connections" / f"{kind}.toml").read_text())
        document["connection"]["base_url"] = place.url
        made = connections.connect(document=document, credentials={"token": place.key}, act=_ACT)
        System.objects.filter(id=made.system_id, record_url="").update(record_url=f"{place.url}/records/{{id}}")
        add_secret(made.id, given=place.webhook_secret)
        poll.begin_here(targets()[made.id])


def fill(places: Mapping[str, Place], customers: int, *, seed: int = 7) -> dict[str, int]:
    """Loads the records of `customers` customers, the same as `write_files` makes of this seed; returns how many by system.

    The servers have to run. A record with the same id is replaced, all others stay. Raises FarError, or OSError where none runs."""
    servers = {kind: Far(kind, place.data, place.key, url=place.url) for kind, place in places.items()}
    waiting: dict[str, list[dict[str, Any]]] = {kind: [] for kind in servers}
    loaded = dict.fromkeys(servers, 0)
    for record in generate(customers, seed=seed):
        batch = waiting[record.system]
        batch.append(native(record.system, record.item["record_id"], record.item))
        if len(batch) == BATCH:
            loaded[record.system] += servers[record.system].load(batch)
            batch.clear()
    for kind, batch in waiting.items():
        loaded[kind] += servers[kind].load(batch)
    return loaded
