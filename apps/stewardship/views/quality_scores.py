"""How good is what each system says: scores by system and attribute, and what fails most."""

from datetime import timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.customers.measure_quality import WHOLE
from apps.customers.queries_quality import measured
from apps.customers.queries_stale import expiring, oldest, stale_attributes
from apps.stewardship.permissions import page

MOST = 50
SOON = timedelta(days=30)


@page("customers.read")
def quality_scores(request: HttpRequest) -> HttpResponse:
    """As it was measured last."""
    found = measured()
    rows = [(name, [found.scores.get((code, name)) for code, _ in found.systems]) for name in found.attributes]
    whole = [found.scores.get((code, WHOLE)) for code, _ in found.systems]
    context = {
        "found": found,
        "rows": rows,
        "whole": whole,
        "failing": found.failing[:MOST],
        "more": len(found.failing) > MOST,
        "stale": stale_attributes(),
        "expiring": expiring(SOON),
        "soon": SOON.days,
    }
    return render(request, "stewardship/quality_scores.html", context)


@page("customers.read")
def stale(request: HttpRequest, attribute: str) -> HttpResponse:
    """The customers whose value of one attribute is oldest."""
    row, found = oldest(attribute)
    return render(request, "stewardship/quality_stale.html", {"row": row, "found": found})
