"""What tests of the way out begin with: a sandbox system, connected to the hub, and the hub's stages run by hand."""

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from apps.common.act import Act
from apps.connectors import connections, deliver, planner, poll, sandbox
from apps.connectors.models import Connection, Delivery
from apps.connectors.sandbox.running import Far
from apps.connectors.targets import Target, targets
from apps.events.relay import relay_all
from apps.policies import activate
from tests import pipeline

ALICE, BOB = Act("user:alice", "go"), Act("user:bob", "go")
DOCUMENTS = Path(sandbox.__file__).parent / "connections"


def document(kind: str, url: str, **limits: Any) -> dict[str, Any]:
    """The shipped document of a kind of sandbox system, at `url`, with other limits."""
    found = tomllib.loads((DOCUMENTS / f"{kind}.toml").read_text())
    found["connection"] = {**found["connection"], "base_url": url, **limits}
    return found


@contextmanager
def target(kind: str, data: Path, *, live: bool = True, **limits: Any) -> Iterator[tuple[Far, Connection]]:
    """A running sandbox system and the hub's connection to it."""
    with sandbox.running(kind, data=data) as far:
        made = connect(kind, far, live=live, **limits)
        yield far, made


def connect(kind: str, far: Far, *, live: bool = True, **limits: Any) -> Connection:
    pipeline.systems()
    made = connections.connect(document=document(kind, far.url, **limits), credentials={"token": far.key}, act=ALICE)
    if live:
        asked = connections.request_go_live(connection=made.id, act=ALICE)
        connections.decide_go_live(go_live=asked.id, approve=True, act=BOB)
    return made


def policy(**targets_: Mapping[str, Any]) -> None:
    """An ownership policy with these targets in force; ERP owns payment terms."""
    drafted = activate.draft(
        kind="ownership", body={"owners": {"payment_terms": ["erp"], "credit_limit": ["erp"]}, "targets": dict(targets_)},
        note="", act=ALICE,
    )  # fmt: skip
    activate.activate(policy=drafted.id, act=BOB)


def settle(rounds: int = 6) -> None:
    """Relays, plans and tells until nothing is left to do now."""
    for _ in range(rounds):
        relay_all()
        planned = planner.drain(seconds=20)
        told = deliver.drain(seconds=20)
        if not planned and not told:
            return


def due_now() -> None:
    """What waits for its next attempt need not wait any longer."""
    pipeline.execute("UPDATE delivery SET due_at = clock_timestamp() WHERE state IN ('waiting', 'uncertain')")
    pipeline.execute("UPDATE circuit SET not_before = NULL, probe_at = clock_timestamp()")


def here(made: Connection) -> Target:
    return targets()[made.id]


def poll_all() -> int:
    """Polls every target, whether it is its turn or not."""
    return sum(poll.poll(t) for t in targets().values() if not t.error)


def states() -> dict[str, int]:
    found: dict[str, int] = {}
    for state in Delivery.objects.values_list("state", flat=True):
        found[state] = found.get(state, 0) + 1
    return found
