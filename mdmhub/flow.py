"""The whole hub on one screen: the stages of a record's way in order, and the events that news travels by.

`manage.py flow` prints it; `manage.py check` imports every function named here."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stage:
    """`verb` does it; `transaction` says which of the batch's transactions it belongs to; `leaves` is the state it leaves behind."""

    name: str
    verb: str
    transaction: str
    leaves: str


@dataclass(frozen=True, slots=True)
class EventType:
    """A fact about a customer, one per version; `handlers` are called with batches of events after their commit."""

    type: str
    means: str
    handlers: tuple[str, ...] = ()


STAGES = (
    Stage("read", "apps.connectors.files.open_rows", "none", "rows, the unreadable ones with their cause"),
    Stage("map and parse", "apps.customers.canonical.parse", "none", "canonical records, or problems by field"),
    Stage(
        "receive", "apps.customers.receive.receive", "keep", "source records in state received; the rest in quarantine"
    ),
    Stage(
        "index",
        "apps.matching.candidates.index",
        "keep",
        "features and blocking keys, committed before anyone searches",
    ),
    Stage(
        "find candidates", "apps.matching.candidates.pairs_for", "none", "pairs that share a key which is not oversized"
    ),
    Stage("score", "apps.matching.edges.score_pairs", "none", "weights above the lower threshold"),
    Stage(
        "lock and decide", "apps.matching.match.apply_decision", "match", "edges; a partition of each component; doubts"
    ),
    Stage("place", "apps.customers.identity.place", "match", "memberships, ids by the id rules"),
    Stage("rebuild", "apps.customers.golden.rebuild", "match", "derived and effective values, holds"),
    Stage(
        "write",
        "apps.customers.store.write",
        "match",
        "customer, snapshot, event, look-up keys, search text; state built",
    ),
    Stage("publish", "apps.events.relay.relay", "relay", "change-feed positions without gaps"),
    Stage(
        "plan",
        "apps.connectors.outbound.plan",
        "plan",
        "per target and record, what it lacks: planned, waiting, or failed where it goes to and fro; the place in the feed",
    ),
    Stage(
        "claim",
        "apps.connectors.claim.claim",
        "claim",
        "deliveries in state sending, with a lease and an attempt number",
    ),
    Stage("tell", "apps.connectors.deliver.tell", "none", "the target's answer, or that none came"),
    Stage(
        "settle",
        "apps.connectors.settle.settle",
        "settle",
        "done, waiting, uncertain or failed; the attempt; Link, last-sent image and breaker",
    ),
)

EVENTS = (
    EventType("customer.created", "a new golden record"),
    EventType("customer.changed", "an effective or derived value, a member or a lineage differs"),
    EventType("customer.merged", "other customers became part of this one; the body names them"),
    EventType("customer.unmerged", "records left this customer, or a retired id came back to life"),
    EventType("customer.rekeyed", "a system calls its record by another key; the body names both"),
    EventType("customer.retired", "the id leads to another customer from now on; the body names it"),
)
