"""Views that people keep: the filter of a page under a name of their own."""

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.http import QueryDict
from django.urls import reverse
from django.utils.http import urlencode

from apps.accounts.models import User
from apps.common.errors import FieldError, NotFound, Rejected
from apps.stewardship.models import SavedView

MOST = 30
"""Views of one page that one person keeps."""
_NEVER = frozenset({"skip", "cursor", "after"})
"""Where in a list somebody was is no part of a view."""


def views_of(owner: User, page: str) -> Sequence[SavedView]:
    """By name."""
    return list(SavedView.objects.filter(owner=owner, page=page).order_by("name"))


def address(view: SavedView) -> str:
    return f"{reverse(view.page)}?{view.query}"


@transaction.atomic
def keep(*, owner: User, page: str, name: str, query: str) -> SavedView:
    """A view; one of the same name is replaced. Raises Rejected: no such page, no name, too long, too many."""
    name = " ".join(name.split())
    if page not in SavedView.Page.values:
        raise Rejected("This page keeps no views.")
    if not name.isprintable() or not 0 < len(name) <= 60:
        sentence = "Give it a name of 1 to 60 characters."
        raise Rejected(sentence, [FieldError("/name", "missing", sentence)])
    told = plain(query)
    if len(told) > 2_000:
        raise Rejected("This filter is too long to be kept.")
    others = SavedView.objects.select_for_update().filter(owner=owner, page=page).exclude(name=name)
    if len(others) >= MOST:
        raise Rejected(f"You keep {MOST} views of this page already; take one away first.")
    return SavedView.objects.update_or_create(owner=owner, page=page, name=name, defaults={"query": told})[0]


def forget(*, owner: User, view: UUID) -> SavedView:
    """Takes a view away. Raises NotFound: not theirs, or gone."""
    row = SavedView.objects.filter(owner=owner, id=view).first()
    if row is None:
        raise NotFound("There is no such view of yours.")
    SavedView.objects.filter(id=row.id).delete()
    return row


def plain(query: str) -> str:
    """A filter as it is kept: without empty parts and without the place in the list."""
    found = QueryDict(query.removeprefix("?").replace("\0", "")[:8_000])
    return urlencode([(k, v) for k, values in found.lists() if k not in _NEVER for v in values if v])
