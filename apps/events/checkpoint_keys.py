"""The keys that sign checkpoints: Ed25519."""

import hashlib
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_END: Final = "-----END PRIVATE KEY-----"


@dataclass(frozen=True, slots=True)
class Signer:
    """The key that signs, and every key whose signatures count, by fingerprint."""

    key: Ed25519PrivateKey
    known: dict[str, Ed25519PublicKey]

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.key.public_key())

    def public(self) -> dict[str, str]:
        """The public keys as PEM, by fingerprint: whoever holds them can verify checkpoints, and sign none."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return {name: key.public_bytes(serialization.Encoding.PEM, form).decode() for name, key in self.known.items()}


def fingerprint(key: Ed25519PublicKey) -> str:
    """16 hex digits by which keys are told apart."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


def make_key() -> str:
    """A new private key as PEM."""
    form = serialization.PrivateFormat.PKCS8
    made = Ed25519PrivateKey.generate()
    return made.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def signer(pem: str) -> Signer:
    """From private keys as PEM, one after the other: the first signs, all verify. Raises ValueError: one is no Ed25519 key."""
    keys: list[Ed25519PrivateKey] = []
    for part in pem.split(_END)[:-1]:
        key = serialization.load_pem_private_key((part.strip() + "\n" + _END + "\n").encode(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("it is no Ed25519 key")
        keys.append(key)
    if not keys:
        raise ValueError("it holds no private key (PEM)")
    return Signer(keys[0], {fingerprint(key.public_key()): key.public_key() for key in keys})


def verifies(known: dict[str, Ed25519PublicKey], key: str, signature: bytes, signed: bytes) -> bool:
    """Whether a key that counts has signed this."""
    if key not in known:
        return False
    try:
        known[key].verify(signature, signed)
    except InvalidSignature:
        return False
    return True
