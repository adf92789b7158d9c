"""Who may do what: one table for the API, the pages and the admin. What is not in it is not allowed.

A person may do what one of their roles may. A machine (role `service`) may do what its token's scopes name. A scope
never gives more than the role, a role never more than the scope."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from apps.accounts.models import User

ROLES: Final = ("viewer", "steward", "approver", "integrator", "admin", "service")
PEOPLE: Final = ROLES[:-1]


@dataclass(frozen=True, slots=True)
class Operation:
    """`roles` that may do it; `scope` that a token needs for it, "" where no machine may; `meaning` for people."""

    meaning: str
    roles: frozenset[str]
    scope: str = ""


def _may(meaning: str, *roles: str, scope: str = "") -> Operation:
    return Operation(meaning, frozenset((*roles, "service") if scope else roles), scope)


OPERATIONS: Final[Mapping[str, Operation]] = {
    "customers.read": _may("Search and read customers, their history and lineage", *PEOPLE, scope="customers:read"),
    "customers.match": _may(
        "Ask which customers a record may be", "steward", "approver", "integrator", "admin", scope="customers:match"
    ),
    "sources.read": _may(
        "Read what each system sent, as received", "steward", "approver", "integrator", "admin", scope="sources:read"
    ),
    "sources.write": _may("Send and delete source records", "integrator", "admin", scope="sources:write"),
    "changes.read": _may("Read the change feed", "integrator", "admin", scope="changes:read"),
    "jobs.read": _may("See runs and their progress", "steward", "approver", "integrator", "admin", scope="jobs:read"),
    "jobs.cancel": _may("Stop a run", "integrator", "admin", scope="sources:write"),
    "quarantine.read": _may(
        "See records set aside", "steward", "approver", "integrator", "admin", scope="quarantine:write"
    ),
    "quarantine.write": _may(
        "Mend, resubmit or discard records set aside", "steward", "integrator", "admin", scope="quarantine:write"
    ),
    "merges.write": _may("Merge and unmerge customers, judge pairs", "steward", "approver", scope="merges:write"),
    "hooks.receive": _may("Deliver a webhook: the signature is the login, no role gives it"),
    "systems.read": _may("List the systems", *PEOPLE, scope="systems:read"),
    "doubts.read": _may("See pairs the machine would not decide", "viewer", "steward", "approver", "admin"),
    "pins.write": _may("Set and lift a value above all sources", "steward", "approver"),
    "changes.decide": _may("Approve or reject a change somebody else proposed", "approver"),
    "imports.run": _may("Upload a file, map its columns, run it", "integrator", "admin"),
    "systems.write": _may("Set up systems, connections and mappings", "integrator", "admin"),
    "sync.read": _may("See targets, what they are told, and what failed", *PEOPLE, scope="sync:read"),
    "sync.write": _may("Retry, edit, discard and replay what failed", "steward", "integrator", scope="sync:write"),
    "connections.write": _may(
        "Set up targets, pause and resume them, plan again, ask to go live",
        "integrator",
        "admin",
        scope="connections:write",
    ),
    "connections.approve": _may("Let the hub write to a target somebody else asked for", "approver", "admin"),
    "outbound.stop": _may("Stop everything that leaves the hub, and start it again", "integrator", "approver", "admin"),
    "policies.write": _may("Write a draft of a policy", "integrator", "approver", "admin"),
    "policies.activate": _may("Put another person's policy into force", "approver", "admin"),
    "users.write": _may("Create people and give them roles", "admin"),
    "admin.use": _may("Enter the administration pages", "admin"),
}
SCOPES: Final = tuple(sorted({o.scope for o in OPERATIONS.values() if o.scope}))


def allowed(roles: Iterable[str], operation: str, scopes: Iterable[str] | None = None) -> bool:
    """Whether somebody with `roles` may do `operation`; `scopes` are those of the token, None for a person's session.

    The role `service` alone, without a token, opens nothing."""
    known = OPERATIONS.get(operation)
    if known is None:
        return False
    held = set(roles)
    if scopes is None:
        return bool(known.roles & (held - {"service"}))
    return bool(known.roles & held) and known.scope != "" and known.scope in scopes


def may(user: "User", operation: str) -> bool:
    """Whether a logged-in person may do `operation`: the question every page asks."""
    return user.is_active and allowed(user.roles, operation)


def may_write_system(user: "User", code: str) -> bool:
    """Whether this user may write records of the system `code`: all, unless the account names some."""
    return not user.systems or code in user.systems
