#!/usr/bin/env python
"""benchmarks/people_and_companies.py COUNT --output FOLDER [--seed N]: a set to match, with the truth beside it.

People and companies of the demo's four systems in one file. records.parquet has flat canonical names as columns, all
text, a value that is not known being null; truth.parquet and truth.csv have record_id and entity_id. One seed always
gives the same set.

A record's place tells nothing: records are spread over parts by chance, each part is mixed, and record_id is only the
number of the line, whatever the system called its record. Memory grows with one part and with the customers made, not
with the size of the files."""

import argparse
import csv
import json
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from mdmhub.demo.generator import generate
from mdmhub.demo.systems import FIELDS

# The columns in the order in which the four systems keep them; the systems' own record ids stay out.
COLUMNS = tuple(name for name in dict.fromkeys(name for fields in FIELDS.values() for name in fields))
COLUMNS = ("record_id", "system", *(name for name in COLUMNS if name != "record_id"))
SCHEMA = pa.schema([(name, pa.string()) for name in (*COLUMNS, "entity_id")])
PART = 100_000  # records mixed at a time
STEP = 20_000  # records turned into columns at a time


def chunks(count: int, seed: int) -> Iterator[pa.Table]:
    """`count` records in the order of their making, STEP at a time, with their entity and without a record_id."""
    records = islice(generate(count, seed=seed, stories=False), count)  # no customer is without a record
    while step := list(islice(records, STEP)):
        columns: dict[str, list[Any]] = {name: [one.item.get(name) or None for one in step] for name in COLUMNS}
        columns["record_id"] = [None] * len(step)
        columns["system"] = [one.system for one in step]
        columns["entity_id"] = [one.entity_id for one in step]
        yield pa.table(columns, schema=SCHEMA)


def scatter(count: int, seed: int, part: int, folder: Path) -> list[Path]:
    """The records in files of about `part` each, every record in one that chance chose."""
    rng = np.random.default_rng(seed)
    paths = [folder / f"{place}.arrow" for place in range(max(1, round(count / part)))]
    writers = [pa.ipc.new_file(path, SCHEMA) for path in paths]
    for table in chunks(count, seed):
        of = rng.integers(len(writers), size=len(table))
        for place, writer in enumerate(writers):
            writer.write_table(table.take(np.flatnonzero(of == place)))
    for writer in writers:
        writer.close()
    return paths


def mixed(paths: list[Path], seed: int) -> Iterator[pa.Table]:
    """Each file's records in an order of chance, numbered on from 1."""
    rng, last = np.random.default_rng((seed, 1)), 0
    for path in paths:
        with pa.ipc.open_file(path) as file:
            table = file.read_all()
        table = table.take(rng.permutation(len(table)))
        numbers = pa.array(range(last + 1, last + len(table) + 1)).cast(pa.string())
        yield table.set_column(0, "record_id", numbers)
        last += len(table)


def write(folder: Path, count: int, *, seed: int = 7, part: int = PART) -> dict[str, Any]:
    """Make the set in `folder`; returns what was made and what it took. ValueError for less than one record."""
    if count < 1:
        raise ValueError(f"the number of records must be 1 or more, not {count}")
    begun = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    entities: set[str] = set()
    parts = Path(tempfile.mkdtemp(prefix="parts-", dir=folder))
    truth_schema = pa.schema([SCHEMA.field("record_id"), SCHEMA.field("entity_id")])
    try:
        with (
            pq.ParquetWriter(folder / "records.parquet", SCHEMA.remove(len(SCHEMA) - 1)) as records,
            pq.ParquetWriter(folder / "truth.parquet", truth_schema) as truth,
            (folder / "truth.csv").open("w", newline="", encoding="utf-8") as file,
        ):
            lines = csv.writer(file, lineterminator="\n")
            lines.writerow(("record_id", "entity_id"))
            for table in mixed(scatter(count, seed, part, parts), seed):
                records.write_table(table.drop_columns(["entity_id"]))
                truth.write_table(table.select(["record_id", "entity_id"]))
                ids = table["entity_id"].to_pylist()
                lines.writerows(zip(table["record_id"].to_pylist(), ids, strict=True))
                entities.update(ids)
    finally:
        shutil.rmtree(parts)
    return {
        "records": count,
        "entities": len(entities),
        "seconds": round(time.perf_counter() - begun, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "records_mb": round((folder / "records.parquet").stat().st_size / 1e6, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, help="records to make")
    parser.add_argument("--output", type=Path, required=True, help="folder to write to")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    if options.count < 1:
        parser.error("COUNT must be 1 or more")
    print(json.dumps(write(options.output, options.count, seed=options.seed)))


if __name__ == "__main__":
    main()
