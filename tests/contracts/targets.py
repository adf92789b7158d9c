"""The targets that every adapter's promises are held against, and how a test looks at what they hold without asking the adapter."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apps.connectors import registry
from apps.connectors.contract import Adapter, Op, Write
from apps.connectors.documents import read_document
from apps.connectors.mapping import Mapping as ColumnMapping
from apps.connectors.sandbox import Far
from mdmhub.env import BASE_DIR

CONNECTIONS = BASE_DIR / "apps" / "connectors" / "sandbox" / "connections"
LOCAL = ("127.0.0.1",)
TIMEOUT = 10.0
CUSTOMER = {
    "kind": "organization",
    "name": "Kestrel Instruments",
    "organization_name": "Kestrel Instruments",
    "email": "office@kestrel.example",
    "phone": "+49301234567",
    "tax_id": "DE136695976",
    "city": "Berlin",
    "country": "DE",
    "language": "de",
    "status": "active",
    "customer_id": "0192f0c1-0000-7000-8000-000000000001",
    "hub_version": 1,
}


@dataclass
class Target:
    """One connection under test. `document` may be changed by a test; `adapter()` makes a fresh one of it."""

    name: str
    document: dict[str, Any]
    credentials: dict[str, str]
    allowed: tuple[str, ...]
    far: Far | None = None
    folder: Path | None = None
    made: list[Adapter] = field(default_factory=list)

    @property
    def mapping(self) -> ColumnMapping:
        return registry.mapping_of(self.document)

    @property
    def is_rest(self) -> bool:
        return self.far is not None

    def adapter(self) -> Adapter:
        assert registry.check(self.document) == []
        made = registry.make(self.document["connection"]["adapter"], self.document, self.credentials, self.allowed)
        self.made.append(made)
        return made

    def close(self) -> None:
        for adapter in self.made:
            adapter.close()
        self.made.clear()

    def native(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Of the values those the target can hold, as it writes them."""
        return self.mapping.render(values)

    def create(self, key: str = "key-1", values: Mapping[str, Any] = CUSTOMER, **more: Any) -> Write:
        return self.told(Op.CREATE, key, values, **more)

    def told(self, op: Op, key: str, values: Mapping[str, Any], **more: Any) -> Write:
        told = {"idempotency_key": f"{key}.{op}.1", "correlation_id": f"trace-{key}"} | more
        return Write(op, key, fields=self.native(values), **told)

    # ── what the target holds, seen from its own side ───────────────────────────────────────────────────────────────
    def held(self) -> dict[str, dict[str, Any]]:
        """Flat canonical values of every living record by our key."""
        if self.far is not None:
            living = [record for record in self.far.records() if not record["_deleted"]]
            return {record["_key"]: self.mapping.apply(record)[0] for record in living}
        return {key: self.mapping.apply(row)[0] for key, row in self._rows().items()}

    def count(self) -> int:
        """How many living records the target has."""
        if self.far is not None:
            return sum(not record["_deleted"] for record in self.far.records())
        return len(self._rows())

    def correlations(self) -> list[str]:
        """The correlation ids that arrived, in order."""
        if self.far is not None:
            return [entry["correlation_id"] for entry in self.far.requests()["log"]]
        return [row["correlation_id"] for path in self.files() for row in read(path)]

    def files(self) -> list[Path]:
        assert self.folder is not None
        out = self.folder / "out"
        return sorted(out.iterdir(), key=lambda path: path.stat().st_mtime_ns) if out.exists() else []

    def _rows(self) -> dict[str, dict[str, str]]:
        """What a reader of all files ends up with: rows of one key are folded, named columns alone count."""
        found: dict[str, dict[str, str]] = {}
        for path in self.files():
            for row in read(path):
                changed = {name: row[name] for name in row["changed"].split(";") if name}
                found.setdefault(row["hub_key"], {}).update(changed)
        return found


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a file as a reader that knows of the guard against formulas sees them."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [{name: value.removeprefix("'") for name, value in row.items()} for row in rows]


def shipped(kind: str) -> dict[str, Any]:
    """The shipped document of a sandbox system."""
    return read_document((CONNECTIONS / f"{kind}.toml").read_text(encoding="utf-8"))


def rest_target(far: Far) -> Target:
    document = shipped(far.kind)
    document["connection"]["base_url"] = far.url
    return Target(far.kind, document, {"token": far.key}, LOCAL, far=far)


FILE_DOCUMENT = """
[connection]
adapter = "file"
system = "warehouse"
name = "Warehouse"
kind = "other"
folder = "/"

[files]
in = "in"

[mapping.columns]
record_id = "Number"
kind = "Type"
organization_name = "Company"
given_name = "First name"
family_name = "Last name"
email = "E-Mail"
phone = "Phone"
tax_id = "VAT"
city = "address.city"
country = "address.country"
language = "languages.0"
status = "Status"
deleted = "Deleted"

[mapping.values.status]
A = "active"
I = "inactive"

[mapping.out.columns]
customer_id = "Hub id"
hub_version = "Hub version"
"""


def file_target(folder: Path) -> Target:
    document = read_document(FILE_DOCUMENT)
    document["connection"]["folder"] = str(folder)
    return Target("folder", document, {}, (str(folder),), folder=folder)


def sftp_target(folder: Path, port: int, host_key: str, password: str) -> Target:
    document = read_document(FILE_DOCUMENT)
    document["connection"] |= {"folder": "/", "host": "127.0.0.1", "port": port, "host_key": host_key}
    return Target("sftp", document, {"username": "hub", "password": password}, LOCAL, folder=folder)


def plain(value: object) -> str:
    """Everything an answer says, as one text to look through."""
    return json.dumps(value, default=str, ensure_ascii=False) + repr(value)
