"""One box that finds customers: by any key exactly, by words, and by names that are nearly right.

Exact keys come first (e-mail, phone, identifier, any external id, customer id incl. retired ones), then customers that
hold every word, then, when few do, names that are similar."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from apps.common import cursors
from apps.customers.canonical_contacts import email
from apps.customers.canonical_identifiers import KINDS as IDENTIFIERS
from apps.customers.canonical_identifiers import compact, identifier
from apps.customers.canonical_phones import phone
from apps.customers.models import Customer

LONGEST = 200
"""Characters of a search text that are looked at."""
_CANDIDATES = 500
"""Of a text that more customers than this hold, the first found are ranked: it says too little to rank the rest."""
_SIMILAR = 100
_FEW = 20
"""Fewer hits by words than this: similar names are looked for as well."""
_LIKENESS = 0.5
_COUNTRY = re.compile(r"[A-Za-z]{2}")
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
class _Filter:
    """SQL that narrows customers `c`, and its parameters."""

    sql: str
    params: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    id: UUID
    why: str
    score: float


def search(
    text: str,
    *,
    kind: str | None = None,
    country: str | None = None,
    system: str | None = None,
    limit: int = 50,
    after: str | None = None,
) -> Hits:
    """Active customers that `text` finds, best first; without text all, the last changed first. Seven queries at most.

    `country` is an ISO code of one of their addresses, `system` the code of a system that knows them, `after` a page's
    `next`. Raises Rejected for a cursor that is not ours."""
    text = " ".join(text.replace("\x00", " ").encode("utf-8", "ignore").decode()[:LONGEST].split())
    narrow = _filter(kind, country, system)
    if not text:
        return _browse(narrow, limit, after)
    found = _exact(text, narrow)
    known = {f.id for f in found}
    words = [f for f in _by_words(text, narrow) if f.id not in known]
    found += words
    if len(found) < _FEW and not (known and not words):
        known |= {f.id for f in words}
        found += [f for f in _by_likeness(text, narrow) if f.id not in known]
    found.sort(key=lambda f: (-f.score, f.id))
    if after is not None:
        score, id_ = cursors.decode(after, float, str)
        found = [f for f in found if (-f.score, str(f.id)) > (-score, id_)]
    page = found[:limit]
    more = cursors.encode((page[-1].score, str(page[-1].id))) if len(found) > limit else None
    return Hits(_hits(page), more)


def _filter(kind: str | None, country: str | None, system: str | None) -> _Filter:
    """What narrows stands in the text as far as it can, so that the planner knows how many it leaves: a country or a
    system with few customers is found from their side, one with many by going through the last changed."""
    parts, params = ["c.active"], []
    if kind:
        parts.append("c.kind = %s")
        params.append(kind)
    if country:
        parts += _in_country(country.upper()) if _COUNTRY.fullmatch(country) else ["false"]
    if system:
        of_system = f"s.customer_id = c.id AND s.system_id = {_system_id(system)}"
        parts.append(f"EXISTS (SELECT 1 FROM source_record s WHERE {of_system})")  # noqa: S608 - a number of our own
    return _Filter(" AND ".join(parts), tuple(params))


def _in_country(code: str) -> list[str]:
    """The addresses decide. The search text names their countries too, and has an index."""
    named = f"n.customer_id = c.id AND n.document @@ plainto_tsquery('simple', '{code}')"
    return [
        f"""jsonb_path_exists(c.addresses, '$[*] ? (@.country == "{code}")')""",
        f"EXISTS (SELECT 1 FROM customer_search n WHERE {named})",  # noqa: S608 - two letters
    ]


def _system_id(code: str) -> int:
    """0, which no system has, for a code that is none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM system WHERE code = %s", (code,))
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def _browse(narrow: _Filter, limit: int, after: str | None) -> Hits:
    since, params = "", list(narrow.params)
    if after is not None:
        since = " AND (c.updated_at, c.id) < (%s::timestamptz, %s::uuid)"
        params += _place(after)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT c.id, c.updated_at::text FROM customer c WHERE {narrow.sql}{since}"  # noqa: S608 - our own text
            f" ORDER BY c.updated_at DESC, c.id DESC LIMIT {int(limit) + 1}",
            params,
        )
        rows = cursor.fetchall()
    more = cursors.encode((rows[limit - 1][1], str(rows[limit - 1][0]))) if len(rows) > limit else None
    return Hits(_hits([_Found(id_, "", 0.0) for id_, _ in rows[:limit]]), more)


def _place(after: str) -> tuple[str, str]:
    moment, id_ = cursors.decode(after, str, str)
    if not re.fullmatch(r"[0-9:. +\-]{10,40}", moment) or not re.fullmatch(r"[0-9a-f-]{36}", id_):
        cursors.decode("!")
    return moment, id_


def _exact(text: str, narrow: _Filter) -> list[_Found]:
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
            (kinds, values, *narrow.params, _CANDIDATES),
        )
        found += [_Found(id_, "external id" if kind == "external" else kind, 3.0) for id_, kind in cursor.fetchall()]
    return found


def _by_id(text: str, narrow: _Filter) -> list[_Found]:
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
        return [_Found(id_, "customer id" if id_ == asked else "retired id", 4.0) for (id_,) in cursor.fetchall()]


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
_WORDS = (
    "SELECT x.customer_id, similarity(x.names, lower(unaccent(%s))) FROM (SELECT d.customer_id, d.names"
    " FROM customer_search d JOIN customer c ON c.id = d.customer_id WHERE d.document @@"
    " (plainto_tsquery('simple', unaccent(%s)) && (plainto_tsquery('simple', unaccent(%s)) || to_tsquery('simple',"
    r" '''' || replace(replace(unaccent(%s), '\', '\\'), '''', '''''') || '''' || %s))) AND {narrow} LIMIT %s) x"
)


def _by_words(text: str, narrow: _Filter) -> list[_Found]:
    """Customers whose search text holds every word, the last one perhaps only begun (one letter begins too many)."""
    head, _, last = text.rpartition(" ")
    begun = ":*" if len(last) > 1 else ""
    with connection.cursor() as cursor:
        cursor.execute(_WORDS.format(narrow=narrow.sql), (text, head, last, last, begun, *narrow.params, _CANDIDATES))
        return [_Found(id_, "words", 1.0 + float(score)) for id_, score in cursor.fetchall()]


@transaction.atomic
def _by_likeness(text: str, narrow: _Filter) -> list[_Found]:
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
        return [_Found(id_, "similar name", float(score)) for id_, score in cursor.fetchall()]


def _hits(page: Sequence[_Found]) -> list[Hit]:
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


def _hit(row: tuple[Any, ...], found: _Found) -> Hit:
    id_, name, kind, city, country, systems = row
    return Hit(id_, name, kind, city, country, systems, found.why, found.score)
