"""Export of a view of customers: what is searched and narrowed, streamed as CSV or NDJSON."""

import csv
import hashlib
import logging
from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from apps.common.api.problems import correlation_id
from apps.common.jsontext import json_text
from apps.connectors.planning import ADDRESS, flat
from apps.connectors.redact import SENSITIVE_NAMES, Redactor
from apps.customers.canonical_fields import SINGLE
from apps.customers.canonical_identifiers import KINDS as IDENTIFIERS
from apps.customers.canonical_lists import CONTACT_KINDS
from apps.customers.models import System
from apps.customers.queries_export import Exported, exported, extra_names
from apps.customers.queries_narrow import Narrow
from apps.customers.queries_search import tidy
from apps.stewardship.overview import WAITING
from apps.stewardship.permissions import act_of, may, page
from apps.stewardship.views.customers import address, asked_for
from apps.stewardship.views.imports import harmless

COLUMNS: Final = ("kind", *SINGLE, *CONTACT_KINDS, *ADDRESS, *IDENTIFIERS)
ABOUT: Final = ("id", "version", "updated_at", "systems")
FORMATS: Final = {"csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson; charset=utf-8"}
_log = logging.getLogger(__name__)


@page("sources.read")
def export(request: HttpRequest) -> HttpResponseBase:
    """Golden values under flat names with the records they came from. Who may not read the change feed, which is every value of
    everybody, gets sensitive values masked. Who exported what and how much of it is logged."""
    form = request.GET.get("format", "csv")
    if form not in FORMATS:
        return HttpResponseBadRequest("The format is csv or ndjson.", content_type="text/plain")
    if request.method == "HEAD":  # nobody reads the rows: none are fetched, and nothing was exported
        return HttpResponse(content_type=FORMATS[form])
    text = tidy(request.GET.get("q", ""))
    chosen = asked_for(request.GET, list(System.objects.exclude(kind="steward")))
    narrow = Narrow.of(waiting=WAITING, **chosen)
    redactor = None if may(request.user, "changes.read") else Redactor(SENSITIVE_NAMES)
    told = _told(text, narrow, request.GET.get("sort", ""), redactor)
    lines = _csv(told, _columns(text, narrow)) if form == "csv" else _ndjson(told)
    response = StreamingHttpResponse(
        _logged(lines, request, text, address("", chosen), form, masked=redactor is not None),
        content_type=FORMATS[form],
    )
    response["Content-Disposition"] = f'attachment; filename="customers-{timezone.localdate():%Y-%m-%d}.{form}"'
    response["Cache-Control"] = "no-store"
    return response


Told = Iterator[tuple[Exported, dict[str, Any]]]
"""Customers with their flat values."""


def _told(text: str, narrow: Narrow, sort: str, redactor: Redactor | None) -> Told:
    for one in exported(text, narrow, sort=sort):
        values = flat(one.values)
        yield one, redactor.value(values) if redactor else values


def _columns(text: str, narrow: Narrow) -> tuple[str, ...]:
    return (*COLUMNS, *(f"extra.{name}" for name in extra_names(text, narrow)))


class _Echo:
    """A file that gives back what is written to it, so that csv can write a stream."""

    def write(self, text: str) -> str:
        return text


def _csv(told: Told, columns: tuple[str, ...]) -> Iterator[str]:
    write = csv.writer(_Echo()).writerow
    yield "\ufeff" + write((*ABOUT, *map(harmless, columns)))
    for one, values in told:
        systems = "; ".join(f"{code}:{external}" for code, external in one.systems)
        about = (str(one.id), one.version, one.updated_at.isoformat(), systems)
        yield write((*about, *(_cell(values.get(name)) for name in columns)))


def _cell(value: Any) -> Any:
    """A text, a number or a yes and no as it stands, anything else as JSON; none of them a formula."""
    return harmless(value if isinstance(value, str | int | float | None) else json_text(value))


def _ndjson(told: Told) -> Iterator[str]:
    for one, values in told:
        systems = [{"system": code, "external_id": external} for code, external in one.systems]
        about: Mapping[str, Any] = {"id": str(one.id), "version": one.version, "updated_at": one.updated_at.isoformat()}
        yield json_text({**about, "systems": systems, **values}) + "\n"


def _logged(
    lines: Iterator[str], request: HttpRequest, text: str, facets: str, form: str, *, masked: bool
) -> Iterator[str]:
    """The lines; when they end, or the reader goes away, it is logged how many there were.

    A search text may be somebody's name: the log holds a digest, by which it can be recognised but not read."""
    actor, count, whole = act_of(request, "").actor, -1 if form == "csv" else 0, False
    try:
        for line in lines:
            yield line
            count += 1
        whole = True
    finally:
        lines.close()  # type: ignore[attr-defined]  # a generator: ends the transaction of its cursor
        _log.info(
            "customers exported by %s as %s: text %s, facets %s, %s, %d rows%s",
            actor,
            form,
            f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:16]}" if text else "none",
            facets or "none",
            "sensitive values masked" if masked else "all values",
            max(count, 0),
            "" if whole else ", broken off",
            extra={"correlation_id": str(correlation_id(request))},
        )
