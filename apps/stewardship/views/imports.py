"""Imports: upload a file, say what its columns mean, watch it run, and get back what was rejected."""

import csv
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import slugify

from apps.common.errors import HubError, Rejected
from apps.connectors import models as tables
from apps.connectors import runs
from apps.connectors.mapping import Mapping as ColumnMapping
from apps.connectors.mapping import MappingError
from apps.connectors.saved_mappings import save_mapping
from apps.customers.canonical import FLAT_FIELDS
from apps.customers.models import System
from apps.stewardship import upload_limit, uploads, wording
from apps.stewardship.forms import UploadForm
from apps.stewardship.permissions import act_of, may, page, uuid_or_none
from apps.stewardship.progress import Progress, start
from apps.stewardship.uploads import Draft

PAGE = 30
MOST_DRAFTS = 5
STOP_POLLING = 286
_SESSION = "import-drafts"


@page("jobs.read")
def imports(request: HttpRequest) -> HttpResponse:
    """Every run, the newest first."""
    before = uuid_or_none(request.GET.get("after", ""))
    found = tables.Run.objects.select_related("system").order_by("-id")
    found = found.filter(id__lt=before) if before else found
    listed = list(found[: PAGE + 1])
    context = {
        "runs": [Progress(r) for r in listed[:PAGE]],
        "next": listed[PAGE - 1].id if len(listed) > PAGE else None,
        "after": before,
    }
    return render(request, "stewardship/imports.html", context)


@page("imports.run", post="imports.run")
def upload(request: HttpRequest) -> HttpResponse:
    """Step one: the system and its file."""
    limit = upload_limit.limit()
    form = UploadForm(
        request.POST or None,
        request.FILES or None,
        user=request.user,
        refusal=limit.refusal if upload_limit.was_exceeded(request) else "",
        initial={"system": request.GET.get("system")},
    )
    context = {"form": form, "limit": limit}
    if request.method != "POST" or not form.is_valid():
        return render(request, "stewardship/import_new.html", context)
    try:
        draft = uploads.keep(form.cleaned_data["file"], form.cleaned_data["system"])
    except Rejected as error:
        form.add_error("file", error.detail)
        return render(request, "stewardship/import_new.html", context)
    _remember(request, draft)
    return redirect("import-columns", draft.id)


def _remember(request: HttpRequest, draft: Draft) -> None:
    """A person has a few drafts at most; the file of the oldest is removed."""
    drafts = request.session.get(_SESSION, {})
    while len(drafts) >= MOST_DRAFTS:
        oldest = min(drafts)
        uploads.forget(Draft(UUID(oldest), **drafts.pop(oldest)))
    request.session[_SESSION] = {**drafts, str(draft.id): draft.to_session()}


def _draft(request: HttpRequest, id_: UUID) -> tuple[Draft, System]:
    known = request.session.get(_SESSION, {}).get(str(id_))
    if known is None:
        raise Http404("This upload is not yours, or it was used already.")
    system = get_object_or_404(System, id=known["system"], is_active=True)
    return Draft(id_, **known), system


@page("imports.run", post="imports.run")
def columns(request: HttpRequest, draft: UUID) -> HttpResponse:
    """Step two: what each column means, with the first rows as they would come in."""
    waiting, system = _draft(request, draft)
    try:
        sampled = uploads.sample(waiting)
    except Rejected as error:
        messages.error(request, error.detail)
        return redirect("import-new")
    saved = uploads.saved_mappings(system)
    base = _base(request, saved, sampled)
    chosen = _chosen(request, base, sampled)
    settings = _settings(request, base, system)
    context: dict[str, Any] = {
        "draft": waiting,
        "system": system,
        "sampled": sampled,
        "columns": chosen,
        "saved": saved,
        "base": base,
        "settings": settings,
        "fields": [(n, wording.attribute_name(n)) for n in FLAT_FIELDS],
        "countries": wording.countries(),
    }
    try:
        mapping = uploads.document(
            chosen, base.body if base else {}, country=settings["country"], kind=settings["kind"]
        )
        context["preview"] = uploads.preview(sampled, mapping)
    except MappingError as error:
        context["preview"] = uploads.Preview(wrong=[e.detail for e in error.fields])
        return render(request, "stewardship/import_columns.html", context)
    if request.POST.get("action") == "run" and not context["preview"].wrong:
        return _run(request, waiting, system, mapping, settings)
    return render(request, "stewardship/import_columns.html", context)


def _base(request: HttpRequest, saved: list[tables.Mapping], sampled: uploads.Sample) -> tables.Mapping | None:
    """The saved mapping to begin with: the one asked for, else the newest that fits this file's columns."""
    asked = request.POST.get("mapping", request.GET.get("mapping"))
    if asked is not None:
        return next((m for m in saved if str(m.id) == asked), None)
    return next((m for m in saved if _fits(m.body, sampled)), None)


