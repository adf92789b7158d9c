"""Holds: a protected attribute keeps its effective value until someone else approves the proposed one."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from apps.common.act import Act
from apps.common.errors import FieldError, NotFound, Rejected, TooLate
from apps.common.ids import array
from apps.common.jsontext import json_text, json_value
from apps.customers.models import ChangeRequest, Hold
from apps.customers.survivorship import ATTRIBUTES


@dataclass(frozen=True, slots=True)
class ApprovalPolicy:
    protected: tuple[str, ...]


def parse_approval(body: Mapping[str, Any]) -> ApprovalPolicy:
    wrong = [
        FieldError("/protected", "unknown_value", f"{name!r} is no attribute of a customer.")
        for name in body.get("protected", [])
        if name not in ATTRIBUTES
    ]
    if wrong:
        raise Rejected("The approval policy cannot be used.", wrong)
    return ApprovalPolicy(tuple(body.get("protected", ())))


def value_hash(value: Any) -> bytes:
    """16 bytes that stand for a proposed value."""
    return hashlib.blake2b(json_text(value).encode(), digest_size=16).digest()


@dataclass(slots=True)
class LiveHold:
    id: UUID
    state: str
    kept: Any
    proposed_hash: bytes


@dataclass(slots=True)
class HoldChange:
    """What a rebuild found out about one protected attribute: open a new hold, move its proposal, or close it."""

    customer: UUID
    attribute: str
    close: UUID | None = None
    move: UUID | None = None
    kept: Any = None
    proposed: Any = None
    opens: bool = False


def live_holds(customers: Sequence[UUID]) -> tuple[dict[UUID, dict[str, LiveHold]], dict[UUID, set[UUID]]]:
    """Open and rejected holds by customer and attribute; and open requests for merges, each with those of the customers that it names:
    one query."""
    found: dict[UUID, dict[str, LiveHold]] = {}
    merges: dict[UUID, set[UUID]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT customer_id, attribute, id, state, kept_value::text, proposed_hash FROM hold"
            " WHERE customer_id = ANY(%s::uuid[]) AND state IN ('open', 'rejected')"
            " UNION ALL SELECT n.customer, NULL, r.id, r.state, NULL, ''::bytea FROM change_request r JOIN merge_request m"
            " ON m.change_request_id = r.id CROSS JOIN LATERAL unnest(m.customers) AS n(customer)"
            " WHERE r.state = 'open' AND m.customers && %s::uuid[]",
            (array(customers), array(customers)),
        )
        rows = cursor.fetchall()
    for customer, attribute, id_, state, kept, digest in rows:
        if attribute is None:
            merges.setdefault(id_, set()).add(customer)
            continue
        found.setdefault(customer, {})[attribute] = LiveHold(
            id_, state, None if kept is None else json_value(kept), bytes(digest)
        )
    return found, merges


def settle(
    *, customer: UUID, attribute: str, derived: Any, effective: Any, live: LiveHold | None, protects: bool
) -> tuple[Any, HoldChange | None]:
    """The effective value of one protected attribute, and what becomes of its hold.

    `effective` is the value readers see now; `protects`: a change from it to `derived` needs approval."""
    digest = value_hash(derived)
    if live is None:
        if derived == effective or not protects:
            return derived, None
        return effective, HoldChange(customer, attribute, kept=effective, proposed=derived, opens=True)
    if derived == live.kept or not protects:
        return derived, HoldChange(customer, attribute, close=live.id)
    if live.proposed_hash == digest:
        return live.kept, None
    if live.state == "open":
        return live.kept, HoldChange(customer, attribute, move=live.id, proposed=derived)
    return live.kept, HoldChange(customer, attribute, close=live.id, kept=live.kept, proposed=derived, opens=True)


def write_changes(changes: Sequence[HoldChange], act: Act) -> None:
    """Applies what rebuilds found out; one change request per customer holds all that it opens."""
    closing = [c.close for c in changes if c.close]
    if closing:
        _close(closing, "closed")
    moved = [
        Hold(id=c.move, proposed_value=c.proposed, proposed_hash=value_hash(c.proposed)) for c in changes if c.move
    ]
    Hold.objects.bulk_update(moved, ("proposed_value", "proposed_hash"))
    requests: dict[UUID, ChangeRequest] = {}
    holds = []
    for change in changes:
        if change.opens:
            request = requests.setdefault(
                change.customer,
                ChangeRequest(kind="hold", author=act.actor, reason=act.reason, correlation_id=act.correlation_id),
            )
            holds.append(
                Hold(
                    customer_id=change.customer, attribute=change.attribute, kept_value=change.kept,
                    proposed_value=change.proposed, proposed_hash=value_hash(change.proposed), change_request=request,
                )
            )  # fmt: skip
    ChangeRequest.objects.bulk_create(requests.values())
    Hold.objects.bulk_create(holds)


def _close(holds: Sequence[UUID], state: str) -> None:
    """Closes holds, and every change request that has no open hold left."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE hold SET state = %s, decided_at = clock_timestamp() WHERE id = ANY(%s) AND state IN ('open', 'rejected')",
            (state, list(holds)),
        )
        cursor.execute(
            "UPDATE change_request r SET state = 'closed', decided_at = clock_timestamp()"
            " WHERE r.state = 'open' AND r.id IN (SELECT change_request_id FROM hold WHERE id = ANY(%s))"
            " AND NOT EXISTS (SELECT 1 FROM hold h WHERE h.change_request_id = r.id AND h.state = 'open')",
            (list(holds),),
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """Approve or reject one held attribute. `seen`: hash of the proposal that was looked at; None: whatever is proposed now."""

    approve: bool
    seen: bytes | None = None


@transaction.atomic
def decide(
    *, change_request: UUID, act: Act, approve: bool = True, verdicts: Mapping[str, Verdict] | None = None
) -> list[UUID]:
    """Approves or rejects open holds of a change request, all alike or as `verdicts` say by attribute (the others stay open); returns
    the customers that have to be rebuilt. It is decided when none is open any more: approved if any of them was.

    The author never decides (also a constraint of the database). Raises NotFound, Conflict (decided already, or something else is
    proposed by now), Rejected (an attribute that is not held, the author)."""
    request = ChangeRequest.objects.select_for_update().filter(id=change_request).first()
    if request is None:
        raise NotFound("No such change request.")
    if request.state != ChangeRequest.State.OPEN:
        raise TooLate(f"This change request is {request.state} already.")
    if request.author == act.actor:
        raise Rejected("A second person has to decide: you are the author of this change.")
    found = list(Hold.objects.select_for_update().filter(change_request=request, state="open").order_by("id"))
    by_attribute = verdicts if verdicts is not None else {h.attribute: Verdict(approve) for h in found}
    _check(found, by_attribute)
    now = timezone.now()
    chosen = [h for h in found if h.attribute in by_attribute]
    for state in ("approved", "rejected"):
        ids = [h.id for h in chosen if by_attribute[h.attribute].approve == (state == "approved")]
        Hold.objects.filter(id__in=ids).update(state=state, decided_at=now)
    request.approver = act.actor
    if len(chosen) == len(found):
        approved = Hold.objects.filter(change_request=request, state="approved").exists()
        request.state, request.decided_at = ("approved" if approved else "rejected"), now
    request.save(update_fields=("state", "approver", "decided_at"))
    return sorted({h.customer_id for h in chosen})


def _check(found: Sequence[Hold], verdicts: Mapping[str, Verdict]) -> None:
    held = {h.attribute: h for h in found}
    strange = sorted(verdicts.keys() - held.keys())
    if strange:
        raise Rejected(
            "Nothing is held there.", [FieldError(f"/{n}", "unknown_value", f"{n} is not held.") for n in strange]
        )
    if not verdicts:
        raise Rejected("Approve or reject a field at least.")
    for name, verdict in verdicts.items():
        if verdict.seen is not None and verdict.seen != bytes(held[name].proposed_hash):
            raise TooLate(f"Something else is proposed for {name.replace('_', ' ')} by now; look at it again.")
