"""Signatures of incoming webhooks (Standard Webhooks 1.0): HMAC-SHA256 over `id.timestamp.body`, byte for byte."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

TOLERANCE_SECONDS = 300
"""How far the sender's clock may be from ours; an older message may be a replay."""
LONGEST_ID = 256


def is_signed(
    *, message_id: str, timestamp: str, signatures: str, body: bytes, secrets: Sequence[str], now: float
) -> bool:
    """Whether one of `signatures` ("v1,… v1,…") was made with one of `secrets` (whsec_…), within the tolerance of `now`
    (Unix seconds). Every secret is tried in constant time, so that time tells nothing about them."""
    if not (message_id and len(message_id) <= LONGEST_ID and timestamp.isascii() and timestamp.isdigit()):
        return False
    if len(timestamp) > 12 or abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    given = [s for s in (_decoded(entry) for entry in signatures.split()[:10]) if s is not None]
    signed = b".".join((message_id.encode("utf-8", "surrogateescape"), timestamp.encode(), body))
    found = False
    for secret in secrets:
        expected = hmac.new(_key(secret), signed, hashlib.sha256).digest()
        for signature in given:
            found |= hmac.compare_digest(expected, signature)
    return found


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix("whsec_"))


def _decoded(entry: str) -> bytes | None:
    version, _, text = entry.partition(",")
    if version != "v1":
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
