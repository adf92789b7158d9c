"""Makes the demo's customers: told stories first, then as many others as wanted, always the same for one seed.

    for record in generate(2000):
        ...

Shape: 1.6 records per customer in four systems, people 58 in 100, thirteen countries. The first n customers are
the same whatever number is asked for; the stories' customers count towards the number.
"""

import csv
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random

from mdmhub.demo.entities import World
from mdmhub.demo.record import SYSTEMS, Record, Story
from mdmhub.demo.stories import STORIES, story_records
from mdmhub.demo.systems import FIELDS, Clerks

__all__ = ["STORIES", "SYSTEMS", "Record", "Story", "generate", "write_files"]

WINDOW = 4_096  # records mixed at a time, so that the records of one customer do not arrive side by side


def generate(n_customers: int = 2_000, *, seed: int = 7, stories: bool = True) -> Iterator[Record]:
    """Records of ``n_customers`` customers, one at a time; memory does not grow with the number.

    With ``stories`` the told ones come first and count; if there are more of them than ``n_customers``, all come still.
    Raises ValueError for a negative number.
    """
    if n_customers < 0:
        raise ValueError(f"the number of customers must be 0 or more, not {n_customers}")
    return _stream(n_customers, seed, stories=stories)


def _stream(n_customers: int, seed: int, *, stories: bool) -> Iterator[Record]:
    if stories:
        told = story_records()
        yield from (Record(one.system, dict(one.item), one.entity_id, one.story) for one in told)
        n_customers -= len({record.entity_id for record in told})
    yield from _mixed(_written(n_customers, seed), Random(seed))


def _written(n_customers: int, seed: int) -> Iterator[Record]:
    world = World(seed)
    clerks = Clerks(world.rng)
    for _ in range(n_customers):
        entity = world.next()
        for system in clerks.systems(entity):
            yield Record(system, clerks.write(entity, system), entity.id)


def _mixed(records: Iterator[Record], rng: Random) -> Iterator[Record]:
    held = list(islice(records, WINDOW))
    for record in records:
        spot = int(rng.random() * WINDOW)
        yield held[spot]
        held[spot] = record
    rng.shuffle(held)
    yield from held


def write_files(folder: Path, n_customers: int = 2_000, seed: int = 7) -> dict[str, Path]:
    """Write crm.csv, erp.csv, billing.csv, support.ndjson and truth.csv into ``folder``; return their paths by name.

    A CSV file has only the columns its system keeps; there a value that is not known is an empty cell. NDJSON keeps the
    difference between absent and empty. truth.csv: system, record_id, entity_id.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = {system: folder / f"{system}.csv" for system in SYSTEMS if system != "support"}
    paths |= {"support": folder / "support.ndjson", "truth": folder / "truth.csv"}
    files = {name: path.open("w", encoding="utf-8", newline="") for name, path in paths.items()}
    try:
        tables = {
            name: csv.DictWriter(files[name], FIELDS[name], restval="", lineterminator="\n")
            for name in SYSTEMS
            if name != "support"
        }
        for table in tables.values():
            table.writeheader()
        truth = csv.writer(files["truth"], lineterminator="\n")
        truth.writerow(("system", "record_id", "entity_id"))
        for record in generate(n_customers, seed=seed):
            if record.system == "support":
                files["support"].write(json.dumps(record.item, ensure_ascii=False) + "\n")
            else:
                tables[record.system].writerow(record.item)
            truth.writerow((record.system, record.item["record_id"], record.entity_id))
    finally:
        for file in files.values():
            file.close()
    return paths
