"""Every adapter with every target: four sandbox systems over HTTP, a folder, a folder behind SFTP."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from apps.connectors.contract import Adapter
from apps.connectors.sandbox import Far, running
from tests.contracts.sftp_server import serving
from tests.contracts.targets import Target, file_target, rest_target, sftp_target

REST = ("crm", "erp", "billing", "support")
FILES = ("folder", "sftp")


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Far]]:
    """The sandbox systems by kind, started when first asked for and kept for the run."""
    with ExitStack() as stack:

        class Started(dict[str, Far]):
            def __missing__(self, kind: str) -> Far:
                data = tmp_path_factory.mktemp("far") / f"{kind}.db"
                self[kind] = stack.enter_context(running(kind, data=data))
                return self[kind]

        yield Started()


@pytest.fixture
def make_target(servers: dict[str, Far], tmp_path: Path) -> Iterator:
    """A target by name, empty and well."""
    with ExitStack() as stack:

        def make(name: str) -> Target:
            if name in REST:
                far = servers[name]
                far.faults()
                far.empty()
                target = rest_target(far)
            elif name == "folder":
                target = file_target(tmp_path)
            else:
                password = secrets.token_urlsafe(12)
                server = stack.enter_context(serving(tmp_path, password=password))
                target = sftp_target(tmp_path, server.port, server.host_key, password)
            stack.callback(target.close)
            return target

        yield make


@pytest.fixture(params=REST + FILES)
def target(make_target, request: pytest.FixtureRequest) -> Target:
    return make_target(request.param)


@pytest.fixture(params=REST)
def rest(make_target, request: pytest.FixtureRequest) -> Target:
    return make_target(request.param)


@pytest.fixture
def adapter(target: Target) -> Adapter:
    return target.adapter()
