"""manage.py rebuild_customers: every customer derived again by the policies in force; what that would change; how far it is."""

import json
import sys
import time
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.common.act import Act
from apps.common.errors import HubError
from apps.customers import rebuild_all
from apps.customers.models import RebuildRun
from apps.customers.rebuild_all import Preview

TURN = 2.0
RUNS = 10
"""So many runs `--status` tells of, the newest first."""
Facts = dict[str, Any]


class Command(BaseCommand):
    help = (
        "Derive every customer again by the policies in force, and write those that differ. Broken off, the workers go on with it;"
        " --resume goes on with it here."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--dry-run", action="store_true", help="Say what would change, with examples; write nothing.")
        what.add_argument("--resume", action="store_true", help="Go on with the run that is running.")
        what.add_argument("--restart", action="store_true", help="Begin anew, though a run is running.")
        what.add_argument("--status", action="store_true", help="Say how far the runs are.")
        parser.add_argument(
            "--policy",
            type=int,
            metavar="VERSION",
            help="With --dry-run: by this version of survivorship, such as a draft.",
        )
        parser.add_argument("--examples", type=int, default=10, help="With --dry-run: so many (default: %(default)s).")
        parser.add_argument("--background", action="store_true", help="Leave the work to the workers.")
        parser.add_argument(
            "--json", action="store_true", help="Print the result as one line of JSON, and no progress."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["policy"] is not None and not options["dry_run"]:
            raise CommandError("--policy goes with --dry-run: a policy comes into force by activating it.")
        self.quiet = options["json"] or options["verbosity"] == 0
        try:
            if options["status"]:
                facts, text = _status()
            elif options["dry_run"]:
                facts, text = self._dry_run(options)
            else:
                facts, text = self._run(options)
        except HubError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(json.dumps(facts) if options["json"] else text)

    def _dry_run(self, options: Mapping[str, Any]) -> tuple[Facts, str]:
        version = options["policy"]
        told = rebuild_all.preview(
            rule=None if version is None else rebuild_all.rules_of(version),
            examples=options["examples"],
            on_batch=lambda seen: self._progress(f"{seen:,} customers looked at"),
        )
        self._progress("")
        facts = {
            "dry_run": True, "policy_hash": told.policy_hash, "customers": told.customers, "changes": told.changes,
            "silent": told.silent, "attributes": dict(told.attributes.most_common()), "held": dict(told.held.most_common()),
            "examples": told.examples,
        }  # fmt: skip
        return facts, _preview_text(told)

    def _run(self, options: Mapping[str, Any]) -> tuple[Facts, str]:
        run = rebuild_all.running()
        if options["resume"]:
            if run is None:
                raise CommandError("No run is running; without --resume one begins.")
        elif run is not None and not options["restart"]:
            raise CommandError(
                f"A run is running: {run.done:,} done, {rebuild_all.ahead(run):,} ahead. --status tells more, --resume goes on"
                " with it here, --restart begins anew."
            )
        else:
            act = Act("command:rebuild_customers", "derived again on demand")
            run = rebuild_all.begin(reason="manual", act=act, supersedes=options["restart"])
        if options["background"]:
            return _facts(run), f"{rebuild_all.ahead(run):,} customers are ahead; the workers go on with it."
        return self._drive(run)

    def _drive(self, run: RebuildRun) -> tuple[Facts, str]:
        """Until the run is done, whoever works at it."""
        begun, before = time.monotonic(), run.done
        while run.state == "running":
            rebuild_all.drain(seconds=TURN)
            run.refresh_from_db()
            rate = (run.done - before) / (time.monotonic() - begun)
            self._progress(f"{run.done:,} done, {run.written:,} written, {rate:,.0f} a second")
        self._progress("")
        return _facts(run), _line(run)

    def _progress(self, text: str) -> None:
        """On one line, which an empty text ends."""
        if not self.quiet:
            sys.stderr.write(f"\r{text} " if text else "\n")
            sys.stderr.flush()


def _status() -> tuple[Facts, str]:
    runs = list(RebuildRun.objects.order_by("-id")[:RUNS])
    return {"runs": [_facts(run) for run in runs]}, "\n".join(map(_line, runs)) or "There has been no run yet."


def _facts(run: RebuildRun) -> Facts:
    return {
        "id": str(run.id), "reason": run.reason, "state": run.state, "policy_hash": run.policy_hash, "done": run.done,
        "ahead": rebuild_all.ahead(run), "written": run.written, "conflicts": run.conflicts, "failed": run.failed,
        "last_error": run.last_error, "started_at": run.started_at and run.started_at.isoformat(),
        "finished_at": run.finished_at and run.finished_at.isoformat(), "actor": run.actor,
        "correlation_id": str(run.correlation_id),
    }  # fmt: skip


def _line(run: RebuildRun) -> str:
    ahead = rebuild_all.ahead(run)
    began = f"{run.started_at:%Y-%m-%d %H:%M}" if run.started_at else "about to begin"
    text = f"{began}  {run.reason:<7}{run.state:<11} {run.done:,} done, {run.written:,} written"
    if run.state == "running":
        text += f", {ahead:,} ahead ({100 * run.done // max(run.done + ahead, 1)} %)"
    if run.failed:
        text += f", {run.failed:,} cannot be derived, the last of them {run.last_error}"
    return f"{text}  by {run.actor}, policy {run.policy_hash}"


def _preview_text(told: Preview) -> str:
    lines = [f"{told.changes:,} of {told.customers:,} customers would change (policy {told.policy_hash})."]
    lines += [f"  {name:<20}{count:>10,}" for name, count in told.attributes.most_common()]
    lines += [f"  {name:<20}{count:>10,} would wait for approval" for name, count in told.held.most_common()]
    if told.silent:
        lines.append(f"  {'':<20}{told.silent:>10,} with the same values for other reasons")
    for example in told.examples:
        lines.append(f"/customers/{example['customer']}/")
        lines += [
            f"  {name}: {_short(v['before'])} → {_short(v['after'])}" for name, v in example["attributes"].items()
        ]
        lines += [
            f"  {name}: {_short(v['kept'])} stays until {_short(v['proposed'])} is approved"
            for name, v in example["held"].items()
        ]
    return "\n".join([*lines, "Nothing was written."])


def _short(value: Any) -> str:
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else f"{text[:99]}…"
