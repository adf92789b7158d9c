"""Reading what callers send as source records: which system, which records, and what in them nobody knows."""

from collections.abc import Sequence
from typing import Any

from apps.accounts.models import User
from apps.accounts.roles import may_write_system
from apps.common.api.problems import MOST_ERRORS, Fault, Problem, bad_field, bad_parameter
from apps.common.pointers import shown
from apps.common.rows import first
from apps.connectors import models as tables
from apps.connectors.mapping import Mapping
from apps.customers import canonical
from apps.customers.canonical import Problem as RecordProblem
from apps.customers.models import System

MOST_KEYS = 100_000
"""Keys of one body of records; the bytes are bounded as well."""
_ENVELOPE = {"system", "records"}


def listed(body: Any) -> tuple[list[Any], bool]:
    """The records of a body, and whether they stood in a list: {"records": […]} or one record alone."""
    if not isinstance(body, dict):
        raise bad_field("", "wrong_type", 'Send {"records": […]} or one record as an object.')
    if "records" not in body:
        record = {k: v for k, v in body.items() if k != "system"}
        if not record:
            raise bad_field("", "missing", 'Send {"records": […]} or one record as an object.')
        return [record], False
    unknown = sorted(set(body) - _ENVELOPE)
    if unknown:
        raise bad_field(f"/{unknown[0]}", "unknown_field", f"{shown(unknown[0])} has no place beside records.")
    records = body["records"]
    if not isinstance(records, list) or not records:
        raise bad_field("/records", "wrong_type", "records is a list of one record or more.")
    return records, True


def system_of(body: Any, asked: str | None, user: User) -> System:
    """The system the records are of: ?system= or "system" in the body. Raises a problem when missing, unknown,
    not active,
    or not for this caller."""
    inside = body.get("system") if isinstance(body, dict) else None
    if inside is not None and not isinstance(inside, str):
        raise bad_field("/system", "wrong_type", "system is the code of a system.")
    if asked and inside and asked != inside:
        raise bad_field("/system", "contradiction", f"The address says {shown(asked)}, the body {shown(inside)}.")
    code = asked or inside
    if not code:
        raise bad_parameter("system", "missing", "Say which system sends this: ?system=CODE.")
    return writable_system(code, user)


def writable_system(code: str, user: User) -> System:
    """An active system this caller may write; one that is not for them is forbidden whether it exists or not."""
    if not may_write_system(user, code):
        raise Problem("forbidden", f"This client may not write the system {shown(code)}.")
    system = first(System, "code = %s", code) if "\x00" not in code else None
    if system is None or system.kind == System.Kind.STEWARD:
        raise Problem("not-found", f"There is no system {shown(code)}.")
    if not system.is_active:
        raise Problem("conflict", f"The system {shown(code)} is switched off.")
    return system


def latest_mapping(system: System, name: str | None) -> tables.Mapping | None:
    """The newest version of a system's mapping; None without a name. Raises a problem for one that is not there."""
    if not name:
        return None
    found = tables.Mapping.objects.filter(system=system, name=name).order_by("-version").first()
    if found is None:
        raise bad_parameter("mapping", "unknown_value", f"{system.code} has no mapping {shown(name)}.")
    return found


def refuse_unknown(records: Sequence[Any], *, in_list: bool, patch: bool, mapping: Mapping | None) -> None:
    """400 for the whole call when any record has fields that neither the canon nor the mapping knows; nothing is
    stored."""
    faults: list[Fault] = []
    for at, record in enumerate(records):
        if isinstance(record, dict):
            place = f"/records/{at}" if in_list else ""
            unknown = _unknown(record, mapping, patch=patch)
            faults += [Fault(p.code, p.detail, pointer=f"{place}{p.pointer}") for p in unknown]
    if faults:
        more = f" The first {MOST_ERRORS} are listed." if len(faults) > MOST_ERRORS else ""
        raise Problem(
            "bad-request",
            f"{len(faults)} unknown fields; nothing was stored.{more} Send ?unknown=keep to keep them.",
            faults,
        )


def _unknown(record: dict[str, Any], mapping: Mapping | None, *, patch: bool) -> Sequence[RecordProblem]:
    values, rest = mapping.apply(record) if mapping else (record, {})
    parsed = canonical.parse(values, patch=patch, declared_extra=mapping.extra if mapping else {})
    parsed.unknown.update(rest)
    return canonical.unknown_field_problems(parsed)
