"""Mappings as they are kept: every version of a name, the newest in use."""

from django.db import IntegrityError, transaction

from apps.common.act import Act
from apps.common.errors import Conflict
from apps.connectors import models as tables
from apps.connectors.mapping import Mapping
from apps.customers.models import System


def save_mapping(*, system: System, name: str, mapping: Mapping, act: Act) -> tables.Mapping:
    """The mapping under its name: a new version if it differs from the newest one, else that one. Raises Conflict."""
    body = mapping.to_dict()
    last = tables.Mapping.objects.filter(system=system, name=name).order_by("-version").first()
    if last is not None and last.body == body:
        return last
    try:
        with transaction.atomic():
            return tables.Mapping.objects.create(
                system=system, name=name, version=last.version + 1 if last else 1, body=body, created_by=act.actor
            )
    except IntegrityError as error:
        raise Conflict("Somebody else saved this mapping just now; look at it again.") from error
