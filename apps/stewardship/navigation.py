"""The main navigation: which pages a user is offered, and which one is open."""

from dataclasses import dataclass
from typing import Any

from django.urls import NoReverseMatch, reverse

from apps.stewardship.permissions import may


@dataclass(frozen=True, slots=True)
class Entry:
    """One link. `key`: the letter that follows `g`; `wide`: left out of the bar at the foot of small screens."""

    label: str
    icon: str
    url: str
    key: str
    current: bool
    wide: bool = False


# (label, icon, url name, key, operation it needs, only on wide screens)
_PAGES = (
    ("Home", "house", "home", "h", "customers.read", False),
    ("Inbox", "inboxes", "inbox", "n", "doubts.read", False),
    ("Customers", "people", "customers", "c", "customers.read", False),
    ("Imports", "upload", "imports", "i", "jobs.read", False),
    ("Quarantine", "shield-exclamation", "quarantine", "q", "quarantine.read", False),
    ("Sync", "arrow-left-right", "sync", "y", "sync.read", False),
    ("Exceptions", "exclamation-triangle", "exceptions", "x", "sync.read", False),
    ("Systems", "plug", "systems", "s", "systems.read", True),
    ("API", "braces", "api_docs", "a", "customers.read", True),
    ("Admin", "person-gear", "admin:index", "m", "admin.use", True),
)


def entries(user: Any, path: str) -> list[Entry]:
    """Links this user may follow, in order; pages that this hub does not have are left out."""
    found = []
    for label, icon, name, key, operation, wide in _PAGES:
        url = _address(name) if may(user, operation) else None
        if url is not None:
            current = path == url if url == "/" else path.startswith(url)
            found.append(Entry(label, icon, url, key, current, wide))
    return found


def _address(name: str) -> str | None:
    try:
        return reverse(name)
    except NoReverseMatch:
        return None
