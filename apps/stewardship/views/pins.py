"""What a steward says of single values: pinned above every source, or ignored; with a reason, for ever or until a day."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from apps.common.act import Act
from apps.common.errors import Conflict, Erased, NotFound, Rejected
from apps.customers import queries
from apps.customers.moved_on import moved_on
from apps.customers.pins import NEVER, heed, ignore
from apps.customers.pins import pin as set_pin
from apps.customers.queries import CustomerDetail
from apps.customers.restore import Old, old_values, restore
from apps.customers.survivorship import ATTRIBUTES, PARTS
from apps.stewardship.overview import system_looks
from apps.stewardship.permissions import act_of, page, uuid_or_none
from apps.stewardship.views.inbox import morning_of, tomorrow

LONGEST = 1_000
_STALE = "The customer has changed since you opened the page; look again."
"""Where the form does not even say which version it showed."""


@page("pins.write", post="pins.write")
def pin(request: HttpRequest, id: UUID, attribute: str) -> HttpResponse:
    """One attribute: what its sources say, what is pinned; the form pins one of the values, another one, or none."""
    detail = queries.customer_detail(id)
    if attribute not in ATTRIBUTES or attribute in NEVER:
        raise Http404("There is no such attribute to pin.")
    if (
        detail.replaced and request.method != "POST"
    ):  # what was sent stays in the form, which asks to look at the successor
        messages.info(request, f"{detail.asked} was retired; it is part of this customer now.")
        return redirect("customer-pin", detail.id, attribute)
    problem, old = "", None
    try:
        old = _old(request, detail, attribute)
    except (Rejected, NotFound, Erased) as error:
        problem = error.detail
    if request.method == "POST":
        problem = problem or _write(request, detail, attribute, old)
        if not problem:
            return redirect("customer-sources", detail.id)
    context = {
        "old": old, "customer": detail, "attribute": attribute, "golden": detail.values.get(attribute), "is_list": attribute in PARTS,
        "values": _values(detail, attribute), "pinned": next((p for p in detail.pins if p.attribute == attribute), None),
        "problem": problem, "sent": request.POST, "looks": system_looks(), "tomorrow": tomorrow(),
    }  # fmt: skip
    return render(request, "stewardship/pin.html", context, status=422 if problem else 200)


def _old(request: HttpRequest, detail: CustomerDetail, attribute: str) -> Old | None:
    """The version whose value is to be kept again, if the address or the form names one. Raises as `old_values` does."""
    named = request.POST if request.method == "POST" else request.GET
    of, version = uuid_or_none(named.get("of", "")), named.get("of_version", "")
    if of is None and not version:
        return None
    if of is None or not (version.isascii() and version.isdecimal() and len(version) < 9):
        raise NotFound("There is no such version.")
    return old_values(customer=detail.id, of=of, version=int(version), attribute=attribute)


def _stale(request: HttpRequest, detail: CustomerDetail) -> str:
    """What has changed since the form was shown; "" where nothing has."""
    shown = request.POST.get("version", "")
    if shown == str(detail.version):
        return ""
    if not (shown.isascii() and shown.isdecimal() and len(shown) < 9):
        return _STALE
    return moved_on(detail.id, int(shown), seen="you opened the page") or _STALE


def _values(detail: CustomerDetail, attribute: str) -> Sequence[tuple[Any, Any]]:
    """(source, value) of every source that says something."""
    return [(s, s.canonical[attribute]) for s in detail.sources if s.canonical.get(attribute) not in (None, "", [])]


def _write(request: HttpRequest, detail: CustomerDetail, attribute: str, old: Old | None) -> str:
    """Pins what the form says; "" or what is wrong with it."""
    if stale := _stale(request, detail):
        return stale
    act = act_of(request, request.POST.get("reason", "").strip()[:500])
    try:
        said = _pin(request, detail, attribute, old, act)
    except Rejected as error:
        return " ".join(f.detail for f in error.fields) or error.detail
    except (Conflict, NotFound) as error:
        return error.detail
    messages.success(request, said)
    return ""


def _pin(request: HttpRequest, detail: CustomerDetail, attribute: str, old: Old | None, act: Act) -> str:
    """Pins, or takes the pin away; the sentence that says so. Raises as the verbs do."""
    if old is not None and request.POST.get("choice") == "old":
        restore(customer=detail.id, of=old.id, version=old.version, attribute=attribute, act=act, until=_until(request))
        return _kept(detail.id, old)
    value = _value(request, detail, attribute)
    set_pin(customer=detail.id, attribute=attribute, value=value, act=act, until=_until(request))
    return "The pin is taken away." if value is None else "The value is pinned."


def _kept(customer: UUID, old: Old) -> str:
    """What has become of it: some attributes wait for a second person."""
    held = queries.resolve(customer).customer.held
    if any(attribute in held for attribute in old.values):
        return f"The value of version {old.version} is pinned; it waits for somebody else's approval."
    return f"The value of version {old.version} is kept again."


def _until(request: HttpRequest) -> datetime | None:
    """The beginning of the day on which it runs out. Raises Rejected."""
    day = request.POST.get("until", "").strip()
    return morning_of(day) if day else None


def _value(request: HttpRequest, detail: CustomerDetail, attribute: str) -> Any:
    """None takes the pin away. Raises Rejected for a choice there is not."""
    choice = request.POST.get("choice", "")
    if choice == "none":
        return None
    if choice == "own" and attribute not in PARTS:
        own = request.POST.get("own", "").strip()
        if not own or len(own) > LONGEST:
            raise Rejected(f"Write the value, in {LONGEST:,} characters at the most.")
        return own
    record = uuid_or_none(choice)
    for source, value in _values(detail, attribute):
        if source.record == record:
            return value
    raise Rejected("Choose one of the values.")


@page("pins.write", post="pins.write")
def ignored(request: HttpRequest, id: UUID, record: UUID, attribute: str) -> HttpResponse:
    """One value of one source: the form lets it count as never sent, or count again."""
    detail = queries.customer_detail(id)
    source = next((s for s in detail.sources if s.record == record), None)
    if source is None or attribute not in ATTRIBUTES or attribute in NEVER:
        raise Http404("There is no such value.")
    value, standing = source.canonical.get(attribute), source.ignored.get(attribute)
    if value in (None, "", []):
        messages.info(request, "This source has no such value any more.")
        return redirect("customer-sources", detail.id)
    problem = (
        _ignore(request, detail, record, attribute, again=standing is not None) if request.method == "POST" else ""
    )
    if request.method == "POST" and not problem:
        return redirect("customer-sources", detail.id)
    context = {
        "customer": detail, "source": source, "attribute": attribute, "value": value, "standing": standing,
        "problem": problem, "sent": request.POST, "looks": system_looks(), "tomorrow": tomorrow(),
    }  # fmt: skip
    return render(request, "stewardship/ignore.html", context, status=422 if problem else 200)


def _ignore(request: HttpRequest, detail: CustomerDetail, record: UUID, attribute: str, *, again: bool) -> str:
    """Does what the form says; "" or what is wrong with it."""
    if stale := _stale(request, detail):
        return stale
    act = act_of(request, request.POST.get("reason", "").strip()[:500])
    try:
        if again:
            heed(customer=detail.id, record=record, attribute=attribute, act=act)
        else:
            ignore(customer=detail.id, record=record, attribute=attribute, act=act, until=_until(request))
    except Rejected as error:
        return " ".join(f.detail for f in error.fields) or error.detail
    except (Conflict, NotFound) as error:
        return error.detail
    messages.success(request, "The value counts again." if again else "The value is ignored.")
    return ""
