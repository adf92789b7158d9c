"""manage.py unmerge: what a run, a model or a stretch of time joined is taken apart; what that would come to; and its taking back."""

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from apps.common.act import Act
from apps.common.errors import HubError
from apps.connectors.queries_planned import Difference
from apps.matching import unjoin
from apps.matching.cascading import Child
from apps.matching.unjoin import Chosen, Done, What
from apps.stewardship import unmerging
from apps.stewardship.preview import Result, Told
from apps.stewardship.unmerging import Shown, Totals

FATES = {"stays": "goes on", "new": "a new customer", "back": "its id lives again", "retired": "retired"}


class Command(BaseCommand):
    help = (
        "Take apart what a run, a model of matching or a stretch of time joined. Look at --dry-run first. Broken off, the same command with"
        " the same --act goes on. Ends with 1 when some customers could not be taken apart; each is told with its cause."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--run", type=UUID, metavar="ID", help="What this run joined.")
        parser.add_argument(
            "--model", metavar="HASH", help="What this model joined: eight characters or more, or its number."
        )
        parser.add_argument(
            "--since", type=_moment, metavar="T", help="What was joined from then on, ISO 8601 with an offset."
        )
        parser.add_argument("--until", type=_moment, metavar="T", help="What was joined before then.")
        parser.add_argument(
            "--customer",
            type=UUID,
            action="append",
            default=[],
            metavar="ID",
            help="Only at this one; can be repeated.",
        )
        parser.add_argument(
            "--people", action="store_true", help="Also what people said, not only what the machine did."
        )
        parser.add_argument(
            "--again", action="store_true", help="Let the machine decide again, instead of keeping them apart for ever."
        )
        parser.add_argument("--limit", type=int, metavar="N", help="At most so many customers.")
        parser.add_argument("--reason", default="", help="Why, for the history.")
        parser.add_argument(
            "--act", type=UUID, metavar="ID", help="Go on under this correlation id, so that one --undo takes back all."
        )
        what = parser.add_mutually_exclusive_group()
        what.add_argument(
            "--dry-run",
            action="store_true",
            help="Show each customer as it would be and what targets would be told; change nothing.",
        )
        what.add_argument("--yes", action="store_true", help="Do not ask.")
        what.add_argument(
            "--undo", type=UUID, metavar="ACT", help="Take back what an earlier call did, by its correlation id."
        )
        parser.add_argument(
            "--json", action="store_true", help="Print the result as one line of JSON, and no progress."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.json = options["json"]
        try:
            left = self._undo(options) if options["undo"] else self._unmerge(options)
        except HubError as error:
            raise CommandError(error.detail) from error
        if left:
            raise CommandError(f"{left:,} customers could not be taken apart; the same command tries them again.")

    def _undo(self, options: Mapping[str, Any]) -> int:
        act = Act("command:unmerge", options["reason"] or f"{options['undo']} taken back")
        customers = unmerging.take_back(correlation_id=options["undo"], act=act)
        self._say(
            {"undone": str(options["undo"]), "customers": customers},
            f"Taken back: its records are {customers:,} customers now.",
        )
        return 0

    def _unmerge(self, options: Mapping[str, Any]) -> int:
        if options["limit"] is not None and options["limit"] < 1:
            raise CommandError("--limit must be 1 or more.")
        act = Act("command:unmerge", options["reason"] or _reason(options))
        if options["act"]:
            act = Act(act.actor, act.reason, correlation_id=options["act"])
        chosen = unjoin.choose(_what(options), customers=options["customer"], limit=options["limit"])
        if options["dry_run"]:
            return self._show(chosen, act, for_ever=not options["again"])
        if chosen.customers and not options["yes"]:
            self._ask(len(chosen.customers))
        return self._carry_out(chosen, act, for_ever=not options["again"])

    def _show(self, chosen: Chosen, act: Act, *, for_ever: bool) -> int:
        items: list[dict[str, Any]] = []

        def shown(one: Shown) -> None:
            if self.json:
                items.append(_item(one))
            else:
                self.stdout.write("\n".join(_lines(one)))

        totals = unmerging.show(chosen=chosen, act=act, for_ever=for_ever, on_shown=shown)
        self._end(
            {"dry_run": True, **_facts(totals), "items": items},
            f"{_sentence(totals, 'would be')} Nothing was written.",
            totals,
        )
        return len(totals.left)

    def _carry_out(self, chosen: Chosen, act: Act, *, for_ever: bool) -> int:
        items: list[dict[str, Any]] = []

        def progress(done: Done) -> None:
            items.extend({"customer": str(one.customer), "into": [str(id_) for id_ in one.into]} for one in done.parted)
            if not self.json:
                sys.stderr.write(f"\r{len(items):,} of {len(chosen.customers):,} customers ")
                sys.stderr.flush()

        if chosen.customers and not self.json:
            sys.stderr.write(
                f"This is act {act.correlation_id}.\n"
            )  # at once: a call that is broken off goes on under it
        totals = unmerging.carry_out(chosen=chosen, act=act, for_ever=for_ever, on_batch=progress)
        if chosen.customers and not self.json:
            sys.stderr.write("\n")
        facts = {"dry_run": False, "correlation_id": str(act.correlation_id), **_facts(totals), "items": items}
        back = f" To take it back: manage.py unmerge --undo {act.correlation_id}" if totals.pairs else ""
        self._end(facts, f"{_sentence(totals, 'were')}{back}", totals)
        return len(totals.left)

    def _ask(self, customers: int) -> None:
        if self.json or not sys.stdin.isatty():
            raise CommandError(f"{customers:,} customers would be taken apart: look at --dry-run, then say --yes.")
        if input(f"Take {customers:,} customers apart? [y/N] ").strip().lower() != "y":
            raise CommandError("Nothing was done.")

    def _end(self, facts: dict[str, Any], sentence: str, totals: Totals) -> None:
        if not self.json:
            self.stdout.write(
                "".join(f"/customers/{id_}/ is left as it is: {why}\n" for id_, why in totals.left.items()), ending=""
            )
        self._say(facts, sentence)

    def _say(self, facts: dict[str, Any], sentence: str) -> None:
        self.stdout.write(json.dumps(facts, ensure_ascii=False, default=str) if self.json else sentence)


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text} is no moment; write it like 2026-03-01T08:30:00Z.") from error


def _what(options: Mapping[str, Any]) -> What:
    return What(
        act=unmerging.act_of_run(options["run"]) if options["run"] else None,
        model=unjoin.model_version(options["model"]) if options["model"] is not None else None,
        since=options["since"], until=options["until"], people=options["people"],
    )  # fmt: skip


def _reason(options: Mapping[str, Any]) -> str:
    return (
        ", ".join(f"{name} {options[name]}" for name in ("run", "model", "since", "until") if options[name]) + " undone"
    )


def _facts(totals: Totals) -> dict[str, Any]:
    targets: dict[str, dict[str, int]] = {}
    for (system, op), count in sorted(totals.told.items()):
        targets.setdefault(system, {})[op] = count
    return {
        "customers": totals.customers, "records": totals.records, "into": totals.into, "pairs": totals.pairs, "targets": targets,
        "left": {str(id_): why for id_, why in totals.left.items()},
    }  # fmt: skip


def _sentence(totals: Totals, verb: str) -> str:
    if not totals.customers:
        return "Nothing that still stands was joined by it."
    told = ", ".join(f"{system} {count:,} {op}" for (system, op), count in sorted(totals.told.items()))
    text = f"{totals.customers:,} customers of {totals.records:,} records {verb} {totals.into:,} customers."
    return f"{text} Targets would be told: {told}." if told else text


def _item(one: Shown) -> dict[str, Any]:
    return {
        "customer": str(one.parted.customer), "name": one.name, "into": [str(id_) for id_ in one.parted.into],
        "results": [_result(result) for result in one.results], "told": [_told(message) for message in one.told],
        "children": [_child(child) for child in one.parted.children],
    }  # fmt: skip


def _child(child: Child) -> dict[str, Any]:
    return {"customer": str(child.customer), "name": child.name, "relations": list(child.kinds), "fate": child.fate}


def _result(result: Result) -> dict[str, Any]:
    return {
        "customer": str(result.customer), "name": result.name, "fate": result.fate,
        "records": [{"system": system, "external_id": id_} for system, id_ in result.records], "changes": _changes(result.changes),
    }  # fmt: skip


def _told(message: Told) -> dict[str, Any]:
    return {
        "customer": str(message.customer), "system": message.system, "op": message.op, "external_id": message.external_id,
        "mode": message.mode, "values": _changes(message.values), "losers": list(message.losers),
    }  # fmt: skip


def _changes(changes: Any) -> dict[str, dict[str, Any]]:
    return {change.field: {"before": change.before, "after": change.after} for change in changes}


def _lines(one: Shown) -> list[str]:
    lines = [f"/customers/{one.parted.customer}/  {one.name or 'no name'}"]
    for result in one.results:
        records = ", ".join(f"{system}:{id_}" for system, id_ in result.records)
        lines.append(f"  {FATES[result.fate]}: {result.name or 'no name'} ({records})")
        lines += [f"    {_change(change)}" for change in result.changes if result.fate == "stays"]
    for child in one.parted.children:
        lines.append(f"  hangs on both sides ({', '.join(child.kinds)}): {child.name or 'no name'} {child.sentence}")
    for message in one.told:
        planned = ", planned only" if message.mode == "observe" else ""
        lines.append(f"  {message.system} would be told: {message.op} {message.external_id}".rstrip() + planned)
        lines += [f"    {_change(change)}" for change in message.values]
    return lines


def _change(change: Difference) -> str:
    return f"{change.name}: {_short(change.before)} → {_short(change.after)}"


def _short(value: Any) -> str:
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 100 else f"{text[:99]}…"
