"""mdmhub.keys: made once, closed to others, never replaced, needed with an external database."""

import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from apps.events.checkpoint_keys import make_key
from mdmhub.embedded.home import Home
from mdmhub.env import Misconfigured, read_env
from mdmhub.keys import VARIABLES, load_keys, make_keys

AUDIT_KEY = make_key()
EXTERNAL = {"DATABASE_URL": "postgresql://u@h/d", "ALLOWED_HOSTS": "x"}


def test_keys_are_made_once(tmp_path: Path) -> None:
    env = read_env({"HUB_HOME": str(tmp_path)})
    first = load_keys(env)
    assert load_keys(env) == first
    assert first.oidc.startswith("-----BEGIN PRIVATE KEY-----")
    assert len(first.signing) >= 50
    assert all(stat.S_IMODE((tmp_path / "keys" / name).stat().st_mode) == 0o600 for name in VARIABLES)


def test_an_existing_key_is_never_touched(tmp_path: Path) -> None:
    home = Home(tmp_path)
    make_keys(home)
    before = (home.keys / "django-secret").read_text()
    (home.keys / "field-encryption").unlink()
    assert make_keys(home) == ["field-encryption"]
    assert (home.keys / "django-secret").read_text() == before


def test_an_external_database_without_keys_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"python -m mdmhub\.keys"):
        load_keys(read_env({**EXTERNAL, "HUB_HOME": str(tmp_path)}))
    assert not list(tmp_path.iterdir())


def test_keys_may_come_from_the_environment(tmp_path: Path) -> None:
    newer, older = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    given = {
        "SECRET_KEY": "s" * 50,
        "HUB_FIELD_KEY": f"{newer}, {older}",
        "HUB_OIDC_KEY": "pem",
        "HUB_AUDIT_KEY": AUDIT_KEY,
    }
    keys = load_keys(read_env({**EXTERNAL, **given, "HUB_HOME": str(tmp_path)}))
    assert keys.field == (newer, older)


def test_a_key_that_cannot_encrypt_is_refused(tmp_path: Path) -> None:
    given = {"SECRET_KEY": "s" * 50, "HUB_FIELD_KEY": "short", "HUB_OIDC_KEY": "pem", "HUB_AUDIT_KEY": AUDIT_KEY}
    with pytest.raises(Misconfigured, match="no Fernet key"):
        load_keys(read_env({**EXTERNAL, **given, "HUB_HOME": str(tmp_path)}))
