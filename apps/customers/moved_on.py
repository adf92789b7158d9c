"""What has become of a customer since somebody looked at it, in a sentence: for whoever comes too late with what they saw."""

from uuid import UUID

from apps.customers.models import Customer
from apps.events.models import Event

MOST_TOLD = 3
"""Versions that are told; of more the newest."""
_MOST_NAMES = 5
_WORDS = {
    "customer.created": "made",
    "customer.changed": "changed",
    "customer.merged": "merged with another",
    "customer.unmerged": "taken apart",
    "customer.retired": "merged into another",
    "customer.rekeyed": "given another key by a system",
}


def moved_on(customer: UUID, version: int, *, seen: str = "you looked at it") -> str:
    """ "" for a customer that has this version; else what has changed since, by whom, and what to do. Two queries at the most."""
    now = Customer.objects.filter(id=customer).values_list("version", flat=True).first()
    if now is None or now == version:
        return ""
    head = f"The customer has changed since {seen}: it was version {version}, it is version {now} now."
    told = Event.objects.filter(subject_id=customer, version__gt=version).order_by("-version")[:MOST_TOLD]
    steps = [_step(event) for event in reversed(told)]
    more = max(0, now - version - MOST_TOLD)
    since = f" Since then{f' ({more} before that)' if more else ''}: {'; '.join(steps)}." if steps else ""
    return f"{head}{since} Look again."


def _step(event: Event) -> str:
    names = [name.removeprefix("extra.").replace("_", " ") for name in (event.body or {}).get("attributes", ())]
    rest = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    values = f" ({', '.join(names[:_MOST_NAMES])}{rest})" if names else ""
    return f"{_WORDS.get(event.type, event.type)} by {event.actor.removeprefix('user:')}{values}"
