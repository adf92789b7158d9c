"""Who does what, and why: the one value every verb that changes rows is given."""

from dataclasses import dataclass, field, replace
from typing import Self
from uuid import UUID

from apps.common.ids import uuid7


@dataclass(frozen=True, slots=True)
class Act:
    """`actor` is a label such as "user:alice", "client:crm-loader" or "hub:match"; `user_id` the account, if a person or client.

    The correlation id begins where bytes enter the hub and stays until the last delivery. `quiet` marks an initial load:
    matched and built, but nobody is told until it is released."""

    actor: str
    reason: str = ""
    user_id: int | None = None
    correlation_id: UUID = field(default_factory=uuid7)
    run_id: UUID | None = None
    quiet: bool = False

    def because(self, reason: str) -> Self:
        return replace(self, reason=reason)
