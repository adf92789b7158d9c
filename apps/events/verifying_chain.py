"""The chain held against what was signed of it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from apps.events.checkpoint_keys import verifies
from apps.events.checkpoints import Line, message
from apps.events.models import Checkpoint

if TYPE_CHECKING:
    from apps.events.verifying import Report

UNSIGNED: Final = timedelta(minutes=10)
"""A seal that nobody has signed for so long is a finding: until it is signed, it can be replaced."""


def hold_against(
    report: "Report",
    roots: Mapping[int, bytes],
    lines: Sequence[Line],
    since_then: Sequence[Line],
    known: dict[str, Ed25519PublicKey],
) -> None:
    """Lines of the file, then rows of the table: each has to be signed by a key that counts and to name the root that stands.

    `since_then`: lines that the file got while the database was being looked at."""
    for line in lines:
        if not line.readable:
            report.found("checkpoint altered", "checkpoint file", str(line.number), None, "the line cannot be read")
        elif not line.trusted:
            said = "no key of this hub has signed this line"
            report.found("bad signature", "checkpoint file", str(line.number), line.sequence, said)
    trusted = _valid(report, [line for line in lines if line.trusted])
    last = max(roots, default=0)
    beyond = [line for line in trusted if line.sequence > last]
    if beyond:
        newest = max(beyond, key=lambda line: line.sequence)
        said = (
            f"the file has signed seals up to {newest.sequence} ({newest.at}), the database has {last}:"
            " the chain was cut, or the database is older than the file: restored?"
        )
        report.found("chain truncated", "seal", str(last + 1), newest.sequence, said)
    for line in trusted:
        root = roots.get(line.sequence, b"" if line.sequence else line.root)
        if line.sequence <= last and root != line.root:
            said = f"another root was signed at {line.at} (line {line.number} of the file): rewritten, or restored?"
            report.found("chain rewritten", "seal", str(line.sequence), line.sequence, said)
    signed = {(line.sequence, line.root) for line in trusted if line.kind == "checkpoint"}
    report.checkpoints = len(signed)
    good = [sequence for sequence, root in signed if roots.get(sequence) == root]
    report.signed_upto = max(good, default=0)
    in_file = {sequence for sequence, _ in signed} | {line.sequence for line in since_then if line.trusted}
    _table(report, roots, in_file, known)
    late = datetime.now(UTC) - UNSIGNED
    if report.signed_upto < last and report.sealed_until is not None and report.sealed_until < late:
        said = f"nobody has signed the seals after {report.signed_upto}"
        report.found("unsigned", "seal", str(report.signed_upto + 1), last, said)


def _valid(report: "Report", lines: Sequence[Line]) -> list[Line]:
    """Without those that a later line about a restore makes void."""
    valid: list[Line] = []
    newest = ""
    for line in lines:
        if line.kind == "restored":
            if line.at < newest:  # signed once, and put in again to make void what came after it
                said = f"a restore of {line.at} stands after a line of {newest}"
                report.found("checkpoint altered", "checkpoint file", str(line.number), line.sequence, said)
                continue
            void = [earlier for earlier in valid if earlier.sequence > line.sequence]
            valid = [earlier for earlier in valid if earlier.sequence <= line.sequence]
            report.notices.append(
                f"at {line.at} the database went back to seal {line.sequence} ({line.why});"
                f" {len(void):,} checkpoints after it are of what is no more"
            )
        valid.append(line)
        newest = max(newest, line.at)
    return valid


def _table(report: "Report", roots: Mapping[int, bytes], in_file: set[int], known: dict[str, Ed25519PublicKey]) -> None:
    lacking = []
    for row in Checkpoint.objects.order_by("sequence").iterator():
        root, at = bytes(row.root), row.signed_at.astimezone(UTC).isoformat(timespec="microseconds")
        if not verifies(known, row.key, bytes(row.signature), message("checkpoint", row.sequence, root, at, "")):
            said = "no key of this hub has signed this row"
            report.found("bad signature", "checkpoint", str(row.sequence), row.sequence, said)
        elif row.sequence in roots and roots[row.sequence] != root:
            report.found(
                "chain rewritten", "seal", str(row.sequence), row.sequence, "another root was signed in the table"
            )
        elif row.sequence not in roots:
            report.found(
                "chain truncated", "seal", str(row.sequence), row.sequence, "signed, but the seal is not there"
            )
        if row.sequence not in in_file:
            lacking.append(row.sequence)
    if lacking:
        said = f"the file lacks {len(lacking):,} checkpoints that the table has, the first of seal {lacking[0]}"
        report.found("checkpoint missing", "checkpoint file", "", lacking[0], said)
