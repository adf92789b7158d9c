"""Words of tests that tell real servers: who is told by whom, what is there now, and the next attempts at once."""

from typing import Any

import pytest

from apps.connectors import deliver
from apps.connectors.models import Delivery
from apps.connectors.sandbox.running import Far
from tests import outward

KINDS = ("crm", "erp", "billing", "support")
CITY = {"crm": "BillingCity", "erp": "city", "billing": "address.city", "support": "city"}


class Longest:
    """Dice that always fall so that a delivery waits its longest: no attempt comes by itself while a test looks."""

    @staticmethod
    def random() -> float:
        return 1.0


def without_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is uncertain or failed waits its whole step, five seconds at the least, or until `again`."""
    monkeypatch.setattr(deliver, "random", Longest)


def source(far: Far) -> str:
    """A system that is not the target."""
    return "billing" if far.kind == "erp" else "erp"


def again() -> None:
    """The next attempts, at once."""
    outward.due_now()
    outward.settle()


def delivery() -> Delivery:
    """The one that is not at its end."""
    return Delivery.objects.exclude(state__in=("done", "superseded")).get()


def value(far: Far, name: str) -> Any:
    """What the living record there holds."""
    found: Any = next(r for r in far.records() if not r["_deleted"])
    for part in CITY[far.kind].split(".") if name == "city" else [name]:
        found = found[part]
    return found
