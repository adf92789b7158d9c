"""manage.py sync: how targets are doing; pause and resume them; stop everything; see and replay what failed."""

import json
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from apps.common.act import Act
from apps.common.errors import HubError
from apps.connectors import connections, desk, queries
from apps.connectors.contract import Trouble
from apps.connectors.queries import TargetHealth

SAMPLES = 10
Facts = dict[str, Any]


class Command(BaseCommand):
    help = "Show how targets are doing (without a subcommand), or: pause, resume, stop, start, plan, failures, replay."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print the result as one line of JSON.")
        verbs = parser.add_subparsers(dest="verb", metavar="VERB")
        verbs.add_parser("status", help="a line for each target (the same as no verb)")
        for name, meaning in (
            ("pause", "nothing more is sent there; it waits"),
            ("resume", "what waits is sent again"),
        ):
            verb = verbs.add_parser(name, help=meaning)
            verb.add_argument("name", help="Name of a connection, or code of its system.")
            verb.add_argument("--reason", default="", required=name == "pause")
            verb.add_argument("--dry-run", action="store_true")
        verb.add_argument("--guard-hours", type=int, default=0, help="For so long the guard lets everything through.")
        for name, meaning in (("stop", "nothing leaves the hub any more"), ("start", "targets are told again")):
            verb = verbs.add_parser(name, help=meaning)
            verb.add_argument("--reason", default="", required=name == "stop")
            verb.add_argument("--dry-run", action="store_true")
        verb = verbs.add_parser("plan", help="what a target would be told: counts and samples")
        verb.add_argument("name")
        verb.add_argument("--op", choices=("create", "update", "deactivate", "reactivate", "merge"))
        verb.add_argument("--again", action="store_true", help="Have every customer compared with it once more.")
        verb.add_argument("--dry-run", action="store_true", help="With --again: only say how many.")
        verbs.add_parser("failures", help="what failed, by cause, and what to do about it")
        verb = verbs.add_parser("replay", help="a group of what failed is told again")
        verb.add_argument("name")
        verb.add_argument("--trouble", required=True, choices=[t.value for t in Trouble])
        verb.add_argument("--code", help="Only with this code of the target.")
        verb.add_argument(
            "--since", type=_moment, help="Only what failed from then on (ISO 8601; UTC if it names no zone)."
        )
        verb.add_argument("--reason", default="")
        verb.add_argument("--dry-run", action="store_true", help="Only count.")
        for verb in verbs.choices.values():
            verb.add_argument("--json", action="store_true", default=SUPPRESS)

    def handle(self, *args: Any, **options: Any) -> None:
        verbs: Mapping[str, Callable[[Mapping[str, Any]], tuple[Facts, str]]] = {
            "status": _status, "pause": _pause, "resume": _resume, "stop": _switch, "start": _switch, "plan": _plan,
            "failures": _failures, "replay": _replay,
        }  # fmt: skip
        try:
            with transaction.atomic() if options.get("dry_run") else nullcontext():
                facts, text = verbs[options["verb"] or "status"](options)
                if options.get("dry_run"):
                    facts["dry_run"] = True
                    transaction.set_rollback(True)
        except HubError as error:
            raise CommandError(error.detail) from error
        dry = " (dry run: nothing was kept)" if options.get("dry_run") else ""
        self.stdout.write(json.dumps(facts, default=_plain) if options["json"] else text + dry)


def _status(_: Mapping[str, Any]) -> tuple[Facts, str]:
    found, switch = queries.monitor(), queries.switch_state()
    lines = [f"EVERYTHING IS STOPPED by {switch.actor}: {switch.reason}"] if switch.stopped else []
    if not found:
        lines.append("No target is connected. manage.py connect FILE.toml connects one.")
    else:
        lines.append(
            _LINE.format("target", "mode", "breaker", "waiting", "uncertain", "failed", "planned", "lag", "success")
        )
        lines += [_line(t) for t in found]
        lines += [f"  {t.name}: {why}" for t in found if (why := t.error or t.paused_reason)]
    facts = {
        "stopped": switch.stopped,
        "reason": switch.reason,
        "targets": [{**asdict(t), "success": t.success} for t in found],
    }
    return facts, "\n".join(lines)


