"""The hub's four keys: Django's signing key, the keys that encrypt stored credentials, the key that signs tokens, and the one that
signs checkpoints of the audit.

Made once in HUB_HOME/keys (0600). With an external database and no key the hub refuses to start: a key made on the
spot could not read what the database already holds, and the mistake would show only later.
"""

import secrets
import sys
from dataclasses import dataclass

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from apps.events import checkpoint_keys
from mdmhub.embedded.home import Home, write_private
from mdmhub.env import Env, Misconfigured, env

SIGNING, FIELD, OIDC, AUDIT = "django-secret", "field-encryption", "oidc-private.pem", "audit-signing.pem"
VARIABLES = {SIGNING: "SECRET_KEY", FIELD: "HUB_FIELD_KEY", OIDC: "HUB_OIDC_KEY", AUDIT: "HUB_AUDIT_KEY"}
LATER = frozenset({AUDIT})
"""Keys that copies of an older release lack."""


@dataclass(frozen=True)
class Keys:
    """signing: text; field: Fernet keys, the newest (used to encrypt) first; oidc: RSA private key as PEM;
    audit: Ed25519 private keys as PEM, the newest (used to sign) first."""

    signing: str
    field: tuple[str, ...]
    oidc: str
    audit: str


def load_keys(settings: Env) -> Keys:
    """The keys from the environment or HUB_HOME/keys; made there at the first start of a hub with its own database.

    Raises Misconfigured when the database is external and a key is missing, or when a key cannot be used.
    """
    home = Home(settings.HUB_HOME)
    if settings.DATABASE_URL is None:
        make_keys(home)
    found = {}
    for name, variable in VARIABLES.items():
        given = getattr(settings, variable)
        found[name] = given or _read(home, name, variable)
    field = tuple(part.strip() for part in found[FIELD].split(",") if part.strip())
    for key in field:
        try:
            Fernet(key)
        except ValueError as error:
            raise Misconfigured(f"HUB_FIELD_KEY or {home.keys / FIELD} is no Fernet key: {error}") from error
    try:
        checkpoint_keys.signer(found[AUDIT])
    except ValueError as error:
        raise Misconfigured(f"HUB_AUDIT_KEY or {home.keys / AUDIT} cannot sign: {error}") from error
    return Keys(signing=found[SIGNING].strip(), field=field, oidc=found[OIDC], audit=found[AUDIT])


def make_keys(home: Home) -> list[str]:
    """Make the keys that are missing; the names of those made. An existing key is never touched."""
    if all((home.keys / name).exists() for name in VARIABLES):
        return []
    with home.lock():
        missing = [name for name in VARIABLES if not (home.keys / name).exists()]
        for name in missing:
            write_private(home.keys / name, _make(name))
    return missing


def _make(name: str) -> str:
    if name == SIGNING:
        return secrets.token_urlsafe(64)
    if name == FIELD:
        return Fernet.generate_key().decode()
    if name == AUDIT:
        return checkpoint_keys.make_key()
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def _read(home: Home, name: str, variable: str) -> str:
    try:
        return (home.keys / name).read_text()
    except FileNotFoundError as error:
        raise Misconfigured(
            f"No key {name}: DATABASE_URL names an external database, and {home.keys} does not hold its key.\n"
            f"  - A hub that has run before: put its keys folder at {home.keys}, or set {variable}.\n"
            "  - A new, empty database: make the keys once with `python -m mdmhub.keys`, and back them up."
        ) from error


def main() -> None:
    """Make the missing keys of this HUB_HOME and say which."""
    home = Home(env().HUB_HOME)
    made = make_keys(home)
    sys.stdout.write(f"{home.keys}: {'made ' + ', '.join(made) if made else 'all keys are there, none made'}\n")


if __name__ == "__main__":
    main()
