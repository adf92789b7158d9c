"""One box that finds customers: by any key exactly, by words, and by names that are nearly right.

Exact keys come first (e-mail, phone, identifier, any external id, customer id incl. retired ones), then customers that
hold every word, then, when few do, names that are similar. Filters only ever narrow what the text finds."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Lower

from apps.common import cursors
from apps.common.errors import Rejected
from apps.customers.canonical_contacts import email
from apps.customers.canonical_identifiers import KINDS as IDENTIFIERS
from apps.customers.canonical_identifiers import compact, identifier
from apps.customers.canonical_phones import phone
from apps.customers.models import Customer
from apps.customers.queries_narrow import Condition, Narrow, condition

LONGEST = 200
"""Characters of a search text that are looked at."""
MOST = 1_000
"""Of a text that more customers than this hold, the first found are ranked and counted: it says too little to rank the rest."""
SORTS = ("best", "name", "changed")
_SIMILAR = 100
_FEW = 20
"""Fewer hits by words than this: similar names are looked for as well."""
_LIKENESS = 0.5
_PHONE = re.compile(r"[+0-9 ().\-/]{6,30}", re.ASCII)
_MOST_HOPS = 20


@dataclass(frozen=True, slots=True)
class Hit:
    """`why`: customer id, retired id, email, phone, an identifier's type, external id, words, or similar name."""

    id: UUID
    name: str | None
    kind: str
    city: str | None
    country: str | None
    systems: Sequence[str]
    why: str
    score: float


@dataclass(frozen=True, slots=True)
class Hits:
    """`next` is the cursor of the following page, None on the last."""

    items: Sequence[Hit]
    next: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """A customer that a text finds; `why` and `score` as in Hit."""

    id: UUID
    why: str
    score: float


@dataclass(frozen=True, slots=True)
class Finds:
    """What a text finds. `more`: it finds more customers than are looked at."""

    items: list[Found]
    more: bool


def search(
    text: str,
    *,
    kind: str | None = None,
    country: str | None = None,
    system: str | None = None,
    limit: int = 50,
    after: str | None = None,
) -> Hits:
    """Active customers that `text` finds, best first; without text all, the last changed first. Eight queries at most.

    `country` is an ISO code of one of their addresses, `system` the code of a system that knows them, `after` a page's
    `next`. Raises Rejected for a cursor that is not ours."""
    narrow = Narrow.of(kind=kind, country=country, system=system)
    text = tidy(text)
    if not text:
        return browse(narrow, "changed", limit, after)
    return page(find(text, narrow).items, "best", limit, after)


def tidy(text: str) -> str:
    """A search text as it is looked at: no NUL, no half characters, not too long, single spaces."""
    return " ".join(text.replace("\x00", " ").encode("utf-8", "ignore").decode()[:LONGEST].split())


def find(text: str, narrow: Narrow, among: Finds | None = None) -> Finds:
    """Active customers that a tidied text finds and that `narrow` leaves, in no order. `among`: what the text finds by itself, where
    that is known already."""
    among = among or _find(text)
    if not narrow.chosen or not among.items:
        return among
    wanted = condition(narrow)
    if among.more:
        found = _exact(text, wanted)
        known = {f.id for f in found}
        words = _by_words(text, wanted)
        return Finds(found + [f for f in words if f.id not in known], len(words) >= MOST)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT c.id FROM customer c WHERE c.id = ANY(%s) AND {wanted.sql}",  # noqa: S608 - our own text
            ([f.id for f in among.items], *wanted.params),
        )
        left = {row[0] for row in cursor.fetchall()}
    return Finds([f for f in among.items if f.id in left], more=False)


def _find(text: str) -> Finds:
    everybody = Condition("c.active", ())
    found = _exact(text, everybody)
    known = {f.id for f in found}
    words = _by_words(text, everybody)
    found += [f for f in words if f.id not in known]
    if len(found) < _FEW and not (known and len(found) == len(known)):
        known = {f.id for f in found}
        found += [f for f in _by_likeness(text, everybody) if f.id not in known]
    return Finds(found, len(words) >= MOST)


# ── pages ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def page(found: Sequence[Found], sort: str, limit: int, after: str | None) -> Hits:
    """A page of what a text found: best first, by name (who has none comes last), or the last changed first. Raises Rejected for a
    cursor that is not ours."""
    key = _order(found, sort)
    placed = sorted(found, key=lambda f: key(f.id, f.score))
    if after is not None and sort == "best":
        score, id_ = cursors.decode(after, float, str)
        placed = [f for f in placed if (-f.score, str(f.id)) > (-score, id_)]
    elif after is not None:
        last = cursors.decode_uuid(after)
        at = next((n for n, f in enumerate(placed) if f.id == last), None)
        if at is None:  # it is not found any more: where it stood is not known
            raise Rejected("The list has changed; begin again.")
        placed = placed[at + 1 :]
    shown = placed[:limit]
    if len(placed) <= limit:
        return Hits(hits(shown), None)
    last_shown = shown[-1]
    parts = (last_shown.score, str(last_shown.id)) if sort == "best" else (str(last_shown.id),)
    return Hits(hits(shown), cursors.encode(parts))


