"""mdmhub.env: every variable typed, every mistake told."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdmhub.env import Misconfigured, parse_database_url, read_env


def test_a_laptop_needs_no_variable() -> None:
    env = read_env({})
    assert env.debug
    assert env.DATABASE_URL is None
    assert env.HUB_HOME.name == ".hub"
    assert set(env.allowed_hosts) == {"localhost", "127.0.0.1", "[::1]"}


def test_an_external_database_means_production() -> None:
    env = read_env({"DATABASE_URL": "postgresql://u:p@db/hub", "ALLOWED_HOSTS": "hub.example.org, www.example.org"})
    assert not env.debug
    assert env.allowed_hosts == ["hub.example.org", "www.example.org"]
    assert env.log_format == "json"


@pytest.mark.parametrize(
    ("given_environment", "told"),
    [
        ({"HUB_HOEM": "/x"}, "did you mean HUB_HOME"),
        ({"HUB_NONSENSE": "1"}, "HUB_NONSENSE is not a setting of the hub"),
        ({"PORT": "eighty"}, "PORT"),
        ({"PORT": "70000"}, "PORT"),
        ({"DEBUG": "perhaps"}, "DEBUG"),
        ({"DATABASE_URL": "mysql://u@h/d"}, "PostgreSQL only"),
        ({"BROKER_URL": "amqp://h"}, "redis://"),
        ({"DEBUG": "0"}, "ALLOWED_HOSTS must name"),
        ({"HUB_LOG_LEVEL": "LOUD"}, "HUB_LOG_LEVEL"),
        ({"MAX_UPLOAD_BYTES": "2 GB"}, "MAX_UPLOAD_BYTES"),
        ({"MAX_UPLOAD_BYTES": "0"}, "MAX_UPLOAD_BYTES"),
    ],
    ids=lambda value: "=".join(*value.items()) if isinstance(value, dict) else "told",
)
def test_a_mistake_is_told(given_environment: dict[str, str], told: str) -> None:
    with pytest.raises(Misconfigured, match="The environment is not right") as caught:
        read_env(given_environment)
    assert told in str(caught.value)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(Misconfigured) as caught:
        read_env({"HUB_HOEM": "/x", "PORT": "0", "DATABASE_URL": "sqlite:///x"})
    assert all(name in str(caught.value) for name in ("HUB_HOEM", "PORT", "DATABASE_URL"))


def test_a_secret_is_not_repeated_in_the_message() -> None:
    with pytest.raises(Misconfigured) as caught:
        read_env({"DATABASE_URL": "mysql://user:hunter2@host/db"})
    assert "hunter2" not in str(caught.value)


def test_home_is_absolute() -> None:
    assert Path.cwd() / "somewhere" == read_env({"HUB_HOME": "somewhere"}).HUB_HOME


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p%40ss@db.example.org:5433/hub", ("hub", "u", "p@ss", "db.example.org", "5433", {})),
        ("postgres:///hub?host=/run/pg", ("hub", "", "", "/run/pg", "", {})),
        ("postgresql://u@h/d?sslmode=require", ("d", "u", "", "h", "", {"sslmode": "require"})),
        ("postgresql://u@[::1]/", ("hub", "u", "", "::1", "", {})),
    ],
    ids=["full", "socket", "options", "defaults"],
)
def test_database_url(url: str, expected: tuple[object, ...]) -> None:
    parsed = parse_database_url(url)
    assert tuple(parsed[name] for name in ("NAME", "USER", "PASSWORD", "HOST", "PORT", "OPTIONS")) == expected


NAMES = st.sampled_from(["PORT", "DEBUG", "ALLOWED_HOSTS", "HUB_HOME", "DATABASE_URL"])


@given(st.dictionaries(NAMES, st.text(max_size=30)))
def test_any_text_is_read_or_refused(environment: dict[str, str]) -> None:
    try:
        read_env(environment)
    except Misconfigured as error:
        assert str(error).count("\n") >= 1
