"""The inbox: what waits for a person, narrowed and counted; taken, given to somebody, put off, one by one or many at once."""

from collections.abc import Callable, Sequence
from datetime import datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.http import urlencode

from apps.accounts.models import User
from apps.accounts.roles import OPERATIONS
from apps.common.act import Act
from apps.common.errors import HubError, Rejected
from apps.stewardship import cases
from apps.stewardship.inbox import DUE, STATES, WHOSE, Counts, Filter, Line, counts, lines, next_case
from apps.stewardship.models import Case, Decision
from apps.stewardship.permissions import act_of, may, page, uuid_or_none

PAGE = 50
MOST_PASSED = 200
MOST_AT_ONCE = 1_000
"""Lines of a filter that one action changes; the rest is asked for again."""
_REMEMBERED, _PASSED, _DECIDED = "inbox", "inbox_passed", "inbox_decided"
"""Names in the session: the last filter, the cases that were gone past, the decision that was just made."""

# What is said of a number of lines, by action.
_DONE: Final = {
    "claim": "taken",
    "release": "released",
    "assign": "assigned",
    "defer": "deferred",
    "take_back": "waiting again",
}


def me_of(request: HttpRequest) -> str:
    """The person behind a request as cases and decisions name them."""
    return act_of(request, "").actor


def reason_of(request: HttpRequest) -> str:
    return request.POST.get("reason", "").strip()[:500]


def stewards() -> list[tuple[str, str]]:
    """Everybody who may decide about cases: (actor, name), by name."""
    roles = sorted(OPERATIONS["merges.write"].roles - {"service"})
    users = User.objects.filter(Q(roles__overlap=roles), is_active=True).order_by("username")
    return [(f"user:{u.username}", u.get_full_name() or u.username) for u in users]


def morning_of(day: str) -> datetime:
    """The beginning of a day that was typed, in the user's zone. Raises Rejected for anything that is no day to come."""
    try:
        found = parse_date(day)
    except ValueError:  # the 31st of February
        found = None
    if found is None or found <= timezone.localdate():
        raise Rejected("Choose a day that is still to come.")
    return timezone.make_aware(datetime.combine(found, time()))


def act_on(request: HttpRequest, action: str, case: UUID) -> None:
    """One of the verbs about whose work a case is. Raises what the verb raises, and Rejected for what was typed."""
    verbs: dict[str, Callable[[UUID, Act], object]] = {
        "claim": lambda id_, act: cases.claim(case=id_, act=act),
        "take_over": lambda id_, act: cases.claim(case=id_, act=act, takes_over=True),
        "release": lambda id_, act: cases.release(case=id_, act=act),
        "assign": lambda id_, act: cases.assign(case=id_, to=_named(request), act=act),
        "defer": lambda id_, act: cases.defer(case=id_, until=morning_of(request.POST.get("until", "")), act=act),
        "take_back": lambda id_, act: cases.take_back(case=id_, act=act),
    }
    if action not in verbs:
        raise Rejected("There is no such action.")
    verbs[action](case, act_of(request, reason_of(request)))


def _named(request: HttpRequest) -> str:
    to = request.POST.get("to", "")
    if to not in {actor for actor, _ in stewards()}:
        raise Rejected("Choose who shall have it.")
    return to


# ── the list ────────────────────────────────────────────────────────────────────────────────────────────────────────
@page("doubts.read", post="merges.write")
def inbox(request: HttpRequest) -> HttpResponse:
    """One line for each cause, the most urgent first. The filter stands in the address; without one the last is used again."""
    if request.method == "POST":
        return _sent(request)
    remembered = request.session.get(_REMEMBERED)
    if not request.GET and remembered:
        return redirect(f"{reverse('inbox')}?{remembered}")
    narrow = _narrow(request.GET)
    address = _query(narrow)
    if request.GET and address != remembered:
        request.session[_REMEMBERED] = address
    return _shown(request, narrow)


def _narrow(query: Any) -> Filter:
    """The filter of an address; what it does not know is left out."""
    whose, state = query.get("whose", ""), query.get("state", "")
    kind, due = query.get("kind", ""), query.get("due", "")
    return Filter(
        whose=whose if whose in WHOSE else Filter().whose,
        kind=kind if kind in Case.Kind.values else "",
        cause=query.get("cause", "")[:60].replace("\0", ""),
        state=state if state in STATES else Filter().state,
        due=due if due in DUE else "",
    )


def _query(narrow: Filter) -> str:
    told = {"whose": narrow.whose, "state": narrow.state, "kind": narrow.kind, "cause": narrow.cause, "due": narrow.due}
    return urlencode({name: value for name, value in told.items() if value})


def _skip(request: HttpRequest) -> int:
    typed = request.GET.get("skip", "")
    return min(int(typed), 1_000_000) if typed.isascii() and typed.isdigit() and len(typed) < 8 else 0


def _shown(request: HttpRequest, narrow: Filter, *, asked: dict[str, Any] | None = None) -> HttpResponse:
    """The page. `asked`: a question that has to be answered first, or what was typed into a form that was refused."""
    me, skip = me_of(request), _skip(request)
    listed = lines(narrow, me=me, skip=skip, limit=PAGE + 1)
    now = counts(me, narrow)
    shared = {
        "narrow": narrow,
        "lines": listed[:PAGE],
        "counts": now,
        "tabs": [("mine", "Mine", now.mine), ("free", "Free", now.free), ("team", "Team", now.team), ("all", "All", None)],
        "kinds": [(k, now.kinds.get(k, 0)) for k in Case.Kind.values if now.kinds.get(k) or k == narrow.kind],
        "causes": [c for c in now.causes if c[0] != narrow.cause][:8],
        "states": STATES,
        "dues": [("today", "Due today"), ("overdue", "Overdue")],
        "total": _total(narrow, now),
        "most": MOST_AT_ONCE,
        "skip": skip,
        "next_skip": skip + PAGE if len(listed) > PAGE else None,
        "before": max(0, skip - PAGE) if skip else None,
        "me": me,
        "may_write": may(request.user, "merges.write"),
        "stewards": stewards(),
        "tomorrow": tomorrow(),
        "decided": just_decided(request),
    }  # fmt: skip
    return render(request, "stewardship/inbox.html", shared | (asked or {}))