_LINE = "{:<20} {:<8} {:<9} {:>9} {:>9} {:>8} {:>9} {:>8} {:>8}"


def _line(t: TargetHealth) -> str:
    lag = "-" if t.lag is None else _duration(t.lag)
    share = "-" if t.success is None else f"{t.success:.0%}"
    numbers = (f"{n:,}" for n in (t.waiting + t.sending, t.uncertain, t.failed, t.planned))
    return _LINE.format(t.name[:20], t.mode, t.breaker, *numbers, lag, share)


def _duration(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _pause(options: Mapping[str, Any]) -> tuple[Facts, str]:
    row = connections.connection_by_name(options["name"])
    connections.pause(connection=row.id, act=_act(options))
    return {"connection": row.name, "mode": "paused"}, f"{row.name} is paused; what has to be told waits."


def _resume(options: Mapping[str, Any]) -> tuple[Facts, str]:
    row = connections.connection_by_name(options["name"])
    connections.resume(connection=row.id, act=_act(options), guard_hours=options["guard_hours"])
    return {"connection": row.name, "mode": "live"}, f"{row.name} is live again."


def _switch(options: Mapping[str, Any]) -> tuple[Facts, str]:
    stopped = options["verb"] == "stop"
    connections.switch(stopped=stopped, act=_act(options))
    return {"stopped": stopped}, "Nothing leaves the hub any more." if stopped else "Targets are told again."


def _plan(options: Mapping[str, Any]) -> tuple[Facts, str]:
    row = connections.connection_by_name(options["name"])
    if options["again"]:
        asked = desk.plan_again(connection=row.id, act=_act(options))
        return {"connection": row.name, "customers": asked}, f"{asked:,} customers are planned again."
    counts, page = connections.planned_counts(row.id), queries.planned(row.id, options["op"], limit=SAMPLES)
    lines = [f"{row.name} ({row.mode}): " + ", ".join(f"{n:,} {name}" for name, n in counts.items())]
    for one in page.rows:
        lines.append(f"{one.op} {one.customer_name or one.customer} {one.external_id or ''}".rstrip())
        lines += [
            f"    {d.name}: {'-' if d.before is None else d.before} -> {'-' if d.after is None else d.after}"
            for d in one.fields
        ]
    lines += ["…"] if page.next else []
    return {
        "connection": row.name,
        "mode": row.mode,
        "counts": counts,
        "samples": [asdict(r) for r in page.rows],
    }, "\n".join(lines)


def _failures(_: Mapping[str, Any]) -> tuple[Facts, str]:
    groups = queries.failures()
    lines = []
    for g in groups:
        lines.append(
            f"{g.count:,} x {g.connection_name} {g.trouble} {g.code}, {g.oldest:%Y-%m-%d %H:%M} to {g.newest:%Y-%m-%d %H:%M}: {g.detail}"
        )
        lines.append(f"    {g.advice.cause} {g.advice.fix} ({g.advice.who.rstrip('.')})")
    return {"groups": [asdict(g) for g in groups]}, "\n".join(lines) or "Nothing failed."


def _replay(options: Mapping[str, Any]) -> tuple[Facts, str]:
    row = connections.connection_by_name(options["name"])
    count = desk.replay(
        connection=row.id, trouble=options["trouble"], code=options["code"], since=options["since"], act=_act(options),
        dry_run=options["dry_run"],
    )  # fmt: skip
    return {"connection": row.name, "count": count}, f"{count:,} deliveries are told again."


def _act(options: Mapping[str, Any]) -> Act:
    return Act("command:sync", options.get("reason") or "")


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    return value.isoformat() if isinstance(value, datetime) else list(value)
