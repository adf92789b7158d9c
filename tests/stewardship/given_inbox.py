"""What the tests of the inbox and of the match review share: another steward, what a page said, and days to come."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone

from apps.common.act import Act
from apps.stewardship.models import Case
from tests.stewardship.given import browser, text

BEA = Act("user:bea", "looked at it")


def bea() -> Client:
    """Another steward's browser."""
    return browser("bea", roles=["steward"])


def said(answer: Any) -> str:
    """The messages of an answer."""
    return " ".join(str(m) for m in get_messages(answer.wsgi_request))


def day(days: int) -> str:
    """A day so many days from now, as a date field sends it."""
    return (timezone.localdate() + timedelta(days=days)).isoformat()


def page_of(case: Case | UUID) -> str:
    return f"/inbox/{getattr(case, 'id', case)}/"


def form(client: Client, case: Case, **changes: Any) -> dict[str, Any]:
    """What the browser sends when the bar's form is sent as it stands."""
    seen = text(client.get(page_of(case)))
    (token,) = re.findall(r'name="token" value="(\w+)"', seen)
    chosen = re.findall(r'name="customers" value="([^"]+)" form="decide"[^>]* checked', seen)
    return {"token": token, "customers": chosen, **changes}
