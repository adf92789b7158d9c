"""Notes on a customer's page: one form to write, one to remove. Both are plain posts that lead back to the page."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url

from apps.common.errors import Conflict, Rejected
from apps.common.ids import uuid7
from apps.customers import queries
from apps.customers.queries import CustomerDetail
from apps.stewardship import notes
from apps.stewardship.permissions import act_of, page, uuid_or_none
from apps.stewardship.views.customer import overview_page, removes_any_note


@page("customers.read", post="merges.write")
def write(request: HttpRequest, id: UUID) -> HttpResponse:
    """Adds a note to the id in the address, also when that has become part of another customer since the form was opened."""
    detail = queries.customer_detail(id)
    if request.method != "POST":
        return _to_notes(detail.id)
    body = request.POST.get("body", "")
    token = uuid_or_none(request.POST.get("token", "")) or uuid7()
    try:
        notes.add(id=token, customer=detail.asked, body=body, act=act_of(request, ""))
    except (Rejected, Conflict) as error:
        typed = {"body": body, "problem": error.detail}
        return overview_page(request, queries.customer_detail(detail.id), note=typed, status=422)
    if detail.replaced:
        messages.info(request, f"{detail.asked} has become part of this customer; the note stands here.")
    messages.success(request, "The note is added.")
    return _to_notes(detail.id)


@page("customers.read", post_only=True)
def remove(request: HttpRequest, id: UUID, note: UUID) -> HttpResponse:
    """Takes a note out of sight: its author, who decides about others' changes, and who administers people may."""
    detail = queries.customer_detail(id)
    found = notes.note(note, _ids(detail))
    act = act_of(request, request.POST.get("reason", ""))
    if found.author != act.actor and not removes_any_note(request.user):
        return render(request, "403.html", status=403)
    try:
        notes.remove(id=found.id, act=act)
    except (Rejected, Conflict) as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, "The note is removed. That it was there stays in the history.")
    return _to_notes(detail.id)


def _ids(detail: CustomerDetail) -> list[UUID]:
    return [detail.id, *detail.redirects]


def _to_notes(customer: UUID) -> HttpResponse:
    return redirect(f"{resolve_url('customer', customer)}#notes")
