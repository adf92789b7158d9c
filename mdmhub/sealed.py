"""Everything that is sealed, and with which key and file: the audit on one screen.

A table with the guard `append_only` stands here with each of its rows, and again with each thing that is set later (a test compares). What
people decided is sealed as far as it never changes once it stands. Left out on purpose: what an erasure must be able to take away and that
has no salted digest of its own (texts of calls, bodies of notes, names in titles), and that a policy is in force (it can be again)."""

from pathlib import Path
from typing import Final

from django.conf import settings

from apps.common.jsontext import json_value
from apps.customers import canonical, store
from apps.events import checkpoints, sealing, verifying_turns
from apps.events.checkpoint_keys import Signer, signer
from apps.events.models import AuditCheck
from apps.events.sealed import Sealed
from mdmhub.env import env
from mdmhub.keys import load_keys

_SNAPSHOT: Final = ", ".join(f"t.{name}" for name in store.SNAPSHOT)
_WITHOUT_NAMES: Final = ", ".join(f"t.{name}" for name in store.SNAPSHOT if name != "names")
"""Versions from before customers had a list of names have none, and nothing of it in their digest."""
_VALUES: Final = (
    "name", "given_name", "family_name", "organization_name", "birth_date", "website", "currency", "language", "payment_terms",
    "credit_limit", "status", "addresses", "contact_points", "identifiers", "names", "extra", "held", "lineage", "salt",
)  # fmt: skip
_EXTERNAL_ID: Final = "(SELECT s.external_id FROM source_record s WHERE s.id = t.source_record_id)"
_FORMER_KEYS: Final = (
    "SELECT sealed_digest(k.before, t.salt, t.raw) FROM renamed_key k WHERE k.source_record_id = t.source_record_id"
)
_FOLLOWED: Final = "(SELECT s.follows_id::text FROM source_record s WHERE s.id = t.source_record_id)"


def _erased(table: str) -> str:
    """SQL: row `t` has nothing left that an erasure takes, and one of them names it."""
    return (
        f"to_jsonb(t) || erased_form('{table}') = to_jsonb(t) AND EXISTS (SELECT FROM erasure e"
        f" WHERE e.subjects && erasure_subjects('{table}', to_jsonb(t)))"
    )


def _same_content(told: str | None, raw: str | None, deleted: str, digest: str) -> bool:
    """Whether a record's canonical form is what its content digest was made of. What a steward pinned has another kind of digest (32
    bytes): its form is its raw text."""
    if told is None or raw is None:
        return False
    if len(digest) == len("\\x") + 2 * 16:
        return canonical.content_digest(json_value(told), deleted=deleted == "true").hex() == digest[2:]
    try:
        return bool(json_value(told) == json_value(raw))
    except ValueError:
        return False


def _ended(table: str, aspect: str, by: str, *others: str) -> Sealed:
    return Sealed(table, aspect, order="time", by=by, when=f"t.{by} IS NOT NULL", columns=(by, *others))


SEALED: Final[tuple[Sealed, ...]] = (
    Sealed(
        "historical_customer", key="history_id", by="history_id", erased=_VALUES, erasure=_erased("historical_customer"),
        proof="t.digest = sealed_digest(t.id::text || t.version::text, t.salt, CASE WHEN t.names IS NULL"
        f" THEN ROW({_WITHOUT_NAMES})::text ELSE ROW({_SNAPSHOT})::text END)",
    ),
    Sealed(
        "event", later=("position",), erased=("body", "salt"), erasure=_erased("event"),
        proof="t.digest = sealed_digest(t.type || t.subject_id::text || t.version::text, t.salt, t.body::text)",
    ),
    Sealed("event", "placed", order="number", by="position", when="t.position IS NOT NULL", columns=("position",)),
    Sealed(
        "source_record_version", erased=("raw", "canonical", "salt"), erasure=_erased("source_record_version"),
        proof=f"t.digest = sealed_digest({_EXTERNAL_ID}, t.salt, t.raw)"
        f" OR t.digest = sealed_digest({_FOLLOWED}, t.salt, t.raw)"
        f" OR t.digest IN ({_FORMER_KEYS})",
        reads=("canonical", "raw", "deleted", "content_digest"),
        again=_same_content,
    ),
    Sealed(
        "edge", later=("superseded_at",), erased=("levels", "salt"), erasure=_erased("edge"),
        proof="t.digest = sealed_digest(t.record_a_id::text || t.record_b_id::text, t.salt, ROW(t.weight, t.levels, t.flags)::text)",
    ),
    _ended("edge", "superseded", "superseded_at"),
    Sealed("membership", later=("until",)),
    _ended("membership", "ended", "until"),
    Sealed("redirect", later=("until",)),
    _ended("redirect", "ended", "until"),
    Sealed("judgement", later=("superseded_at", "superseded_by")),
    _ended("judgement", "superseded", "superseded_at", "superseded_by"),
    Sealed("delivery_attempt", order="number", later=("request", "response")),
    Sealed("erasure"),
    Sealed("renamed_key"),
    # What people decided; these tables have no guard of their own.
    Sealed("relation", later=("until",)),
    _ended("relation", "ended", "until"),
    Sealed("policy", later=("state", "approver", "activated_at")),
    Sealed("change_request", columns=("kind", "author", "reason", "opened_at", "correlation_id")),
    _ended("change_request", "decided", "decided_at", "state", "approver"),
    _ended("go_live", "decided", "decided_at", "connection_id", "state", "counts", "author", "reason", "approver", "decision"),
    _ended("steward_decision", "done", "done_at", "action", "reason", "actor", "decided_at"),
    _ended("steward_decision", "undone", "undone_at", "undone_by"),
    Sealed("note", order="time", by="written_at", columns=("customer_id", "author", "written_at")),
    _ended("note", "removed", "removed_at", "removed_by", "removed_why"),
    Sealed(
        "quarantine", erased=("raw", "salt"), erasure=_erased("quarantine"),
        columns=("system_id", "run_id", "file_name", "line", "external_id", "received_at", "correlation_id", "digest"),
        proof="t.digest = sealed_digest((SELECT y.code FROM system y WHERE y.id = t.system_id), t.salt, coalesce(t.raw, ''))",
    ),
)  # fmt: skip


def checkpoint_file() -> Path:
    """The file outside the database; copy it elsewhere as it grows."""
    return Path(settings.CHECKPOINT_FILE)


def audit_signer() -> Signer:
    """The key that signs checkpoints, and those that have."""
    return signer(load_keys(env()).audit)


def seal(*, seconds: float = 5.0) -> sealing.Sealing:
    """A run of the sealer: seals, then signs."""
    done = sealing.seal(tables=SEALED, seconds=seconds)
    checkpoints.sign(by=audit_signer(), file=checkpoint_file())
    return done


def verify(*, seconds: float) -> AuditCheck | None:
    """A turn of the daily verification."""
    known = audit_signer().known
    return verifying_turns.turn(tables=SEALED, file=checkpoint_file(), known=known, seconds=seconds)


def after_restore(kept: str, why: str) -> None:
    """Puts the checkpoints that a backup kept beside those that are here; where these know of more than the database holds now, signs that
    the chain goes on from there."""
    file, by = checkpoint_file(), audit_signer()
    checkpoints.merge(file, kept.splitlines())
    if checkpoints.beyond(file, by.known):
        checkpoints.accept_restore(why=why, by=by, file=file)
