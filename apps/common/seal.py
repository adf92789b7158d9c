"""Digests that survive erasure: digest = sha256(meta ‖ sha256(salt ‖ payload))."""

import hashlib
import os


def new_salt() -> bytes:
    """16 random bytes; erasing them makes the payload unguessable from its digest."""
    return os.urandom(16)


def salt_text() -> str:
    """A salt as the database writes and reads bytes."""
    return "\\x" + new_salt().hex()


def digest(meta: bytes, salt: bytes, payload: bytes) -> bytes:
    """32 bytes; `sealed_digest()` in the database computes the same."""
    return hashlib.sha256(meta + hashlib.sha256(salt + payload).digest()).digest()
