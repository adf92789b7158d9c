#!/usr/bin/env python
"""benchmarks/peers.py [--sets NAME=FOLDER …] [--data FOLDER]: this project and its peers on the same files, in turn.

A set is a folder with records.csv or records.parquet and truth.csv (record_id, entity_id); one with cases.csv holds pairs
of names instead. --data takes every such folder inside a folder. The peers are installed once, pinned by
benchmarks/peers/requirements*.txt, into environments of their own. Each run is a process of its own; runs of one set are
interleaved, and with --rounds N times are medians.

"best" is a peer at the threshold which the truth likes best (no user can know it), "fixed" at the one that its
documentation or the peer itself sets. Seconds are those of the phases, without starting Python and without the search
for the best threshold; the load is that of the machine when the last run began, all others' work included."""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.peers_run import PEERS, Failed, Set, environment, name_cases, ours, peer
from benchmarks.quality import judge, read

SHORT = {"standardise": "clean", "decide": "cluster"}


def sets_of(options: argparse.Namespace) -> list[Set]:
    """The sets asked for, by name."""
    named = [one.partition("=") for one in options.sets]
    folders = {name: Path(folder) for name, _, folder in named}
    if options.data:
        folders |= {folder.name: folder for folder in sorted(options.data.iterdir()) if folder.is_dir()}
    return [one for name, folder in folders.items() if (one := Set.found(name, folder))]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def measured(
    one: Set, options: argparse.Namespace, environments: dict[str, Path], folder: Path
) -> list[dict[str, Any]]:
    """All runs of one set: a row per variant, or one with "error" for a peer that failed."""
    names = [name for name in options.peers if name in PEERS and (options.no_limits or PEERS[name].fits(one))]
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in ("mdmhub", *names)}
    errors: dict[str, str] = {}
    for number in range(options.rounds):
        for name, done in runs.items():
            if name in errors:
                continue
            say(f"{one.name}: {name}, round {number + 1}")
            try:
                place = folder / f"{one.name}-{name}"
                if name == "mdmhub":
                    done.append(ours(one, place, options.timeout))
                else:
                    done.append(peer(name, one, place, environments[PEERS[name].environment], options.timeout))
            except Failed as error:
                errors[name] = str(error)
    truth = read(one.truth, "entity_id")
    rows = [row for name, done in runs.items() if name not in errors for row in rows_of(one, name, done, truth)]
    return rows + [{"set": one.name, "who": name, "error": text} for name, text in errors.items()]


def rows_of(one: Set, name: str, runs: list[dict[str, Any]], truth: dict[str, str]) -> list[dict[str, Any]]:
    """A row per variant of one peer: times are medians over the rounds, clusters those of the last one."""
    last = runs[-1]
    phases = [phase for phase in last["seconds"] if phase != "tune"]
    seconds = {SHORT.get(phase, phase): round(median(run["seconds"][phase] for run in runs), 3) for phase in phases}
    total = median(sum(run["seconds"][phase] for phase in phases) for run in runs)
    return [
        {
            "set": one.name, "who": name, "version": last["version"], "variant": variant, "records": len(truth),
            "threshold": kept["threshold"], **judge(truth, read(Path(kept["file"]), "cluster_id")), "wall": round(total, 2),
            "phases": seconds, "pairs": last["pairs"], "peak_mb": max(run["peak_mb"] for run in runs), "load": last["load"],
        }
        for variant, kept in last["variants"].items()
    ]  # fmt: skip


