"""Digests that survive erasure: digest = sha256(meta ‖ sha256(salt ‖ payload))."""

import hashlib
import os


def new_salt() -> bytes:
    """16 random bytes; erasing them makes the payload unguessable from its digest."""
    return os.urandom(16)


def bytes_text(value: bytes) -> str:
    """Bytes as the database writes and reads them."""
    return "\\x" + value.hex()


def salt_text() -> str:
    """A new salt in that form."""
    return bytes_text(new_salt())


def digest(meta: bytes, salt: bytes, payload: bytes) -> bytes:
    """32 bytes; `sealed_digest()` in the database computes the same."""
    return hashlib.sha256(meta + hashlib.sha256(salt + payload).digest()).digest()
