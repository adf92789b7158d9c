"""How good is what each system says: scores by system and attribute, and what fails most."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.customers.measure_quality import WHOLE
from apps.customers.queries_quality import measured
from apps.stewardship.permissions import page

MOST = 50


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
    }
    return render(request, "stewardship/quality_scores.html", context)
