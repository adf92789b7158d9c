"""Targets: the connections the hub can write through, read once and kept while nothing about them changes."""

import hashlib
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection as database

from apps.common.errors import HubError
from apps.common.jsontext import json_text, json_value
from apps.connectors import planning, registry
from apps.connectors.contract import Adapter, Can
from apps.connectors.mapping import Mapping as ColumnMapping
from apps.connectors.planning import Rule, attribute_of
from apps.connectors.secrets import open_credentials
from apps.customers import canonical
from apps.customers.ownership import FIELDS, OwnershipPolicy

CALL_SECONDS = 20.0
LONGEST_CALL_SECONDS = 30.0
LEAST_LEASE_SECONDS = 10.0
IN_FLIGHT = 8
OVERLAP_SECONDS = 10.0
"""Longest transaction and difference of clocks of a target that does not say otherwise."""
POLL_SECONDS, SWEEP_SECONDS = 60.0, 24 * 3600.0
GUARD_SHARE, GUARD_LEAST = 0.25, 500


@dataclass
class Target:
    """One connection as the planner and the driver need it. `document` is the connection's; `error`: why it cannot be used."""

    id: UUID
    name: str
    system: int
    code: str
    kind: str
    mode: str
    adapter_name: str
    document: Mapping[str, Any]
    sealed: bytes | None
    fingerprint: bytes
    error: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _adapter: Adapter | None = field(default=None, repr=False)

    @property
    def limits(self) -> Mapping[str, Any]:
        found = self.document.get("connection", {})
        return found if isinstance(found, Mapping) else {}

    def number(self, name: str, standard: float) -> float:
        """A limit of the document, or the standard one."""
        return float(self.limits.get(name, standard))

    @property
    def timeout(self) -> float:
        """Seconds a call may take: a third of the lease or less."""
        return min(self.number("timeout", CALL_SECONDS), LONGEST_CALL_SECONDS)

    @property
    def lease(self) -> float:
        """Seconds after which a call that nobody has answered for is anybody's again."""
        return max(3 * self.timeout, LEAST_LEASE_SECONDS)

    @property
    def overlap(self) -> float:
        """Seconds that a poll looks back."""
        return self.number("overlap_seconds", OVERLAP_SECONDS)

    @property
    def in_flight(self) -> int:
        return max(1, int(self.number("in_flight", IN_FLIGHT)))

    @cached_property
    def mapping(self) -> ColumnMapping:
        return ColumnMapping.from_dict(self.document.get("mapping", {}))

    @property
    def adapter(self) -> Adapter:
        """Made on first use; shared by the threads of a process. Raises HubError for a document that cannot be used."""
        with self._lock:
            if self._adapter is None:
                self._adapter = registry.make(
                    self.adapter_name,
                    self.document,
                    open_credentials(self.sealed, self.name),
                    settings.OUTBOUND_ALLOWED_HOSTS,
                )
            return self._adapter

    def close(self) -> None:
        with self._lock:
            if self._adapter is not None:
                self._adapter.close()
                self._adapter = None

    def read(self, native: Mapping[str, Any], kind: str | None = None) -> dict[str, Any]:
        """Flat values of a record as the target writes it."""
        item, _ = self.mapping.apply(native)
        parsed = canonical.parse(
            {**item, "record_id": "x", **({"kind": kind} if kind else {})},
            default_country=self.mapping.default_country,
            declared_extra=self.mapping.extra,
        )
        return planning.flat(parsed.canonical)

    def holds(self, native: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
        """Whether a record of the target says all of `values`, flat ones as they come back."""
        found = self.read(native)
        return all(found.get(name) == value for name, value in values.items())

    def rule(self, ownership: OwnershipPolicy) -> Rule:
        """What this target is told: what it can hold and subscribes to, but for what it owns itself."""
        policy = ownership.target(system=self.code, kind=self.kind)
        names = {n for n in self.mapping.writes if n in FIELDS or n.startswith("extra.")}
        if policy.attributes is not None:
            names = {n for n in names if n in policy.attributes or attribute_of(n) in policy.attributes}
        owned = {
            n
            for n in names
            if ownership.owns(system=self.code, kind=self.kind, attribute=n)
            or ownership.owns(system=self.code, kind=self.kind, attribute=attribute_of(n))
        }
        creates = frozenset(policy.creates) if Can.CREATE in self.adapter.can else frozenset[str]()
        merges = policy.on_merge
        if (merges == "merge" and Can.MERGE not in self.adapter.can) or (
            merges == "deactivate" and Can.DEACTIVATE not in self.adapter.can
        ):
            merges = "cross_reference"
        return Rule(frozenset(names - owned), creates, merges, policy.recreate)


_READ = (
    "SELECT c.id, c.name, y.id, y.code, y.kind, c.mode, c.adapter, c.settings -> 'document', c.credentials"
    " FROM connection c JOIN system y ON y.id = c.system_id WHERE c.adapter <> 'webhook' AND y.is_active ORDER BY c.id"
)
_kept: dict[UUID, Target] = {}
_keeping = threading.Lock()


def targets() -> dict[UUID, Target]:
    """Every target by connection id: one query; what did not change keeps its adapter and its open connections.

    A target whose document cannot be used has an `error` and takes part in nothing."""
    with database.cursor() as cursor:
        cursor.execute(_READ)
        rows = cursor.fetchall()
    with _keeping:
        fresh: dict[UUID, Target] = {}
        for id_, name, system, code, kind, mode, adapter, document, sealed in rows:
            text = document if isinstance(document, str) else json_text(document or {})
            fingerprint = hashlib.sha256(f"{adapter} {code} {kind} {text}".encode() + bytes(sealed or b"")).digest()
            known = _kept.get(id_)
            if known is None or known.fingerprint != fingerprint:
                if known is not None:
                    known.close()
                known = Target(id_, name, system, code, kind, mode, adapter, json_value(text), sealed, fingerprint)
                known.error = _error(known)
            known.mode = mode
            fresh[id_] = known
        for gone in _kept.keys() - fresh.keys():
            _kept[gone].close()
        _kept.clear()
        _kept.update(fresh)
        return dict(fresh)


def _error(target: Target) -> str:
    try:
        _ = target.mapping, target.adapter
    except HubError as error:
        return error.detail
    return ""


def usable(found: Iterable[Target]) -> list[Target]:
    return [t for t in found if not t.error]
