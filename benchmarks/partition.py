#!/usr/bin/env python
"""benchmarks/partition.py RECORDS [--truth TRUTH]: one golden record each, the same in whatever order the records come.

RECORDS is a CSV with canonical flat names and a column `system`; TRUTH has record_id, entity_id. The records are taken in as files of
their systems through `manage.py ingest`, then a second time (nothing may change), then in shuffled orders and batch sizes into
an emptied hub (the partition must be the same). Prints pairwise and B-cubed figures against TRUTH."""

import argparse
import csv
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.hub import ROOT, scratch_hub

Partition = dict[str, str]


def read_by_system(path: Path) -> tuple[list[str], dict[str, list[dict[str, str]]]]:
    by_system: dict[str, list[dict[str, str]]] = defaultdict(list)
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        header = [name for name in reader.fieldnames or () if name != "system"]
        for row in reader:
            by_system[row.pop("system")].append(row)
    return header, by_system


def ingest_files(header: list[str], by_system: Mapping[str, list[dict[str, str]]]) -> Counter[str]:
    """Through the command, one file per system; the sum of the counts."""
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for system, rows in by_system.items():
            path = Path(folder) / f"{system}.csv"
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, header)
                writer.writeheader()
                writer.writerows(rows)
            command = [sys.executable, "manage.py", "ingest", str(path), "--system", system, "--json", "--restart"]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
            total.update(
                {k: v for k, v in json.loads(done.stdout).items() if isinstance(v, int) and not isinstance(v, bool)}
            )
    from django.core.management import call_command

    call_command("drain", verbosity=0)
    return total


def ingest_shuffled(by_system: Mapping[str, list[dict[str, str]]], seed: int) -> None:
    """All records in one random order, in batches of random size, through the same verbs."""
    from django.core.management import call_command

    from apps.common.act import Act
    from apps.common.jsontext import json_text
    from apps.connectors.inbound import Door, Item, take_in
    from apps.customers.models import System

    rng = random.Random(seed)
    doors = {s.code: Door(s) for s in System.objects.all()}
    order = [(system, row) for system, rows in by_system.items() for row in rows]
    rng.shuffle(order)
    at = 0
    while at < len(order):
        size = rng.choice((1, 7, 40, 100, 250))
        batch: dict[str, list[Item]] = defaultdict(list)
        for system, row in order[at : at + size]:
            batch[system].append(Item(row, json_text(row)))
        for system, items in batch.items():
            take_in(door=doors[system], items=items, act=Act("benchmark"))
        at += size
    call_command("drain", verbosity=0)


def partition() -> Partition:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT y.code || ':' || l.external_id, s.customer_id::text FROM link l JOIN source_record s ON s.id = l.source_record_id"
            " JOIN system y ON y.id = l.system_id WHERE s.customer_id IS NOT NULL"
        )
        return dict(cursor.fetchall())


def shape(clusters: Partition) -> frozenset[frozenset[str]]:
    grouped: dict[str, set[str]] = defaultdict(set)
    for record, cluster in clusters.items():
        grouped[cluster].add(record)
    return frozenset(frozenset(members) for members in grouped.values())


def score(clusters: Partition, truth: Mapping[str, str]) -> dict[str, float]:
    """Pairwise and B-cubed precision, recall, F1 (Bagga and Baldwin 1998); a record without a cluster is one of its own."""
    joint: Counter[tuple[str, str]] = Counter()
    entities: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for record, entity in truth.items():
        cluster = clusters.get(record, f"alone {record}")
        joint[entity, cluster] += 1
        entities[entity] += 1
        sizes[cluster] += 1

    def pairs(counts: Counter[Any]) -> int:
        return sum(n * (n - 1) // 2 for n in counts.values())

    precision, recall = pairs(joint) / max(pairs(sizes), 1), pairs(joint) / max(pairs(entities), 1)
    n = len(truth)
    b_precision = sum(k * k / sizes[c] for (_, c), k in joint.items()) / n
    b_recall = sum(k * k / entities[e] for (e, _), k in joint.items()) / n
    named = {"pair_P": precision, "pair_R": recall, "b3_P": b_precision, "b3_R": b_recall}
    named["pair_F1"] = 2 * precision * recall / (precision + recall)
    named["b3_F1"] = 2 * b_precision * b_recall / (b_precision + b_recall)
    return {name: round(value, 4) for name, value in named.items()} | {
        "clusters": len(sizes),
        "entities": len(entities),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=Path)
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--orders", type=int, default=10)
    parser.add_argument("--clusters", type=Path, help="write record_id, cluster_id of the first run here")
    options = parser.parse_args()
    header, by_system = read_by_system(options.records)
    with scratch_hub():
        from django.db import connection

        from mdmhub.demo.load import empty

        print("first time ", dict(ingest_files(header, by_system)))
        first = partition()
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*), max(version) FROM customer WHERE active")
            print("customers, highest version", cursor.fetchone())
            cursor.execute("SELECT count(*) FROM historical_customer")
            versions = cursor.fetchone()[0]
            print("second time", dict(ingest_files(header, by_system)))
            cursor.execute("SELECT count(*) FROM historical_customer")
            print("new versions", cursor.fetchone()[0] - versions, "same partition", partition() == first)
            cursor.execute("SELECT * FROM broken_invariants")
            print("broken invariants", cursor.fetchall()[:5])
        by_record = {key.split(":", 1)[1]: cluster for key, cluster in first.items()}
        if options.clusters:
            with options.clusters.open("w", newline="") as file:
                csv.writer(file).writerows([("record_id", "cluster_id"), *by_record.items()])
        if options.truth:
            with options.truth.open(newline="", encoding="utf-8-sig") as file:
                truth = {row["record_id"]: row["entity_id"] for row in csv.DictReader(file)}
            print(json.dumps(score(by_record, truth)))
        for seed in range(options.orders):
            empty()
            ingest_shuffled(by_system, seed)
            again = partition()
            print("order", seed, "same partition", shape(again) == shape(first), "customers", len(set(again.values())))


if __name__ == "__main__":
    main()
