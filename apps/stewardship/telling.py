"""One delivery at the exception desk: the form that corrects its native fields, and its neighbours.

Sensitive values arrive here masked; the verb takes a mask that comes back as "unchanged"."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.common.errors import FieldError
from apps.connectors.desk_fields import flattened, own_columns
from apps.connectors.models import Delivery
from apps.connectors.queries import DeliveryDetail, DeliveryRow
from apps.connectors.redact import MASK
from apps.connectors.targets import targets

PREFIX = "field:"
_LONG = 80


@dataclass(frozen=True, slots=True)
class NativeField:
    """One native field, dotted as the mapping writes it. `value`: as it is shown and comes back; `masked`: only its end is shown."""

    name: str
    value: str
    masked: bool = False
    problem: str = ""

    @property
    def is_long(self) -> bool:
        return len(self.value) > _LONG or "\n" in self.value


def native_fields(
    detail: DeliveryDetail, typed: Mapping[str, str] | None = None, errors: Iterable[FieldError] = ()
) -> list[NativeField]:
    """The fields of a form that corrects what is told, by name, with what somebody has typed already and what is wrong with that.

    The hub's own names of a record are left out: the verb keeps them."""
    problems = {column_of(e): e.detail for e in errors}
    target = targets().get(detail.row.connection)
    own = own_columns(target) if target is not None and not target.error else frozenset[str]()
    return [
        NativeField(
            name, (typed or {}).get(PREFIX + name, _text(value)), str(value).startswith(MASK), problems.get(name, "")
        )
        for name, value in sorted(flattened(detail.native).items())
        if name not in own
    ]


def column_of(error: FieldError) -> str:
    """The native column an error is about."""
    return error.field.removeprefix("/native/")


def typed_fields(posted: Mapping[str, str]) -> dict[str, str]:
    """What a form sent, by column; a forged column goes along, for the verb to refuse it by name."""
    return {
        key.removeprefix(PREFIX): value.replace("\r\n", "\n") for key, value in posted.items() if key.startswith(PREFIX)
    }


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The failed deliveries of the same group before and after one, in the order of their list: newest first."""

    previous: UUID | None
    next: UUID | None


def neighbours(row: DeliveryRow) -> Neighbours:
    """Where j and k lead: two queries over the index of failed deliveries."""
    group = Delivery.objects.filter(connection_id=row.connection, trouble=row.trouble, code=row.code, state="failed")
    ids = group.values_list("id", flat=True)
    return Neighbours(
        ids.filter(id__gt=row.id).order_by("id").first(), ids.filter(id__lt=row.id).order_by("-id").first()
    )
