"""Systems the hub always has, and those of the demo."""

from apps.customers.models import System

STEWARD = "steward"


def steward_system() -> System:
    """The system that carries people's pins; it has no match keys and is never matched."""
    return System.objects.get_or_create(
        code=STEWARD, defaults={"name": "Steward", "kind": System.Kind.STEWARD, "trust": 100}
    )[0]
