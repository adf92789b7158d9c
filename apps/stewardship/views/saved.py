"""Views that people keep, kept and taken away from the page they are of."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from apps.accounts.models import User
from apps.common.errors import NotFound, Rejected
from apps.stewardship import saved
from apps.stewardship.models import SavedView
from apps.stewardship.permissions import page, uuid_or_none


def _owner(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # the guard of the page has let nobody else in
    return request.user


@page("customers.read", post_only=True)
def keep(request: HttpRequest) -> HttpResponse:
    """Keeps the filter that was sent, and stays with it."""
    name, query = request.POST.get("page", ""), request.POST.get("query", "")
    if name not in SavedView.Page.values:
        raise NotFound("This page keeps no views.")
    try:
        kept = saved.keep(owner=_owner(request), page=name, name=request.POST.get("name", ""), query=query)
        messages.success(request, f"Kept as {kept.name}.")
    except Rejected as error:
        messages.error(request, error.detail)
    return redirect(f"{reverse(name)}?{saved.plain(query)}")


@page("customers.read", post_only=True)
def forget(request: HttpRequest) -> HttpResponse:
    """Takes a view away."""
    view = uuid_or_none(request.POST.get("view", ""))
    if view is None:
        raise NotFound("There is no such view of yours.")
    gone = saved.forget(owner=_owner(request), view=view)
    messages.success(request, f"{gone.name} is taken away.")
    return redirect(gone.page)
