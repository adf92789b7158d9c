"""An old value is kept again: read out of a version, and pinned as any other value is, with all that holds for pins.

Attributes that survive together are kept together, so that no record is made of halves; a name that is made of its parts follows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from apps.common.act import Act
from apps.common.errors import FieldError, NotFound, Rejected
from apps.customers import pins
from apps.customers.queries import resolve
from apps.customers.queries_past import require_kept, version_of
from apps.customers.queries_values import values_of, without_origin
from apps.customers.survivorship import ATTRIBUTES
from apps.policies.active import active

_PARTS_OF_A_NAME: Final = ("given_name", "family_name", "organization_name")


@dataclass(frozen=True, slots=True)
class Old:
    """What is kept: `values` by attribute, the one that was asked for and those that survive with it. `id`, `version`, `at`: whence."""

    id: UUID
    version: int
    at: datetime
    values: Mapping[str, Any]


def keepable(attribute: str, values: Mapping[str, Any]) -> bool:
    """Whether a value among `values` of one version can be kept: a name that is made of its parts is kept by its parts."""
    if attribute not in ATTRIBUTES or attribute in pins.NEVER or values.get(attribute) in (None, "", []):
        return False
    return attribute != "name" or not any(values.get(part) for part in _PARTS_OF_A_NAME)


def old_values(*, customer: UUID, of: UUID, version: int, attribute: str) -> Old:
    """What `restore` would pin. `of`: the customer's id, or a retired one that is part of it now.

    Raises NotFound (no such version of this customer), Erased, and Rejected where the version has no such value to keep."""
    if resolve(of).customer.id != customer:
        raise NotFound("This version is of another customer.")
    then = version_of(of, version)
    require_kept(then, "version")
    values = values_of(then.row)
    if not keepable(attribute, values):
        raise Rejected(
            "The version has no value to keep.",
            [FieldError("/attribute", "missing", f"Version {version} has no {attribute} of its own.")],
        )
    groups = active("survivorship").rules.groups
    together = next((g for g in groups if attribute in g), (attribute,))
    # a list as a source would send it: without the records that its parts came from
    return Old(of, version, then.at, {a: without_origin(values[a]) for a in together if keepable(a, values)})


@transaction.atomic
def restore(
    *, customer: UUID, of: UUID, version: int, attribute: str, act: Act, until: datetime | None = None
) -> list[UUID]:
    """Pins what a version said, for ever or `until` a moment. Returns the customers written.

    Raises as `old_values` and pins.pin do."""
    old = old_values(customer=customer, of=of, version=version, attribute=attribute)
    written = [pins.pin(customer=customer, attribute=a, value=v, act=act, until=until) for a, v in old.values.items()]
    return list(dict.fromkeys(id_ for ids in written for id_ in ids))
