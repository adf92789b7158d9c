"""manage.py resolve FILE … --output CLUSTERS: which records of files are one customer; no database needed."""

import json
import resource
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
from django.core.management.base import BaseCommand, CommandError

from apps.common.errors import HubError
from apps.connectors.files import FileProblem
from apps.connectors.files_labels import read_labels
from apps.connectors.files_several import read_several
from apps.connectors.mapping import parse_map_options
from apps.matching.comparison_levels import COMPARISONS, LEVELS
from apps.matching.labels import NO_LABELS, Labels, labels_of
from apps.matching.labels_threshold import Advice
from apps.matching.parameters import Model, ModelError
from apps.matching.resolving import Options, Resolved, resolve

SHARE: Final = {
    "standardise": 0.45,
    "block": 0.18,
    "compare": 0.17,
    "train": 0.1,
    "score": 0.03,
    "labels": 0.0,
    "cluster": 0.07,
}
"""About what each phase takes of the whole, for the time that is left."""


class Command(BaseCommand):
    requires_system_checks: list[str] = []  # they look at the hub; files are matched without one
    help = (
        "Find the records of files (CSV, NDJSON, JSON, Parquet) that are one customer. Nothing is stored but the output;"
        " parameters are learned from the files themselves when they hold 1,000 records or more."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument(
            "--output", type=Path, required=True, help="Where the clusters go: record_id, cluster_id (CSV or Parquet)."
        )
        parser.add_argument("--pairs", type=Path, help="Where scored pairs go, with weight, probability and levels.")
        parser.add_argument(
            "--map", action="append", default=[], metavar="canonical=column",
            help="What a column means, where its name does not say so; may be repeated.",
        )  # fmt: skip
        parser.add_argument("--no-train", action="store_true", help="Use the shipped parameters as they are.")
        parser.add_argument(
            "--threshold", type=float, metavar="P", help="Join pairs from this probability on, for example 0.95."
        )
        parser.add_argument(
            "--one-per-system",
            action="store_true",
            help="No two records of one system (column or file) are one customer.",
        )
        parser.add_argument(
            "--labels", type=Path, metavar="FILE",
            help="Pairs with a verdict: left, right, match (1 or 0, yes or no). They are learned from, and obeyed.",
        )  # fmt: skip
        parser.add_argument(
            "--labels-learn-only",
            action="store_true",
            help="Learn from the labels, but do not bind the clusters to them.",
        )
        parser.add_argument("--cores", type=int, help="How many processor cores to use; all, if not given.")
        parser.add_argument(
            "--json", action="store_true", help="Print the result as one line of JSON, and no progress."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self._quiet, self._began = bool(options["json"]), time.perf_counter()
        for path in (options["output"], options["pairs"]):
            if path is not None and not path.resolve().parent.is_dir():
                raise CommandError(f"There is no folder {path.resolve().parent} to write {path.name} into.")
        try:
            read = read_several(options["files"], parse_map_options(options["map"]))
            table, warnings = read.table, read.warnings
            labels = self._labels(options["labels"], table, warnings)
            reading = time.perf_counter() - self._began
            chosen = Options(
                train=not options["no_train"], threshold=options["threshold"], one_per_system=options["one_per_system"],
                cores=options["cores"], labels=labels, obeyed=not options["labels_learn_only"], shown=self._advise,
            )  # fmt: skip
            found = resolve(table, Model.load_default(), chosen, self._phase)
        except (FileProblem, HubError, ModelError) as error:
            fields = "".join(f"\n  {f.field}: {f.detail}" for f in getattr(error, "fields", ()))
            raise CommandError(f"{error}{fields}") from error
        ids = table.column("record_id").combine_chunks()
        _write(options["output"], pa.table({"record_id": ids, "cluster_id": ids.take(pa.array(found.label))}))
        if options["pairs"] is not None:
            _write(options["pairs"], _pairs(ids, found))
        summary = found.summary()
        summary["phases"] = {"read": round(reading, 3), **summary["phases"]}
        summary |= {
            "seconds": round(time.perf_counter() - self._began, 3), "columns": read.taken, "warnings": [*warnings, *found.warnings],
            "peak_mb": _peak(),
        }  # fmt: skip
        self._tell(summary, options["output"])

    def _labels(self, path: Path | None, table: pa.Table, warnings: list[str]) -> Labels:
        if path is None:
            return NO_LABELS
        lines, unread = read_labels(path)
        labels, problems = labels_of(lines, table.column("record_id").combine_chunks())
        warnings += [f"{path.name}, {problem}" for problem in (*unread, *problems)]
        return labels

    def _advise(self, advice: Advice) -> None:
        """What the labels that were held out say of each threshold, before one is used."""
        if self._quiet:
            return
        self.stderr.write(
            f"{advice.learned_from} labels learned from, {advice.held_out} held out. Of these, joined from"
        )
        self.stderr.write("     bits  probability  joined  right  precision (95 %)       recall")
        for one in (one for one in advice.by_weight if one.joined or one.chosen):
            self.stderr.write(
                f"{one.weight:9.2f}  {one.probability:11.4f}  {one.joined:6}  {one.right:5}  {one.precision:.3f} ({one.low:.3f} to"
                f" {one.high:.3f})  {one.recall:.3f}{'  <- chosen' if one.chosen else ''}"
            )

    def _phase(self, name: str) -> None:
        if self._quiet:
            return
        passed = time.perf_counter() - self._began
        names = list(SHARE)
        done = sum(SHARE[one] for one in names[: names.index(name)])
        left = f", about {passed * (1 - done) / done:.0f} s left" if done else ""
        self.stderr.write(f"{passed:8.1f} s  {name}{left}")

    def _tell(self, summary: dict[str, Any], output: Path) -> None:
        if self._quiet:
            self.stdout.write(json.dumps(summary, ensure_ascii=False))
            return
        self.stdout.write(
            f"{summary['records']:,} records, {summary['pairs']:,} pairs compared, {summary['clusters']:,} clusters"
            f" (the largest has {summary['largest']}) in {summary['seconds']:.1f} s: {output}"
        )
        if summary["doubts"]:
            doubts = ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in summary["doubts"].items())
            self.stdout.write(f"In doubt, and so kept apart: {doubts}")
        linked = summary["over_link"]
        if linked["joins"]:
            self.stdout.write(
                f"Of {linked['joins']:,} joins {linked['wrong']:.2%} are expected to be wrong; {linked['contradicted']:,} clusters hold a"
                " pair that speaks against them"
            )
        for warning in summary["warnings"]:
            self.stderr.write(f"warning: {warning}")


def _pairs(ids: pa.Array, found: Resolved) -> pa.Table:
    columns: dict[str, Any] = {
        "left": ids.take(pa.array(found.low)), "right": ids.take(pa.array(found.high)),
        "weight": pa.array(found.scores.weight), "probability": pa.array(found.scores.probability),
    }  # fmt: skip
    for place, comparison in enumerate(COMPARISONS):
        names = pa.array(["", *(level for level, _ in LEVELS[comparison])])
        columns[comparison] = names.take(pa.array(found.scores.levels[:, place]))
    return pa.table(columns)


def _write(path: Path, table: pa.Table) -> None:
    if path.suffix.lower() == ".parquet":
        pq.write_table(table, path)
    else:
        arrow_csv.write_csv(table, path, arrow_csv.WriteOptions(quoting_style="needed"))


def _peak() -> int:
    """The most memory this process and its largest helper have held, in MB."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    unit = 1024 if sys.platform != "darwin" else 1024 * 1024
    return sum(resource.getrusage(kind).ru_maxrss for kind in kinds) // unit
