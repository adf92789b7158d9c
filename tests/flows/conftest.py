"""The hub of a flow test: empty, or with PRELOADED=N one that holds N generated records already."""

from collections.abc import Iterator

import pytest
from django.db import connection

from tests import pipeline, preloaded


@pytest.fixture(scope="session")
def template(django_db_setup: None) -> Iterator[str | None]:
    """The database that every test's hub is a copy of, made once; None when hubs are empty."""
    records = preloaded.wanted()
    if not records:
        yield None
        return
    name = f"{connection.settings_dict['NAME']}_preloaded"
    preloaded.load(name, records)
    yield name
    preloaded.drop(name)


@pytest.fixture(autouse=True)
def hub(transactional_db: None, template: str | None) -> Iterator[None]:
    """Systems, and the records there are to be; a test says what it means relative to them."""
    if template:
        preloaded.copy(template, str(connection.settings_dict["NAME"]))
        yield  # the flush that ends every such test empties the copy
        return
    pipeline.systems()
    pipeline.empty()
    yield
    pipeline.empty()