def _total(narrow: Filter, now: Counts) -> int:
    """Lines of the filter, on all pages together; 0 where that is not counted."""
    if narrow.state == "deferred" and narrow.whose == "team":
        return now.deferred
    totals = {"mine": now.mine, "free": now.free, "team": now.team}
    return totals.get(narrow.whose, 0) if narrow.state == "open" and not narrow.due else 0


def tomorrow() -> str:
    """The first day something can be put off to, as a date field writes it."""
    return (timezone.localdate() + timedelta(days=1)).isoformat()


def _sent(request: HttpRequest) -> HttpResponse:
    """A button of one line, or an action for the ticked ones. Before many are changed the number is asked about."""
    action, _, single = request.POST.get("action", "").partition(":")
    narrow, confirmed = _narrow(request.GET), request.POST.get("count", "")
    whole = not single and request.POST.get("all") == "1"
    ids = _whole(request, narrow) if whole else _ticked([single] if single else request.POST.getlist("chosen")[:PAGE])
    typed = {"until": request.POST.get("until", ""), "reason": reason_of(request), "to": request.POST.get("to", "")}
    try:
        if not ids or action not in _DONE:
            raise Rejected("Tick at least one line.")
        _check_typed(request, action)
        if len(ids) > 1 and not confirmed:
            question = {"action": action, "done": _DONE[action], "chosen": ids, "whole": whole, **typed}
            return _shown(request, narrow, asked={"question": question})
        if len(ids) > 1 and confirmed != str(len(ids)):
            raise Rejected(f"You said yes to {confirmed[:9]}, but {len(ids)} were chosen. Nothing was done.")
        _act_on_all(request, action, ids)
    except Rejected as error:
        messages.error(request, error.detail)
        return _shown(request, narrow, asked={"typed": typed | {"chosen": ids[:PAGE]}})
    return redirect(f"{reverse('inbox')}?{_query(narrow)}")


def _ticked(texts: Sequence[str]) -> list[UUID]:
    return [i for i in dict.fromkeys(map(uuid_or_none, texts)) if i is not None]


def _whole(request: HttpRequest, narrow: Filter) -> list[UUID]:
    """Every line of the filter, on whatever page, as far as one go reaches."""
    return [line.id for line in lines(narrow, me=me_of(request), limit=MOST_AT_ONCE)]


def _check_typed(request: HttpRequest, action: str) -> None:
    """What an action needs besides its lines is looked at before anybody is asked about their number. Raises Rejected."""
    if action == "assign":
        _named(request)
    elif action == "defer":
        morning_of(request.POST.get("until", ""))
        if not reason_of(request):
            raise Rejected("Say why it is put off.")


def _act_on_all(request: HttpRequest, action: str, ids: Sequence[UUID]) -> None:
    """Each line by itself: what has changed meanwhile stays as it is, and is counted."""
    done, refused = 0, list[str]()
    for id_ in ids:
        try:
            act_on(request, action, id_)
            done += 1
        except Rejected:
            raise
        except HubError as error:
            refused.append(error.detail)
    if done:
        messages.success(request, f"{done} {_DONE[action]}.")
    if refused:
        messages.warning(
            request, f"{len(refused)} left as {'it is' if len(refused) == 1 else 'they are'}: {refused[0]}"
        )


# ── what comes next ─────────────────────────────────────────────────────────────────────────────────────────────────
@page("doubts.read")
def following(request: HttpRequest) -> HttpResponse:
    """Where to begin, or to go on: the most urgent case that is mine or free. `after`: the one that is gone past."""
    kind = request.GET.get("kind", "")
    found = next_line(
        request, kind=kind if kind in Case.Kind.values else "", after=uuid_or_none(request.GET.get("after", ""))
    )
    if found is None:
        messages.info(request, "Nothing else waits for you.")
        return redirect("inbox")
    return redirect(found.address)


def next_line(request: HttpRequest, *, kind: str = "", after: UUID | None = None) -> Line | None:
    """The most urgent line that is mine, else a free one; those gone past come again when nothing else is left, but never `after`.
    Without `after` somebody begins anew."""
    passed = [*request.session.get(_PASSED, ()), str(after)][-MOST_PASSED:] if after else []
    found = next_case(me_of(request), kind=kind, without=_ids(passed))
    if found is None and len(passed) > 1:
        passed = passed[-1:]
        found = next_case(me_of(request), kind=kind, without=_ids(passed))
    request.session[_PASSED] = passed
    return found


def _ids(texts: Sequence[str]) -> set[UUID]:
    return {id_ for text in texts if (id_ := uuid_or_none(text)) is not None}


# ── the decision that was just made ─────────────────────────────────────────────────────────────────────────────────
def remember_decision(request: HttpRequest, decision: Decision) -> None:
    """The next page says what was decided, and offers to take it back."""
    request.session[_DECIDED] = {"id": str(decision.id), "action": decision.action, "title": decision.title}


def just_decided(request: HttpRequest) -> dict[str, str] | None:
    """What the page before has decided: told once."""
    found: dict[str, str] | None = request.session.pop(_DECIDED, None)
    return found
