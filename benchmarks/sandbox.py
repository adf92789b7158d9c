#!/usr/bin/env python
"""benchmarks/sandbox.py [N]: what a sandbox server takes, so that a benchmark of deliveries knows what its far side costs.

N creates and N updates over CONNECTIONS kept-alive connections, for each kind. Printed: writes per second by the clock, and the
processor time the server spent on one write (milliseconds); its inverse is what one core could take at most."""

import argparse
import json
import sys
import tempfile
import threading
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from apps.connectors.sandbox import Far, running  # noqa: E402

CONNECTIONS = 4
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
Call = tuple[str, str, str, dict[str, str]]


def crm(number: int, city: str) -> Call:
    body = {
        "Name": f"Customer {number}",
        "BillingCity": city,
        "Phone": "+49301234567",
        "Status__c": "Active",
        "MDM_Version__c": 1,
    }
    return (
        "PATCH",
        f"/services/data/v62.0/sobjects/Account/MDM_Key__c/K-{number}",
        json.dumps(body),
        {"Content-Type": JSON},
    )


def erp(number: int, city: str) -> Call:
    body = {
        "name": f"Customer {number}",
        "city": city,
        "telephone": "+49301234567",
        "statuscode": "Active",
        "mdmversion": 1,
    }
    if city == "Bonn":
        return "POST", "/api/data/customers", json.dumps({**body, "mdmkey": f"K-{number}"}), {"Content-Type": JSON}
    where = f"/api/data/customers({80_000_001 + number:08d})"
    return "PATCH", where, json.dumps(body), {"Content-Type": JSON, "If-Match": "*"}


def billing(number: int, city: str) -> Call:
    body = {"name": f"Customer {number}", "address[city]": city, "status": "active", "metadata[mdm_key]": f"K-{number}"}
    where = "/v1/customers" if city == "Bonn" else f"/v1/customers/cus_{number}"
    return "POST", where, urlencode(body), {"Content-Type": FORM, "Idempotency-Key": f"K-{number}-{city}"}


def support(number: int, city: str) -> Call:
    body = {
        "external_id": f"K-{number}",
        "name": f"Customer {number}",
        "city": city,
        "status": "active",
        "hub_version": 1,
    }
    return "POST", "/api/v2/contacts/create_or_update.json", json.dumps({"contact": body}), {"Content-Type": JSON}


CALLS = {"crm": crm, "erp": erp, "billing": billing, "support": support}


def work(far: Far, city: str, numbers: range, wrong: list[Any]) -> None:
    connection = HTTPConnection(far.url.removeprefix("http://"))
    for number in numbers:
        method, path, body, headers = CALLS[far.kind](number, city)
        connection.request(method, path, body, {**headers, "Authorization": f"Bearer {far.key}"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status not in (200, 201):
            wrong.append((answer.status, text))
    connection.close()


def cpu_seconds(far: Far) -> float:
    """Processor time the server has spent, user and system."""
    words = Path(f"/proc/{far.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("n", type=int, nargs="?", default=4_000)
    count = parser.parse_args().n
    print(f"{'kind':9}{'what':9}{'writes/s':>10}{'ms of processor':>18}{'one core takes':>17}")
    with tempfile.TemporaryDirectory() as folder:
        for kind in CALLS:
            with running(kind, data=Path(folder) / f"{kind}.db") as far:
                for what, city in (("create", "Bonn"), ("update", "Köln")):
                    if (kind, what) == ("billing", "update"):
                        far.load({"id": f"cus_{number}"} for number in range(count))
                    wrong: list[Any] = []
                    parts = [range(start, count, CONNECTIONS) for start in range(CONNECTIONS)]
                    threads = [threading.Thread(target=work, args=(far, city, part, wrong)) for part in parts]
                    cpu, began = cpu_seconds(far), time.perf_counter()
                    for thread in threads:
                        thread.start()
                    for thread in threads:
                        thread.join()
                    took, cpu = time.perf_counter() - began, cpu_seconds(far) - cpu
                    assert not wrong, wrong[:3]
                    print(f"{kind:9}{what:9}{count / took:>10,.0f}{cpu / count * 1000:>18.3f}{count / cpu:>17,.0f}")


if __name__ == "__main__":
    main()
