"""One server of each kind for a module's tests; every test finds it empty and without faults."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from apps.connectors.sandbox import Far, running

KINDS = ("crm", "erp", "billing", "support")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Far]]:
    """The servers by kind, started when first asked for."""
    with ExitStack() as stack:

        class Started(dict[str, Far]):
            def __missing__(self, kind: str) -> Far:
                data = tmp_path_factory.mktemp("sandbox") / f"{kind}.db"
                self[kind] = stack.enter_context(running(kind, data=data))
                return self[kind]

        yield Started()


@pytest.fixture
def far(servers: dict[str, Far], request: Any) -> Far:
    """The server of the kind that the test's `kind` names: parametrised, or a constant of its module."""
    params = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    server = servers[params.get("kind") or request.module.KIND]
    server.faults()
    server.empty()
    return server