def _fits(body: Mapping[str, Any], sampled: uploads.Sample) -> bool:
    try:
        ColumnMapping.from_dict(body).check(sampled.header)
    except MappingError:
        return False
    return True


def _chosen(request: HttpRequest, base: tables.Mapping | None, sampled: uploads.Sample) -> list[uploads.Column]:
    if request.method == "POST":
        allowed = {*FLAT_FIELDS, "extra."}
        posted = {n: request.POST.get(f"column-{i}", "") for i, n in enumerate(sampled.header)}
        return uploads.columns(sampled, {n: v for n, v in posted.items() if v in allowed or v.startswith("extra.")})
    return uploads.columns(sampled, uploads.chosen_from(base.body, sampled.header) if base else None)


def _settings(request: HttpRequest, base: tables.Mapping | None, system: System) -> dict[str, str]:
    body: dict[str, Any] = base.body if base else {}
    told = {
        "country": body.get("default_country") or "",
        "kind": body.get("constants", {}).get("kind", ""),
        "name": base.name if base else f"{system.code} file",
        "quiet": "",
    }
    if request.method == "POST":
        told = {name: request.POST.get(name, "").strip()[:100] for name in told}
    told["kind"] = told["kind"] if told["kind"] in ("person", "organization") else ""
    told["country"] = told["country"] if told["country"] in dict(wording.countries()) else ""
    return {**told, "name": told["name"] or f"{system.code} file"}


def _run(
    request: HttpRequest, draft: Draft, system: System, mapping: ColumnMapping, settings: dict[str, str]
) -> HttpResponse:
    act = act_of(request, f"import of {draft.file_name}")
    try:
        kept = save_mapping(system=system, name=settings["name"], mapping=mapping, act=act)
        run = runs.create_file_run(
            path=draft.path,
            file_name=draft.file_name,
            system=system,
            mapping=kept,
            act=act,
            quiet=bool(settings["quiet"]),
        )
    except HubError as error:
        messages.error(request, error.detail)
        return redirect("import-columns", draft.id)
    drafts = request.session.get(_SESSION, {})
    drafts.pop(str(draft.id), None)
    request.session[_SESSION] = drafts
    start()
    return redirect("import", run.id)


@page("jobs.read")
def run(request: HttpRequest, id: UUID) -> HttpResponse:
    """A run: its progress, then its result."""
    found = get_object_or_404(tables.Run.objects.select_related("system", "mapping"), id=id)
    context = {"progress": Progress(found), "may_cancel": may(request.user, "jobs.cancel")}
    return render(request, "stewardship/import.html", context)


@page("jobs.read")
def progress(request: HttpRequest, id: UUID) -> HttpResponse:
    """The part of a run's page that moves; status 286 tells htmx that nothing will move any more."""
    found = Progress(get_object_or_404(tables.Run.objects.select_related("system", "mapping"), id=id))
    context = {"progress": found, "may_cancel": may(request.user, "jobs.cancel")}
    return render(request, "stewardship/_progress.html", context, status=STOP_POLLING if found.ended else 200)


@page("jobs.cancel", post_only=True)
def cancel(request: HttpRequest, id: UUID) -> HttpResponse:
    """Stops a run; what came in stays in."""
    try:
        runs.cancel(id)
        messages.info(request, "The import stops. What was taken in so far stays.")
    except HubError as error:
        messages.error(request, error.detail)
    return redirect("import", id)


@page("quarantine.read")
def rejected(request: HttpRequest, id: UUID) -> HttpResponseBase:
    """The rejected records of a run as CSV; no cell can be taken for a formula by a spreadsheet."""
    found = get_object_or_404(tables.Run, id=id)
    name = slugify(found.file_name.rsplit(".", 1)[0])[:60] or "import"
    response = StreamingHttpResponse(_rejected_lines(found), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}-rejected.csv"'
    return response


class _Echo:
    """A file that gives back what is written to it, so that csv can write a stream."""

    def write(self, text: str) -> str:
        return text


def _rejected_lines(found: tables.Run) -> Iterator[str]:
    write = csv.writer(_Echo()).writerow
    yield "\ufeff" + write(("line", "record_id", "field", "code", "cause", "state", "raw"))
    for row in runs.rejected_rows(found):
        for problem in row.problems or [{}]:
            cells = (
                row.line,
                row.external_id,
                problem.get("field"),
                problem.get("code"),
                problem.get("detail"),
                row.state,
                row.raw,
            )
            yield write([harmless(cell) for cell in cells])


def harmless(cell: Any) -> Any:
    """A cell that a spreadsheet shows as text: what begins like a formula is led by an apostrophe."""
    text = "" if cell is None else cell
    return f"'{text}" if isinstance(text, str) and text[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") else text