def _order(found: Sequence[Found], sort: str) -> Callable[[UUID, float], tuple[Any, ...]]:
    if sort == "best":
        return lambda id_, score: (-score, str(id_))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, lower(name), extract(epoch FROM updated_at) FROM customer WHERE id = ANY(%s)",
            ([f.id for f in found],),
        )
        told = {row[0]: row[1:] for row in cursor.fetchall()}
    if sort == "name":
        return lambda id_, _: (told[id_][0] is None, told[id_][0] or "", id_)
    return lambda id_, _: (-told[id_][1], id_)


_BY_NAME = "(c.name IS NULL), coalesce(lower(c.name), ''), c.id"
ORDERS = {
    "changed": ("c.updated_at DESC, c.id DESC", "(c.updated_at, c.id) < (%s::timestamptz, %s::uuid)"),
    "name": (_BY_NAME, f"({_BY_NAME}) > (%s::boolean, %s::text, %s::uuid)"),
}


def browse(narrow: Narrow, sort: str, limit: int, after: str | None) -> Hits:
    """A page of all active customers that `narrow` leaves: by name, or the last changed first. Raises Rejected for a cursor that is
    not ours."""
    sort = sort if sort in ORDERS else "changed"
    order, beyond = ORDERS[sort]
    wanted = condition(narrow)
    sql, params = wanted.sql, list(wanted.params)
    if after is not None:
        sql += f" AND {beyond}"
        params += _place(after) if sort == "changed" else _place_by_name(after)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT c.id, c.updated_at::text FROM customer c WHERE {sql} ORDER BY {order} LIMIT {int(limit) + 1}",  # noqa: S608 - our own text
            params,
        )
        rows = cursor.fetchall()
    more = None
    if len(rows) > limit:
        id_, moment = rows[limit - 1]
        more = cursors.encode((moment, str(id_)) if sort == "changed" else (str(id_),))
    return Hits(hits([Found(id_, "", 0.0) for id_, _ in rows[:limit]]), more)


def _place_by_name(after: str) -> tuple[bool, str, UUID]:
    """A long name does not fit into a cursor: it carries the id, and the name is as it stands now."""
    id_ = cursors.decode_uuid(after)
    name = Customer.objects.filter(id=id_).values_list("name", Lower("name")).first()
    if name is None:
        raise Rejected("The cursor is not one this list gave out.")
    return name[0] is None, name[1] or "", id_


def _place(after: str) -> tuple[str, str]:
    moment, id_ = cursors.decode(after, str, str)
    if not re.fullmatch(r"[0-9:. +\-]{10,40}", moment) or not re.fullmatch(r"[0-9a-f-]{36}", id_):
        cursors.decode("!")
    return moment, id_


