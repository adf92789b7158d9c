"""Search: one box that finds customers, with facets, an order, pages, and an address for every view of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse

from apps.common.errors import Rejected
from apps.customers import queries_facets
from apps.customers.canonical_values import STATUSES
from apps.customers.models import System
from apps.customers.queries_narrow import FACETS, NONE, QUALITY, RECORDS, Narrow
from apps.customers.queries_search import tidy
from apps.stewardship import wording
from apps.stewardship.overview import WAITING
from apps.stewardship.permissions import may, page

PAGE = 25
SHOWN = 10
"""Values of a facet that are shown at once; the others are folded away."""
MOST_CHOSEN = 20
_KINDS: Final = {"person": "Persons", "organization": "Organisations"}
_RECORDS: Final = {"1": "One record", "2": "Two records", "3": "Three or more"}
_QUALITY: Final = {"unreachable": "No way to reach them", "wrong": "A value is known to be wrong"}
_TITLES: Final = {
    "kind": "Kind", "country": "Country", "status": "Status", "system": "Known in", "records": "Number of records",
    "waits": "Work", "quality": "Data quality",
}  # fmt: skip
_ORDERS: Final = {"best": "best hit", "name": "name", "changed": "changed last"}


@dataclass(frozen=True, slots=True)
class Option:
    """One value of a facet: `address` takes it in, or takes it away where it is chosen."""

    value: str
    label: str
    count: int
    chosen: bool
    address: str


@dataclass(frozen=True, slots=True)
class Facet:
    """A facet with the values worth showing, the chosen and the frequent first."""

    name: str
    title: str
    options: Sequence[Option]
    folded: Sequence[Option]


def asked_for(query: QueryDict, systems: Sequence[System]) -> dict[str, list[str]]:
    """What facets an address chooses; values that are none of their facet are left out."""
    known: dict[str, Callable[[str], bool]] = {
        "kind": _KINDS.__contains__,
        "country": lambda v: v == NONE or v in dict(wording.countries()),
        "status": lambda v: v == NONE or v in STATUSES,
        "system": {s.code for s in systems}.__contains__,
        "records": RECORDS.__contains__,
        "waits": "yes".__eq__,
        "quality": QUALITY.__contains__,
    }
    told = {name: [_written(name, v) for v in query.getlist(name)[:MOST_CHOSEN]] for name in FACETS}
    found = {name: list(dict.fromkeys(v for v in told[name] if known[name](v))) for name in FACETS}
    return {name: values for name, values in found.items() if values}


def _written(name: str, value: str) -> str:
    value = value.strip()
    return value.upper() if name == "country" and value != NONE else value


def address(text: str, chosen: Mapping[str, Sequence[str]], sort: str = "") -> str:
    """The query of a view of customers: the same view always has the same."""
    query = QueryDict(mutable=True)
    if text:
        query["q"] = text
    for name in FACETS:
        query.setlist(name, list(chosen.get(name, ())))
    if sort:
        query["sort"] = sort
    return query.urlencode()


@page("customers.read")
def customers(request: HttpRequest) -> HttpResponse:
    """All customers, or those the text finds and the facets leave. A retired id leads straight to what it is part of today."""
    text = tidy(request.GET.get("q", ""))
    systems = list(System.objects.exclude(kind="steward").order_by("name"))
    chosen = asked_for(request.GET, systems)
    sort = request.GET.get("sort", "")
    sort = sort if sort in _ORDERS and (text or sort != "best") else ""
    after = request.GET.get("after") or None
    narrow = Narrow.of(waiting=WAITING, **chosen)
    try:
        found = queries_facets.searched(text, narrow, sort=sort, limit=PAGE, after=after)
    except Rejected:
        return redirect(f"{reverse('customers')}?{address(text, chosen, sort)}")
    hits = found.hits
    if len(hits.items) == 1 and hits.items[0].why in ("customer id", "retired id"):
        if hits.items[0].why == "retired id":
            messages.info(request, f"{text} was retired; it is part of this customer now.")
        return redirect("customer", hits.items[0].id)
    facets = _facets(found.counts.values, text, chosen, sort, {s.code: s.name for s in systems})
    query = address(text, chosen, sort)
    context = {
        "looks": {s.code: (s.name, s.kind) for s in systems},
        "hits": hits.items, "next": hits.next, "after": after,
        "text": text, "counts": found.counts, "kinds": next(f for f in facets if f.name == "kind").options,
        "facets": [f for f in facets if f.name != "kind" and f.options],
        "taken": [(f, o) for f in facets for o in (*f.options, *f.folded) if o.chosen],
        "hidden": [(name, v) for name in FACETS if name != "kind" for v in chosen.get(name, ())],
        "sort": sort or ("best" if text else "changed"),
        "orders": [(n, label, address(text, chosen, n)) for n, label in _ORDERS.items() if text or n != "best"],
        "view": request.build_absolute_uri(f"{reverse('customers')}?{query}" if query else reverse("customers")),
        "query": query, "anyway": address(text, {}), "may_export": may(request.user, "sources.read"),
    }  # fmt: skip
    return render(request, "stewardship/customers.html", context)


def _facets(
    counts: Mapping[str, Mapping[str, int]],
    text: str,
    chosen: Mapping[str, Sequence[str]],
    sort: str,
    systems: Mapping[str, str],
) -> list[Facet]:
    facets = []
    for name in FACETS:
        mine = chosen.get(name, ())
        values = {**counts.get(name, {}), **{v: counts.get(name, {}).get(v, 0) for v in mine}}
        if name == "kind":  # one of two in the form: both are offered at any time
            values = {v: values.get(v, 0) for v in _KINDS}
        options = [
            Option(v, _label(name, v, systems), n, v in mine, address(text, _turned(chosen, name, v), sort))
            for v, n in values.items()
        ]
        if name == "records":
            options.sort(key=lambda o: o.value)
        elif name != "kind":
            options.sort(key=lambda o: (not o.chosen, -o.count, o.label))
        facets.append(Facet(name, _TITLES[name], options[:SHOWN], options[SHOWN:]))
    return facets


def _turned(chosen: Mapping[str, Sequence[str]], name: str, value: str) -> dict[str, list[str]]:
    """What is chosen after a value was taken in, or taken away."""
    mine = list(chosen.get(name, ()))
    return {**chosen, name: [v for v in mine if v != value] if value in mine else [*mine, value]}  # type: ignore[dict-item]  # lists, as those of the address


def _label(name: str, value: str, systems: Mapping[str, str]) -> str:
    if name == "country":
        return "No country" if value == NONE else wording.country_name(value)
    if name == "status":
        return "No status" if value == NONE else value.capitalize()
    if name == "system":
        return systems.get(value, value)
    if name == "waits":
        return "Waits for a person"
    return {**_KINDS, **_RECORDS, **_QUALITY}[value]
