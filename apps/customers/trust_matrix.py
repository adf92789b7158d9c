"""Trust of each system in each attribute, as one table: where every number comes from, and another table as the draft of a policy."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.common.act import Act
from apps.common.errors import Conflict, FieldError, Rejected
from apps.customers.models import System
from apps.customers.survivorship import ATTRIBUTES
from apps.policies.activate import draft
from apps.policies.active import document_hash, shipped
from apps.policies.models import Policy

KIND = "survivorship"
_NEVER = ("extra",)
"""Declared attributes stand each by itself."""

Key = tuple[str, str]
"""(code of a system, attribute)."""


class Whence(StrEnum):
    """Whose number it is: the system's own row, its kind's row, the system's general trust. The first there is counts."""

    OWN = "own"
    KIND = "kind"
    GENERAL = "general"


@dataclass(frozen=True, slots=True)
class Trust:
    """0 to 100; `inherited`: what it is, or would be, without an own row."""

    value: int
    whence: Whence
    inherited: int


@dataclass(frozen=True, slots=True)
class Matrix:
    """`rows`: attribute -> trust, in the order of `systems`. `version` 0 is the shipped policy; `hash` names the document."""

    systems: Sequence[System]
    rows: Mapping[str, Sequence[Trust]]
    version: int
    hash: str


@dataclass(frozen=True, slots=True)
class Proposed:
    """A draft that is newer than the policy in force. `changes`: where its trust differs, with trust now and then; `besides`: it changes
    other parts of the policy too."""

    policy: UUID
    version: int
    author: str
    note: str
    changes: Mapping[Key, tuple[int, int]]
    besides: bool


def matrix() -> Matrix:
    """As it is in force: two queries."""
    body, version = _in_force()
    return _matrix(body, version, _systems())


def proposed() -> list[Proposed]:
    """Drafts that nobody has put into force, the newest first: three queries."""
    body, version = _in_force()
    systems, found = _systems(), []
    now = _matrix(body, version, systems).rows
    for row in Policy.objects.filter(kind=KIND, state=Policy.State.DRAFT, version__gt=version).order_by("-version"):
        then = _matrix(row.body, row.version, systems).rows
        changes = {
            (system.code, attribute): (trusts[at].value, then[attribute][at].value)
            for attribute, trusts in now.items()
            if attribute in then
            for at, system in enumerate(systems)
            if trusts[at].value != then[attribute][at].value
        }
        besides = _rest(row.body) != _rest(body)
        found.append(Proposed(row.id, row.version, row.author, row.note, changes, besides))
    return found


@transaction.atomic
def propose(*, changes: Mapping[Key, int | None], on: str, act: Act) -> Policy:
    """A draft of the policy in force with other trust: a number, or None for what is inherited. A second person puts it into force.

    Raises Rejected (nothing changes, no reason, an unknown system or attribute, a number beyond 0 to 100) and Conflict (another policy than
    `on`, the hash that was looked at, is in force by now)."""
    body, _ = _in_force()
    if document_hash(body) != on:
        raise Conflict("Another policy has come into force meanwhile; look again.")
    known, wrong = {s.code for s in _systems()}, []
    for (code, attribute), trust in changes.items():
        place = f"/trust/{code}/{attribute}"
        if code not in known or attribute not in (*ATTRIBUTES, *_declared(body)) or attribute in _NEVER:
            wrong.append(
                FieldError(place, "unknown_value", f"{code} and {attribute}: there is no such system or attribute.")
            )
        elif trust is not None and not 0 <= trust <= 100:
            wrong.append(FieldError(place, "out_of_range", "Trust is a whole number from 0 to 100."))
    if not act.reason.strip():
        wrong.append(FieldError("/reason", "missing", "Say why."))
    if wrong:
        raise Rejected("Nothing was drafted.", wrong)
    changed = _with(body, changes)
    if changed == body:
        raise Rejected("Nothing was drafted: every number is as it was.")
    return draft(kind=KIND, body=changed, note=act.reason, act=act)


def _with(body: Mapping[str, Any], changes: Mapping[Key, int | None]) -> dict[str, Any]:
    changed = deepcopy(dict(body))
    rows: dict[str, dict[str, int]] = changed.setdefault("trust", {})
    for (code, attribute), trust in changes.items():
        own = rows.setdefault(code, {})
        own.pop(attribute, None)
        if trust is not None:
            own[attribute] = trust
    changed["trust"] = {name: row for name, row in rows.items() if row or name in body.get("trust", {})}
    return changed


def _in_force() -> tuple[dict[str, Any], int]:
    row = Policy.objects.filter(kind=KIND, state=Policy.State.ACTIVE).values_list("body", "version").first()
    return row or (shipped(KIND), 0)


def _systems() -> list[System]:
    return list(System.objects.exclude(kind=System.Kind.STEWARD).order_by("code"))


def _declared(body: Mapping[str, Any]) -> list[str]:
    """`extra.<name>` of which the policy says a trust."""
    return sorted({name for row in body.get("trust", {}).values() for name in row if name not in ATTRIBUTES})


def _matrix(body: Mapping[str, Any], version: int, systems: Sequence[System]) -> Matrix:
    trusts: Mapping[str, Mapping[str, int]] = body.get("trust", {})
    names = [name for name in (*ATTRIBUTES, *_declared(body)) if name not in _NEVER]
    rows = {name: [_trust(trusts, system, name) for system in systems] for name in names}
    return Matrix(systems, rows, version, document_hash(body))


def _trust(trusts: Mapping[str, Mapping[str, int]], system: System, attribute: str) -> Trust:
    of_kind = trusts.get(system.kind, {}).get(attribute) if system.kind != system.code else None
    inherited = system.trust if of_kind is None else of_kind
    own = trusts.get(system.code, {}).get(attribute)
    if own is not None:
        return Trust(own, Whence.OWN, inherited)
    return Trust(inherited, Whence.GENERAL if of_kind is None else Whence.KIND, inherited)


def _rest(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in body.items() if name != "trust"}
