"""The addresses by which a test or a script drives a server: faults, counters, and what people there do."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from apps.connectors.sandbox import fields
from apps.connectors.sandbox.kind import Answer, Kind, Refused, Request
from apps.connectors.sandbox.moments import iso, moment
from apps.connectors.sandbox.service import Service
from apps.connectors.sandbox.store import Row, Writer

OWN: Final = ("_id", "_key", "_version", "_deleted", "_merged_into", "_created_at", "_modified_at")
LOADER: Final = Writer("load")
WRITES: Final = ("create", "update", "delete", "merge", "merged", "edit")


class Control:
    """Every address wants the header `X-Control: KEY`; what is wrong is said in {"error"}."""

    def __init__(self, service: Service) -> None:
        self.service, self.kind, self.store = service, service.kind, service.store
        self._routes = {
            ("GET", "/_faults"): lambda request: Answer(200, service.faults.shown()),
            ("PUT", "/_faults"): self._put_faults,
            ("GET", "/_stats"): self._stats,
            ("POST", "/_edit"): self._edit,
            ("POST", "/_delete"): self._delete,
            ("POST", "/_merge"): self._merge,
            ("POST", "/_load"): self._load,
            ("GET", "/_records"): self._records,
            ("DELETE", "/_records"): self._empty,
        }

    def answer(self, request: Request) -> Answer:
        if not self.service.fits(request.headers.get("x-control", "")):
            return _wrong(401, "The header X-Control must hold the key.")
        handler = self._routes.get((request.method, request.path))
        if handler is None:
            return _wrong(404, "There is no such control address.")
        try:
            return handler(request)
        except Refused as refused:
            return refused.answer
        except (ValueError, sqlite3.IntegrityError) as error:
            return _wrong(400, str(error))

    def _put_faults(self, request: Request) -> Answer:
        problems = self.service.faults.put(_object(request))
        return Answer(400, {"error": " ".join(problems)}) if problems else Answer(200, self.service.faults.shown())

    def _stats(self, request: Request) -> Answer:
        """`effects`: changes of each record through the API, not counting writes that changed nothing. `log`: all writes in order."""
        writes: Counter[str] = Counter()
        effects: Counter[str] = Counter()
        log: list[dict[str, Any]] = []
        for change in self.store.changes():
            if change.op == "load":
                continue
            unchanged = change.op == "update" and not change.changed
            writes["unchanged" if unchanged else change.op] += 1
            if change.who == self.service.who and not unchanged:
                effects[change.id] += 1
            if request.query.get("log") != "0":
                log.append(
                    {"seq": change.seq, "id": change.id, "op": change.op, "hub_version": change.hub_version,
                     "at": iso(change.at), "who": change.who, "correlation_id": change.correlation,
                     "changed": sorted(change.changed)}
                )  # fmt: skip
        statuses = dict(self.service.statuses)
        return Answer(200, {
            "kind": self.kind.name,
            "requests": {"total": sum(statuses.values()), "by_status": statuses},
            "writes": {op: writes[op] for op in (*WRITES, "unchanged")},
            "repeats": self.kind.counts["repeats"],
            "faults": dict(self.service.faults.struck),
            "webhooks": dict(self.service.webhooks.counts) if self.service.webhooks else {},
            "effects": dict(effects),
            "log": log,
        })  # fmt: skip

    # ── what people there do ────────────────────────────────────────────────────────────────────────────────────────
    def _edit(self, request: Request) -> Answer:
        body = _object(request)
        values = body.get("fields")
        if not isinstance(values, dict):
            raise ValueError("fields must be an object.")
        row = self.kind.change(_id(body, "id"), self.kind.checked(fields.unfolded(values)), _person(body))
        return Answer(200, shown(self.kind, row))

    def _delete(self, request: Request) -> Answer:
        body = _object(request)
        return Answer(200, shown(self.kind, self.kind.remove(_id(body, "id"), _person(body))))

    def _merge(self, request: Request) -> Answer:
        if not self.kind.merges:
            raise ValueError(f"The {self.kind.name} cannot merge.")
        body = _object(request)
        row = self.kind.fold(_id(body, "winner"), [_id(body, "loser")], _person(body))
        return Answer(200, shown(self.kind, row))

    # ── all records ─────────────────────────────────────────────────────────────────────────────────────────────────
    def _load(self, request: Request) -> Answer:
        rows = [self._row(json.loads(line)) for line in request.body.splitlines() if line.strip()]
        self.store.load(rows, LOADER)
        return Answer(200, {"loaded": len(rows)})

    def _row(self, given: Any) -> Row:
        """A native record as it is to be kept. Its moment of change, if it brings one, is kept too."""
        if not isinstance(given, dict):
            raise ValueError("Each line must be an object.")
        kind = self.kind
        record_id = given.get(kind.id_name)
        if isinstance(record_id, bool) or not isinstance(record_id, str | int) or record_id == "":
            raise ValueError(f"A record has no {kind.id_name}.")
        values = {name: value for name, value in given.items() if not _is_marked(kind, name)}
        unknown = sorted(set(values) - set(kind.declared))
        if unknown:
            raise ValueError(f"There is no field {', '.join(unknown)}.")
        modified = given.get(kind.modified_name)
        at = moment(modified) if isinstance(modified, str) else 0
        return Row(str(record_id), kind.key_of(values), LOADER.who, values, created=at, modified=at, version=1)

    def _records(self, request: Request) -> Answer:
        lines = (json.dumps(shown(self.kind, row), ensure_ascii=False) for row in self.store.after(-1, limit=-1))
        return Answer(200, _lines(lines), media="application/x-ndjson")

    def _empty(self, request: Request) -> Answer:
        self.store.empty()
        self.kind.counts.clear()
        self.service.statuses.clear()
        self.service.faults.struck.clear()
        return Answer(204)


def shown(kind: Kind, row: Row) -> dict[str, Any]:
    """The native record with the server's own marks under names that are the same for all kinds."""
    marks = (row.id, row.key, row.version, row.deleted, row.merged_into, iso(row.created), iso(row.modified))
    return kind.view(row) | dict(zip(OWN, marks, strict=True))


def _is_marked(kind: Kind, name: str) -> bool:
    return name in OWN or (name in kind.declared and kind.declared[name].read_only)


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _object(request: Request) -> dict[str, Any]:
    body = json.loads(request.body)
    if not isinstance(body, dict):
        raise ValueError("The body must be an object.")
    return body


def _id(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"{name} must be the id of a record.")
    return str(value)


def _person(body: dict[str, Any]) -> Writer:
    return Writer(str(body.get("who", "somebody"))[:100], str(body.get("correlation_id", ""))[:200])


def _wrong(status: int, sentence: str) -> Answer:
    return Answer(status, {"error": sentence})