def _exact(text: str, narrow: Condition) -> list[Found]:
    """Customers that hold the text as a key of any kind."""
    keys = _keys(text)
    found = _by_id(text, narrow)
    if not keys:
        return found
    kinds, values = (list(column) for column in zip(*keys, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT ON (c.id) c.id, k.kind"  # noqa: S608 - our own text
            " FROM unnest(%s::text[], %s::text[]) AS w(kind, value)"
            " JOIN lookup_key k ON k.kind = w.kind AND k.value = w.value JOIN customer c ON c.id = k.customer_id"
            f" WHERE {narrow.sql} ORDER BY c.id, k.kind LIMIT %s",
            (kinds, values, *narrow.params, MOST),
        )
        found += [Found(id_, "external id" if kind == "external" else kind, 3.0) for id_, kind in cursor.fetchall()]
    return found


def _by_id(text: str, narrow: Condition) -> list[Found]:
    try:
        asked = current = UUID(text)
    except ValueError:
        return []
    for _ in range(_MOST_HOPS):
        row = Customer.objects.filter(id=current).values_list("active", "replaced_by").first()
        if row is None or (not row[0] and row[1] is None):
            return []
        if row[0]:
            break
        current = row[1] or asked
    with connection.cursor() as cursor:
        of_id = f"SELECT c.id FROM customer c WHERE c.id = %s AND {narrow.sql}"  # noqa: S608 - our own text
        cursor.execute(of_id, (current, *narrow.params))
        return [Found(id_, "customer id" if id_ == asked else "retired id", 4.0) for (id_,) in cursor.fetchall()]


def _keys(text: str) -> list[tuple[str, str]]:
    """(kind, value) of every look-up key the text may be."""
    keys = [("external", f"{code}:{text}") for code in _system_codes()]
    if ":" in text:
        code, _, id_ = text.partition(":")
        keys.append(("external", f"{code.strip().lower()}:{id_.strip()}"))
    if "@" in text:
        keys.append(("email", email(text)[0]))
    if _PHONE.fullmatch(text):
        keys += [("phone", number) for number in _phone_numbers(text)]
    bare = compact(text)
    if 4 < len(bare) < 65 and any(c.isdigit() for c in bare):
        keys += [(kind, bare) for kind in IDENTIFIERS]
        tax = identifier("tax_id", text, None)
        if tax is not None:
            keys.append(("tax_id", tax.value))
    return list(dict.fromkeys(keys))


def _system_codes() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT code FROM system")
        return [row[0] for row in cursor.fetchall()]


def _phone_numbers(text: str) -> set[str]:
    """The number in E.164. One written the national way could be of any country: one probe of the index for each."""
    digits = re.sub(r"\D", "", text)
    if len(digits) < 6:
        return set()
    if text.lstrip().startswith(("+", "00")):
        return {phone(text, None).value, digits}
    return {digits} | {
        f"+{code}{number}" for code in _calling_codes() for number in {digits, digits.lstrip("0")} if number
    }


@cache
def _calling_codes() -> tuple[int, ...]:
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    return tuple(COUNTRY_CODE_TO_REGION_CODE)


# The last word is quoted after its accents are gone: only then is a typographic apostrophe a plain one.
_HOLDS = (
    "d.document @@ (plainto_tsquery('simple', unaccent(%s)) && (plainto_tsquery('simple', unaccent(%s)) || to_tsquery('simple',"
    r" '''' || replace(replace(unaccent(%s), '\', '\\'), '''', '''''') || '''' || %s)))"
)


def holding(text: str) -> Condition:
    """Rows of the search table, called `d`, that hold every word of a tidied text, the last one perhaps only begun (one letter begins
    too many)."""
    head, _, last = text.rpartition(" ")
    return Condition(_HOLDS, (head, last, last, ":*" if len(last) > 1 else ""))


def _by_words(text: str, narrow: Condition) -> list[Found]:
    held = holding(text)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT x.customer_id, similarity(x.names, lower(unaccent(%s))) FROM (SELECT d.customer_id, d.names"  # noqa: S608 - our own text
            " FROM customer_search d JOIN customer c ON c.id = d.customer_id"
            f" WHERE {held.sql} AND {narrow.sql} LIMIT %s) x",
            (text, *held.params, *narrow.params, MOST),
        )
        return [Found(id_, "words", 1.0 + float(score)) for id_, score in cursor.fetchall()]


@transaction.atomic
def _by_likeness(text: str, narrow: Condition) -> list[Found]:
    """Customers with a name that holds something like the text."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('pg_trgm.word_similarity_threshold', %s, true), lower(unaccent(%s))",
            (str(_LIKENESS), text),
        )
        folded = cursor.fetchone()[1]
        cursor.execute(
            "SELECT d.customer_id, word_similarity(%s, d.names) AS score"  # noqa: S608 - our own text
            " FROM customer_search d"
            " JOIN customer c ON c.id = d.customer_id"
            f" WHERE %s <%% d.names AND {narrow.sql} ORDER BY score DESC, d.customer_id LIMIT %s",
            (folded, folded, *narrow.params, _SIMILAR),
        )
        return [Found(id_, "similar name", float(score)) for id_, score in cursor.fetchall()]


def hits(page: Sequence[Found]) -> list[Hit]:
    """What a list shows of each customer: one query a page."""
    if not page:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.id, c.name, c.kind, c.addresses->0->>'city', c.addresses->0->>'country',"
            " ARRAY(SELECT DISTINCT y.code FROM source_record s JOIN system y ON y.id = s.system_id"
            " WHERE s.customer_id = c.id AND y.kind <> 'steward' ORDER BY 1) FROM customer c WHERE c.id = ANY(%s)",
            ([f.id for f in page],),
        )
        rows = {row[0]: row for row in cursor.fetchall()}
    return [_hit(rows[f.id], f) for f in page if f.id in rows]


def _hit(row: tuple[Any, ...], found: Found) -> Hit:
    id_, name, kind, city, country, systems = row
    return Hit(id_, name, kind, city, country, systems, found.why, found.score)
