"""Files for the readers; a hub with nothing in it, and targets for the way out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.connectors.models import Connection
from apps.connectors.sandbox.running import Far
from tests import outward, pipeline
from tests.connectors import outbox
from tests.connectors.telling import KINDS


@pytest.fixture
def write(tmp_path: Path):
    def write(content: bytes | str, name: str = "records.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def empty() -> Iterator[None]:
    """Nothing is in the hub, before and after."""
    pipeline.empty()
    yield
    pipeline.empty()


@pytest.fixture
def creates_people(empty: None) -> None:
    """In every target people are made that it lacks."""
    outward.policy(**{kind: {"creates": ["person"]} for kind in KINDS})


@pytest.fixture
def nobodys_crm(empty: None) -> Connection:
    """A live target that makes people, at an address where nobody answers."""
    outward.policy(crm={"creates": ["person"]})
    return outbox.connect(in_flight=50)


@pytest.fixture
def limits() -> dict[str, Any]:
    """Limits of the targets below; a module may have others."""
    return {}


@pytest.fixture
def crm(empty: None, limits: dict[str, Any], tmp_path: Path) -> Iterator[tuple[Far, Connection]]:
    """A CRM that is told."""
    with outward.target("crm", tmp_path / "crm.db", **limits) as found:
        yield found


@pytest.fixture
def observed(empty: None, limits: dict[str, Any], tmp_path: Path) -> Iterator[tuple[Far, Connection]]:
    """A CRM that is only looked at."""
    with outward.target("crm", tmp_path / "crm.db", live=False, **limits) as found:
        yield found


@pytest.fixture(params=KINDS)
def any_kind(
    empty: None, limits: dict[str, Any], request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[Far, Connection]]:
    """A target of each kind, that is told."""
    with outward.target(request.param, tmp_path / "far.db", **limits) as found:
        yield found
