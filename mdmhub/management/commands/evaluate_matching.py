"""manage.py evaluate_matching: how right matching is, against the truth or against people's verdicts."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from django.core.management.base import BaseCommand, CommandError

from apps.common.errors import HubError
from apps.connectors.files import FileProblem
from apps.connectors.files_columns import read_named
from apps.connectors.files_several import read_several
from apps.connectors.mapping import parse_map_options
from apps.matching.comparisons_columns import Longs
from apps.matching.evaluation_document import UNKNOWN, of_clusters, of_file, of_verdicts
from apps.matching.evaluation_report import html
from apps.matching.parameters import Model, ModelError
from apps.matching.resolving import Clock, Options, resolve_standardised
from apps.matching.standardise_columns import standardise_columns
from apps.matching.verdicts import judged


class Command(BaseCommand):
    requires_system_checks: list[str] = []
    help = (
        "Precision, recall and F1 with intervals. With --truth: of a file of clusters, or of files that are matched now."
        " Without: of this hub's model, against what its stewards said."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="Records to match and to judge.")
        parser.add_argument("--truth", type=Path, metavar="FILE", help="record_id, entity_id (CSV, NDJSON or Parquet).")
        parser.add_argument("--clusters", type=Path, metavar="FILE", help="record_id, cluster_id: judge these.")
        parser.add_argument(
            "--map", action="append", default=[], metavar="canonical=column",
            help="What a column of the records means, where its name does not say so; may be repeated.",
        )  # fmt: skip
        parser.add_argument("--no-train", action="store_true", help="Use the shipped parameters as they are.")
        parser.add_argument("--html", type=Path, metavar="REPORT", help="Write the report as one page.")
        parser.add_argument("--json", action="store_true", help="Print everything as one line of JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        files, truth, clusters = options["files"], options["truth"], options["clusters"]
        if truth is not None and (not files) == (clusters is None):
            raise CommandError("With --truth, name either files of records or --clusters FILE.")
        if truth is None and (files or clusters is not None):
            raise CommandError("Files are judged against a truth: add --truth FILE (record_id, entity_id).")
        missing = next((path for path in (*files, truth, clusters) if path is not None and not path.is_file()), None)
        if missing is not None:
            raise CommandError(f"There is no file {missing}.")
        try:
            if truth is None:
                document, title = self._verdicts(), "Matching against the stewards' verdicts"
            elif clusters is not None:
                document, title = _clusters(truth, clusters), f"{clusters.name} against {truth.name}"
            else:
                document = self._records(truth, files, options["map"], train=not options["no_train"])
                title = f"{', '.join(path.name for path in files)} against {truth.name}"
        except (FileProblem, HubError, ModelError) as error:
            raise CommandError(str(error)) from error
        if options["html"] is not None:
            options["html"].write_text(html(document, title), encoding="utf-8")
        self._tell(document, title, as_json=options["json"])

    def _verdicts(self) -> dict[str, Any]:
        found = judged()
        if not len(found.same):
            raise CommandError(
                "Nobody has given a verdict on a pair of records yet; decide doubtful matches, or name a file with --truth."
            )
        return {
            "model": found.model_version,
            **of_verdicts(found.same, found.scores, found.met, found.thresholds),
        }

    def _records(self, truth: Path, files: list[Path], maps: list[str], *, train: bool) -> dict[str, Any]:
        """The ids of the truth are those that `resolve` writes for the same files."""
        read = read_several(files, parse_map_options(maps))
        for warning in read.warnings:
            self.stderr.write(f"warning: {warning}")
        return _of_records(read.table, truth, train=train)

    def _tell(self, document: dict[str, Any], title: str, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(document, ensure_ascii=False))
            return
        self.stdout.write(title)
        for kind, quality in document["quality"].items():
            told = (f"{name} {s['value']:.4f} ({s['low']:.4f} to {s['high']:.4f})" for name, s in quality.items())
            self.stdout.write(f"  {kind.replace('_', '-'):8} {', '.join(told)}")
        for name in ("missed", "wrong"):
            if name in document:
                told = (f"{count:,} {why.replace('_', ' ')}" for why, count in document[name].items())
                self.stdout.write(f"  {name:8} {', '.join(told)}")
        if "keys" in document:
            keys = document["keys"]
            self.stdout.write(f"  keys     {keys['never_met']:,} of {keys['true']:,} true pairs never met under one")
            for kind in keys["kinds"][:5]:
                self.stdout.write(f"           {kind['pairs']:,} by {kind['key']} ({kind['alone']:,} by it alone)")
        for band in document.get("calibration", ()):
            self.stdout.write(
                f"  {band['from']:5g} to {band['to']:5g}: {band['pairs']:7,} pairs, expected {band['expected']:.4f}, actual {band['actual']:.4f}"
            )


def _clusters(truth: Path, clusters: Path) -> dict[str, Any]:
    """A record that the clusters lack is a cluster of its own."""
    table, found = read_named(truth, ("record_id", "entity_id")), read_named(clusters, ("record_id", "cluster_id"))
    place = pc.index_in(table.column("record_id"), _values(found, "record_id")).fill_null(-1).to_numpy()
    number = _codes(found.column("cluster_id"))
    alone = len(number) + np.arange(len(place), dtype=np.int64)
    cluster = np.where(place >= 0, number[place] if len(number) else 0, alone).astype(np.int64)
    return of_clusters(_codes(table.column("entity_id")), cluster)


def _of_records(table: pa.Table, truth: Path, *, train: bool) -> dict[str, Any]:
    told = read_named(truth, ("record_id", "entity_id"))
    place = pc.index_in(table.column("record_id"), _values(told, "record_id")).fill_null(-1).to_numpy()
    if not (place >= 0).any():
        raise CommandError(f"{truth.name} knows none of the records: is its record_id theirs?")
    entity = np.where(place >= 0, _codes(told.column("entity_id"))[place], UNKNOWN).astype(np.int64)
    records = standardise_columns(table)
    found = resolve_standardised(records, Model.load_default(), Options(train=train), Clock(lambda phase: None), [])
    return {**of_file(records, found, entity), "model": found.model.hash}


def _values(table: pa.Table, name: str) -> pa.Array:
    return table.column(name).combine_chunks()


def _codes(values: pa.ChunkedArray) -> Longs:
    """A number for each distinct text; a record without one is an entity of its own."""
    encoded = values.combine_chunks().dictionary_encode()
    numbers = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return np.where(numbers >= 0, numbers, len(encoded.dictionary) + np.arange(len(numbers)))
