"""Notes of people on customers: written once, removed with a reason, and shown wherever the id they hang on belongs today."""

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.common.act import Act
from apps.common.errors import Conflict, FieldError, NotFound, Rejected
from apps.customers.models import Customer
from apps.stewardship.models import Note

MOST_SHOWN = 50
"""Notes on the page of a customer; older ones are in its history."""
LONGEST_REASON = 500


class Shown(NamedTuple):
    """A note that was not removed; `customer`: the id it was written to."""

    id: UUID
    customer: UUID
    body: str
    author: str
    written_at: datetime


def of(ids: Iterable[UUID]) -> Sequence[Shown]:
    """The notes of a customer, the newest first, MOST_SHOWN of them: one query. `ids`: its own and those that lead to it."""
    rows = _standing(ids).order_by("-written_at", "-id")
    return [Shown(*row) for row in rows.values_list(*Shown._fields)[:MOST_SHOWN]]


def count(ids: Iterable[UUID]) -> int:
    """How many there are: one query."""
    return _standing(ids).count()


def _standing(ids: Iterable[UUID]) -> QuerySet[Note]:
    return Note.objects.filter(customer__in=list(ids), removed_at=None)


def readable(text: str, field: str, longest: int, what: str) -> str:
    """`text` with plain line ends and nothing around it. Raises Rejected: empty, too long, or with characters that no column can hold
    or no person can see (controls other than line breaks and tabs, halves of a pair). Marks of direction are taken: they are spelling
    in some scripts, and are shown as what they are."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not plain:
        raise Rejected(what, [FieldError(field, "missing", what)])
    if len(plain) > longest:
        said = f"{len(plain):,} characters are too many: {longest:,} at the most."
        raise Rejected(said, [FieldError(field, "too_long", said)])
    strange = sorted({c for c in plain if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"})
    if strange:
        said = f"It has characters that cannot be kept: {', '.join(f'U+{ord(c):04X}' for c in strange[:5])}."
        raise Rejected(said, [FieldError(field, "bad_character", said)])
    return plain


@transaction.atomic
def add(*, id: UUID, customer: UUID, body: str, act: Act) -> Note:
    """Writes a note; with an `id` that this author has written the same note under already, that one is returned.

    Raises NotFound (no such customer), Rejected (see `readable`), Conflict (another note has this id)."""
    text = readable(body, "/body", Note.LONGEST, "Write something.")
    if not Customer.objects.filter(id=customer).exists():
        raise NotFound("There is no such customer.")
    fresh = {"customer_id": customer, "body": text, "author": act.actor, "written_at": timezone.now()}
    note, _ = Note.objects.get_or_create(id=id, defaults=fresh)
    if (note.customer_id, note.body, note.author) != (customer, text, act.actor):
        raise Conflict("This form has been sent before, with another text; send it again if this is a second note.")
    return note


def note(id: UUID, ids: Iterable[UUID]) -> Note:
    """A note that hangs on one of these ids, removed or not. Raises NotFound."""
    found = Note.objects.filter(id=id, customer__in=list(ids)).first()
    if found is None:
        raise NotFound("There is no such note.")
    return found


@transaction.atomic
def remove(*, id: UUID, act: Act) -> Note:
    """Takes a note out of sight; that there was one, who removed it and why stays in the history.

    Raises NotFound, Rejected (no reason), Conflict (somebody has removed it already)."""
    why = readable(act.reason, "/reason", LONGEST_REASON, "Say why it is removed.")
    found = Note.objects.select_for_update().filter(id=id).first()
    if found is None:
        raise NotFound("There is no such note.")
    if found.removed_at is not None:
        raise Conflict(f"It was removed already by {found.removed_by.removeprefix('user:')}.")
    found.removed_at, found.removed_by, found.removed_why = timezone.now(), act.actor, why
    found.save(update_fields=("removed_at", "removed_by", "removed_why"))
    return found
