"""One run of this project or of a peer, each in a process of its own; and the environments the peers live in."""

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parent.parent
ADAPTERS = ROOT / "benchmarks" / "peers"


class Failed(Exception):
    """A run that ended with an error or took too long; says why."""


@dataclass(frozen=True)
class Set:
    """Records with their truth, or pairs of names."""

    name: str
    records: Path | None
    truth: Path
    cases: Path | None

    @classmethod
    def found(cls, name: str, folder: Path) -> "Set | None":
        """The set in `folder`; None where there is none."""
        files = [folder / f"records.{end}" for end in ("parquet", "csv")]
        records = next((file for file in files if file.exists()), None)
        cases, truth = folder / "cases.csv", folder / "truth.csv"
        if cases.exists():
            return cls(name, None, truth, cases)
        return cls(name, records, truth, None) if records and truth.exists() else None

    def size(self) -> int:
        with self.truth.open("rb") as file:
            return sum(1 for _ in file) - 1

    def of_companies_alone(self) -> bool:
        assert self.records is not None
        if self.records.suffix == ".parquet":
            return set(pq.read_table(self.records, columns=["kind"])["kind"].to_pylist()) == {"organization"}
        with self.records.open(newline="", encoding="utf-8-sig") as file:
            return {line["kind"] for line in csv.DictReader(file)} == {"organization"}


@dataclass(frozen=True)
class Peer:
    """How a peer is run, and for which sets it is meant."""

    script: str
    most: int
    companies_alone: bool = False
    environment: str = "records"

    def fits(self, one: Set) -> bool:
        return one.size() <= self.most and (not self.companies_alone or one.of_companies_alone())


PEERS = {
    "splink": Peer("on_splink.py", 10_000_000),
    "goldenmatch": Peer("on_goldenmatch.py", 200_000),
    "recordlinkage": Peer("on_recordlinkage.py", 200_000),
    "dedupe": Peer("on_dedupe.py", 2_000, companies_alone=True),
}
SAME = os.environ | {"PYTHONHASHSEED": "0"}  # a peer that goes through sets of strings gives the same answer each time
REQUIREMENTS = {"records": "requirements.txt", "names": "requirements-names.txt"}


def environment(folder: Path, name: str) -> Path:
    """The Python of the environment `name`, made anew when its requirements have changed. Raises Failed."""
    wanted = ADAPTERS / REQUIREMENTS[name]
    place = folder.expanduser() / name
    stamp, digest = place / "requirements.sha256", hashlib.sha256(wanted.read_bytes()).hexdigest()
    python = place / "bin" / "python"
    if not (stamp.exists() and stamp.read_text() == digest):
        print(f"making {place} …", file=sys.stderr, flush=True)
        shutil.rmtree(place, ignore_errors=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(wanted)]
        for command in ([sys.executable, "-m", "venv", str(place)], pip):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise Failed(f"{' '.join(command)}:\n{done.stderr}")
        stamp.write_text(digest)
    return python


def run(command: list[str], timeout: float) -> dict[str, Any]:
    """The last line of JSON that a command prints, with the machine's load at its start and its peak memory in MB, the
    largest of the process and those it waited for. Raises Failed."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=output, stderr=errors, text=True, env=SAME, start_new_session=True
        )
        end, peak, status = time.monotonic() + timeout, 0.0, None
        while status is None:
            pid, code, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                process.returncode = status = os.waitstatus_to_exitcode(code)
                peak = usage.ru_maxrss / 1024
            elif time.monotonic() > end:
                os.killpg(process.pid, signal.SIGKILL)  # with the workers it may have started
                process.wait()
                raise Failed(f"no end after {timeout:.0f} s")
            else:
                time.sleep(0.02)  # wait4 tells the peak memory of this one process, and has no timeout
        output.seek(0)
        errors.seek(0)
        printed, said = output.read(), errors.read().strip()
    if status:
        raise Failed(said.splitlines()[-1] if said else f"exit code {status}")
    begin = printed.find("{")
    report: dict[str, Any] = json.JSONDecoder().raw_decode(printed, begin)[0]
    return report | {"load": round(load, 1), "peak_mb": round(max(peak, report.get("peak_mb", 0)))}


def peer(name: str, one: Set, folder: Path, python: Path, timeout: float) -> dict[str, Any]:
    """One run of a peer's adapter."""
    command = [str(python), str(ADAPTERS / PEERS[name].script), str(one.records), "--output", str(folder)]
    return run([*command, "--truth", str(one.truth)], timeout)


def ours(one: Set, folder: Path, timeout: float) -> dict[str, Any]:
    """One run of this project: the command that resolves a file, with the shipped model and without the truth."""
    assert one.records is not None
    folder.mkdir(parents=True, exist_ok=True)
    clusters = folder / "fixed.csv"
    command = [sys.executable, "manage.py", "resolve", str(one.records), "--output", str(clusters), "--json"]
    report = run(command, timeout)
    variants = {"fixed": {"file": str(clusters), "threshold": "shipped model"}}
    return report | {"seconds": report["phases"], "version": "", "variants": variants}


def name_cases(one: Set, python: Path, timeout: float) -> list[dict[str, Any]]:
    """Rows of the pairs of names: ours, then each algorithm of nomenklatura."""
    command = [sys.executable, "benchmarks/names.py", "--cases", str(one.cases), "--json"]
    own = run(command, timeout)
    rates = own["pairs_per_second"]
    rows = [
        {
            "set": one.name,
            "who": "mdmhub",
            "f1_best": own["all"]["f1"],
            "threshold": own["all"]["threshold"],
            "f1_fixed": own["all"]["f1_at_half"],
            "pairs_per_s": f"{rates['as_they_are']:,} (in one call of 100,000: {rates['hundred_thousand']:,})",
        }
    ]
    told = run([str(python), str(ADAPTERS / "on_nomenklatura.py"), str(one.cases)], timeout)
    for name, figures in told["algorithms"].items():
        rows.append({"set": one.name, "who": f"nomenklatura {told['version']} {name}", **figures})
    return [row | {"pairs_per_s": str(row["pairs_per_s"])} for row in rows]
