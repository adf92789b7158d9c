"""Every periodic task, with the reason for its interval.

A periodic task says "look again": what it finds is in the tables, so a missed or doubled beat does no harm.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Periodic:
    """`task` is the registered name (its import path), `every` the seconds between two beats."""

    task: str
    every: float
    queue: str
    reason: str


SCHEDULE: tuple[Periodic, ...] = (
    Periodic(
        "apps.events.tasks.relay",
        1,
        "interactive",
        "readers of the change feed see a change about a second after its commit",
    ),
    Periodic(
        "apps.matching.tasks.drain",
        3,
        "bulk",
        "records left behind by a process that died, and the redo queue, wait no longer",
    ),
    Periodic(
        "apps.connectors.tasks.run_jobs",
        2,
        "bulk",
        "an upload or a webhook starts within two seconds even if its doorbell was lost",
    ),
    Periodic(
        "apps.connectors.tasks.plan",
        2,
        "interactive",
        "what targets have to be told is known within seconds even if the bell after a change was lost",
    ),
    Periodic(
        "apps.connectors.tasks.deliver",
        2,
        "delivery",
        "retries that fall due, leases of dead workers and lost bells are found within two seconds",
    ),
    Periodic(
        "apps.connectors.tasks.poll",
        5,
        "bulk",
        "each connection says how often it is polled; looking whose turn it is costs one query",
    ),
    Periodic(
        "apps.stewardship.tasks.refresh_cases",
        3,
        "interactive",
        "what needs a person is in the inbox, and what needs nobody any more is out of it, within seconds",
    ),
    Periodic(
        "apps.stewardship.tasks.bulk_unmerges",
        5,
        "bulk",
        "a bulk unmerge is looked at, and goes on after a kill, within seconds; while there is none, looking costs one query",
    ),
    Periodic(
        "apps.customers.tasks.expire_pins",
        60,
        "bulk",
        "a pin says the day on which it runs out; a minute more does no harm",
    ),
    Periodic(
        "apps.customers.tasks.refresh_due",
        300,
        "bulk",
        "an address or name begins or ends with a day (UTC); five minutes after midnight do no harm, and looking costs one query",
    ),
    Periodic(
        "apps.customers.tasks.rebuild_customers",
        5,
        "bulk",
        "customers follow another policy within seconds; while nothing is running, looking costs one query",
    ),
    Periodic(
        "apps.customers.tasks.measure_quality",
        60,
        "bulk",
        "due once an hour, which reads every record once, and at once by another policy or after the first load; looking costs a query",
    ),
    Periodic(
        "apps.customers.tasks.rebuild_nightly",
        900,
        "bulk",
        "where trust decays, one run a night is due from an hour on: a quarter of an hour more does no harm",
    ),
    Periodic(
        "apps.connectors.tasks.prune",
        3600,
        "bulk",
        "keys of calls are kept for hours, uploads for days: an hour more does no harm",
    ),
    Periodic(
        "mdmhub.tasks.seal",
        10,
        "interactive",
        "what was done is bound into the signed chain within seconds, also while a load fills the bulk lane; until then it could be changed unseen",
    ),
    Periodic(
        "mdmhub.tasks.verify_audit",
        120,
        "bulk",
        "one verification of the whole audit a day, in turns of some seconds, so that a load is never held up by it",
    ),
    Periodic("mdmhub.tasks.heartbeat", 10, "interactive", "/readyz calls beat or worker dead after three missed beats"),
)


def beat_schedule() -> dict[str, dict[str, Any]]:
    """The schedule in Celery's form. A beat nobody took before the next one is dropped: beats do not pile up."""
    return {
        entry.task: {
            "task": entry.task,
            "schedule": entry.every,
            "options": {"queue": entry.queue, "expires": max(entry.every, 5.0)},
        }
        for entry in SCHEDULE
    }
