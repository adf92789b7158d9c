"""Trust by system and attribute: looked at, drafted by one, put into force by another."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from apps.common.errors import Conflict, FieldError, Rejected
from apps.customers import trust_matrix
from apps.customers.trust_matrix import Key, Matrix
from apps.policies.activate import activate
from apps.stewardship.permissions import act_of, page

LONGEST = 1_000


@page("systems.read", post="policies.write")
def trust(request: HttpRequest) -> HttpResponse:
    """The table in force, drafts of others, and a form that drafts the next."""
    found = trust_matrix.matrix()
    wrong: list[FieldError] = []
    problem = ""
    if request.method == "POST":
        try:
            made = _propose(request, found)
        except (Rejected, Conflict) as error:
            problem, wrong = error.detail, list(getattr(error, "fields", ()))
        else:
            messages.success(request, f"Draft {made.version} waits for a second person; nothing has changed yet.")
            return redirect("trust")
    context = {
        "matrix": found, "rows": _rows(request, found), "proposed": trust_matrix.proposed(), "problem": problem, "wrong": wrong,
        "sent": request.POST, "actor": act_of(request, "").actor,
    }  # fmt: skip
    return render(request, "stewardship/trust.html", context, status=422 if problem else 200)


@page("policies.activate", post_only=True)
def trust_activate(request: HttpRequest, id: UUID) -> HttpResponse:
    """The second person's word."""
    try:
        row = activate(policy=id, act=act_of(request, "trust by system and attribute"))
    except (Rejected, Conflict) as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, f"Version {row.version} is in force; every customer is being derived again.")
    return redirect("trust")


def _name(key: Key) -> str:
    return ":".join(key)


def _propose(request: HttpRequest, found: Matrix) -> Any:
    changes: dict[Key, int | None] = {}
    wrong = []
    for attribute, trusts in found.rows.items():
        for system, cell in zip(found.systems, trusts, strict=True):
            key = (system.code, attribute)
            text = request.POST.get(_name(key))
            if text is None:
                continue
            text = text.strip()
            own = str(cell.value) if cell.whence == trust_matrix.Whence.OWN else ""
            if text == own:
                continue
            if text and not (text.isascii() and text.isdecimal() and len(text) < 4):
                wrong.append(
                    FieldError(_name(key), "out_of_range", f"{system.name}, {attribute}: a whole number from 0 to 100.")
                )
                continue
            changes[key] = int(text) if text else None
    if wrong:
        raise Rejected("Nothing was drafted.", wrong)
    reason = request.POST.get("reason", "").strip()[:LONGEST]
    return trust_matrix.propose(changes=changes, on=request.POST.get("on", ""), act=act_of(request, reason))


def _rows(request: HttpRequest, found: Matrix) -> list[tuple[str, list[tuple[Any, Any, str, str]]]]:
    """(attribute, [(system, trust, name of the field, what stands in it)])."""
    rows = []
    for attribute, trusts in found.rows.items():
        cells = []
        for system, cell in zip(found.systems, trusts, strict=True):
            name = _name((system.code, attribute))
            own = str(cell.value) if cell.whence == trust_matrix.Whence.OWN else ""
            cells.append((system, cell, name, request.POST.get(name, own)))
        rows.append((attribute, cells))
    return rows
