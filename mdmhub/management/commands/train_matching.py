"""manage.py train_matching: learn how to match from the hub's own records and its stewards' verdicts."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.common.errors import HubError
from apps.matching.activation import activate, keep_draft, queue_some
from apps.matching.learning import SAMPLE, learn_from_hub
from apps.matching.model import active_model
from apps.matching.parameters import ModelError
from apps.matching.training import Degenerate
from apps.matching.training_model import changes


class Command(BaseCommand):
    requires_system_checks: list[str] = []
    help = (
        "Learn parameters, frequencies and generic values from the hub's records, and the threshold from people's verdicts."
        " The model is kept as a draft; nothing is matched by it unless --activate is given."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--sample", type=int, default=SAMPLE, metavar="N", help=f"Records to learn from ({SAMPLE:,})."
        )
        parser.add_argument(
            "--activate", action="store_true", help="Put the model in force, and have every record decided again by it."
        )
        parser.add_argument("--dry-run", action="store_true", help="Only show what would change.")
        parser.add_argument("--json", action="store_true", help="Print the result as one line of JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["activate"] and options["dry_run"]:
            raise CommandError("--dry-run keeps nothing, so there is nothing to activate; leave one of them out.")
        if options["sample"] < 1:
            raise CommandError("--sample must be 1 or more.")
        try:
            document = self._learn(options["sample"], keep=not options["dry_run"])
            if options["activate"]:
                document |= _spread(document["version"])
        except Degenerate as error:
            raise CommandError(f"No model was learned: {error}.") from error
        except (HubError, ModelError) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(document, ensure_ascii=False))
        else:
            self._tell(document)

    def _learn(self, sample: int, *, keep: bool) -> dict[str, Any]:
        before, found = active_model(), learn_from_hub(sample=sample)
        kept = keep_draft(found.model) if keep else None
        return {
            "records": found.records, "pairs": found.pairs, "joined": found.joined,
            "expected_precision": found.expected_precision, "learned": dict(found.trained.learned),
            "in_force": before.version, "version": kept.version if kept else None, "state": kept.state if kept else None,
            "hash": found.model.hash, "changes": changes(before.model, found.model),
            "frequencies": {name: len(table) for name, table in found.model.frequencies.items()},
            "labels": found.advice.to_dict() if found.advice else None,
        }  # fmt: skip

    def _tell(self, document: dict[str, Any]) -> None:
        say, changed = self.stdout.write, document["changes"]
        say(f"Learned from {document['records']:,} records and {document['pairs']:,} pairs of them.")
        for name, prior in changed["prior"].items():
            say(f"  prior of {name}: {prior['from']:.2f} -> {prior['to']:.2f} bits")
        for name, threshold in changed["thresholds"].items():
            say(f"  threshold {name}: {threshold['from']:g} -> {threshold['to']:g}")
        for one in changed["levels"]:
            say(f"  {one['part']}, {one['comparison']} {one['level']}: {one['from']:+.2f} -> {one['to']:+.2f} bits")
        for name, values in changed["generic"].items():
            some = ", ".join(values["some"])
            say(
                f"  {name}: {values['values']:,} values are shared by many and say nothing ({values['new']:,} new; {some})"
            )
        if document["labels"]:
            self._tell_labels(document["labels"])
        say(
            f"{document['joined']:,} pairs joined without asking, expected precision {document['expected_precision']:.4f}."
        )
        if document["version"] is None:
            say("Nothing was kept (--dry-run).")
        elif "queued" in document:
            say(f"Model {document['version']} is in force; {document['queued']:,} records will be decided again by it.")
        else:
            say(
                f"Kept as model {document['version']} ({document['state']}); model {document['in_force']} stays in force."
            )

    def _tell_labels(self, labels: dict[str, Any]) -> None:
        self.stdout.write(f"  {labels['learned_from']} verdicts learned from, {labels['held_out']} held out; of these")
        for one in labels["by_weight"]:
            chosen = "  <- chosen" if one["chosen"] else ""
            self.stdout.write(
                f"  {one['weight']:6.2f} bits: {one['joined']:5} joined, precision {one['precision']:.3f}"
                f" ({one['low']:.3f} to {one['high']:.3f}), recall {one['recall']:.3f}{chosen}"
            )
        for warning in labels["warnings"]:
            self.stderr.write(f"warning: {warning}")


def _spread(version: int) -> dict[str, Any]:
    """Put a version in force and queue all it has to decide; what a dead process left is queued by the sweep."""
    activate(version)
    queued = 0
    while some := queue_some():
        queued += some
    return {"queued": queued, "state": "active"}