def table(head: list[str], lines: list[list[str]]) -> str:
    """A table in Markdown that reads well in a terminal too."""
    widths = [max(len(line[at]) for line in [head, *lines]) for at in range(len(head))]
    ruled = [head, ["-" * width for width in widths], *lines]
    return "\n".join("| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in ruled)


def shown(rows: list[dict[str, Any]]) -> str:
    """Quality and cost, one line per row."""
    head = [
        "set",
        "who",
        "threshold",
        "pair P",
        "pair R",
        "pair F1",
        "95 %",
        "B³ F1",
        "wall s",
        "by phase",
        "pairs",
        "peak MB",
        "load",
    ]
    lines = []
    for row in rows:
        if "error" in row:
            lines.append([row["set"], row["who"], f"failed: {row['error']}", *[""] * (len(head) - 3)])
            continue
        marks = row["threshold"]
        told = ", ".join(f"{kind} {mark}" for kind, mark in marks.items()) if isinstance(marks, dict) else str(marks)
        lines.append([
            row["set"], f"{row['who']} {row['version']}", f"{row['variant']}: {told}",
            *(f"{row[name]:.4f}" for name in ("pair_precision", "pair_recall", "pair_f1")),
            f"{row['pair_f1_low']:.4f}–{row['pair_f1_high']:.4f}", f"{row['b_cubed_f1']:.4f}", f"{row['wall']:.1f}",
            ", ".join(f"{name} {seconds:.1f}" for name, seconds in row["phases"].items()),
            f"{row['pairs']:,}", f"{row['peak_mb']:,}", f"{row['load']:.1f}",
        ])  # fmt: skip
    return table(head, lines)


def against_ours(rows: list[dict[str, Any]]) -> str:
    """Peers beside this project in the same run: F1 as a difference, the rest as peer ÷ ours."""
    head = ["set", "who", "pair F1 − ours", "B³ F1 − ours", "wall ÷ ours", "peak ÷ ours", "pairs ÷ ours"]
    mine = {row["set"]: row for row in rows if row["who"] == "mdmhub" and "error" not in row}
    lines = []
    for row in rows:
        own = mine.get(row["set"])
        if own is None or row["who"] == "mdmhub" or "error" in row:
            continue
        lines.append([
            row["set"], f"{row['who']} ({row['variant']})", f"{row['pair_f1'] - own['pair_f1']:+.4f}",
            f"{row['b_cubed_f1'] - own['b_cubed_f1']:+.4f}", f"{row['wall'] / own['wall']:.2f}",
            f"{row['peak_mb'] / own['peak_mb']:.2f}", f"{row['pairs'] / max(own['pairs'], 1):.2f}",
        ])  # fmt: skip
    return table(head, lines)


def names_shown(rows: list[dict[str, Any]]) -> str:
    head = ["set", "who", "best F1", "at threshold", "fixed F1", "pairs/s"]
    cells = ("set", "who", "f1_best", "threshold", "f1_fixed", "pairs_per_s")
    return table(head, [[str(row[cell]) for cell in cells] for row in rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--data", type=Path, help="a folder of sets")
    parser.add_argument("--peers", nargs="*", default=[*PEERS, "nomenklatura"], choices=[*PEERS, "nomenklatura"])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument(
        "--env", type=Path, default=Path.home() / ".cache" / "mdmhub-peers", help="the peers' environments"
    )
    parser.add_argument("--timeout", type=float, default=1800, help="seconds for one run (default: %(default)s)")
    parser.add_argument("--no-limits", action="store_true", help="also what is not meant for sets of that size or kind")
    parser.add_argument("--keep", type=Path, help="folder in which all clusters stay")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sets = sets_of(options)
    if not sets:
        parser.error("no set: give --sets NAME=FOLDER or --data FOLDER")
    rows: list[dict[str, Any]] = []
    names: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="peers-") as scratch:
        environments = {}
        for one in sets:
            needed = {"names"} if one.cases else {PEERS[name].environment for name in options.peers if name in PEERS}
            for name in sorted(needed - set(environments)):
                environments[name] = environment(options.env, name)
            if one.cases:
                names += (
                    name_cases(one, environments["names"], options.timeout) if "nomenklatura" in options.peers else []
                )
            else:
                rows += measured(one, options, environments, options.keep or Path(scratch))
    if options.json:
        print(json.dumps({"clusters": rows, "names": names}))
        return
    if rows:
        print(shown(rows), against_ours(rows), sep="\n\n")
    if names:
        print(names_shown(names))


if __name__ == "__main__":
    main()
