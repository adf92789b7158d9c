"""The hub's configuration: every environment variable it reads, typed, with its default and its reason.

A laptop runs with no variable set. A variable with the hub's own prefix that is not listed here is a typing
mistake and stops the start, because a misspelt setting that is silently ignored is found only in production.
"""

import difflib
import os
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

BASE_DIR = Path(__file__).resolve().parent.parent
PREFIX = "HUB_"
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  (told apart from one address, not listened on here)


class Misconfigured(Exception):
    """The environment does not describe a hub that can start; the message says which variable and how to mend it."""


class Env(BaseModel):
    """All settings that come from outside. Field names are the variables' names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    DATABASE_URL: str | None = Field(
        None, description="postgresql://user:password@host:port/name of an external PostgreSQL 15+; absent: embedded"
    )
    BROKER_URL: str | None = Field(
        None, description="redis://, rediss:// or redis+socket:// of an external broker; absent: embedded Valkey"
    )
    HUB_HOME: Path = Field(BASE_DIR / ".hub", description="folder of the embedded servers, the keys and the logs")
    DEBUG: bool | None = Field(
        None, description="debug pages and demo logins; default: on with the embedded database, else off"
    )
    SECRET_KEY: str | None = Field(None, description="Django's signing key; absent: HUB_HOME/keys")
    HUB_FIELD_KEY: str | None = Field(
        None, description="keys that encrypt stored credentials, newest first, comma separated; absent: HUB_HOME/keys"
    )
    HUB_OIDC_KEY: str | None = Field(None, description="RSA private key (PEM) that signs tokens; absent: HUB_HOME/keys")
    HUB_AUDIT_KEY: str | None = Field(
        None,
        description="Ed25519 private keys (PEM) that sign checkpoints of the audit, newest first; absent: HUB_HOME/keys",
    )
    ALLOWED_HOSTS: tuple[str, ...] = Field(
        (), description="host names the hub answers to, comma separated; needed when DEBUG is off"
    )
    CSRF_TRUSTED_ORIGINS: tuple[str, ...] = Field(
        (), description="origins (https://name) whose forms are accepted behind a proxy, comma separated"
    )
    HOST: str = Field("127.0.0.1", description="address the web server listens on")
    PORT: int = Field(8000, ge=1, le=65535, description="port the web server listens on; busy: the next free one")
    HUB_BEHIND_PROXY: bool = Field(default=False, description="trust X-Forwarded-Proto of the proxy in front")
    HUB_HTTPS: bool = Field(
        default=True, description="with DEBUG off: redirect to https and send HSTS; off only for tests on loopback"
    )
    HUB_STATEMENT_TIMEOUT_MS: int = Field(
        0, ge=0, description="longest time for one SQL statement; 0: no limit (commands); `up` sets it for the web"
    )
    HUB_DURABLE: bool = Field(
        default=True, description="embedded PostgreSQL flushes to disk; off only for throw-away test data"
    )
    MAX_UPLOAD_BYTES: int = Field(
        1024**3, ge=1, description="largest file a browser may upload; larger ones: `manage.py ingest`, on the server"
    )
    OUTBOUND_ALLOWED_HOSTS: tuple[str, ...] = Field(
        (),
        description="hosts, addresses or networks inside your own network that connections may reach, comma separated",
    )
    HUB_LOG_FORMAT: Literal["plain", "json"] | None = Field(
        None, description="log lines as text or JSON; default: plain when DEBUG is on, else json"
    )
    HUB_LOG_LEVEL: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least level logged")

    @field_validator("ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "OUTBOUND_ALLOWED_HOSTS", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("HUB_HOME")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @field_validator("DATABASE_URL")
    @classmethod
    def _postgresql_only(cls, value: str | None) -> str | None:
        if value is not None and urlsplit(value).scheme not in {"postgres", "postgresql"}:
            raise ValueError("must begin with postgresql:// (the hub runs on PostgreSQL only)")
        return value

    @field_validator("BROKER_URL")
    @classmethod
    def _redis_protocol(cls, value: str | None) -> str | None:
        if value is not None and urlsplit(value).scheme not in {"redis", "rediss", "redis+socket"}:
            raise ValueError("must begin with redis://, rediss:// or redis+socket://")
        return value

    @model_validator(mode="after")
    def _production_needs_hosts(self) -> "Env":
        if not self.debug and not self.ALLOWED_HOSTS:
            raise ValueError("ALLOWED_HOSTS must name the host names of this hub when DEBUG is off")
        return self

    @property
    def debug(self) -> bool:
        """DEBUG, or its default: on for a hub of one's own, off as soon as a database is given from outside."""
        return self.DATABASE_URL is None if self.DEBUG is None else self.DEBUG

    @property
    def log_format(self) -> str:
        return self.HUB_LOG_FORMAT or ("plain" if self.debug else "json")

    @property
    def allowed_hosts(self) -> list[str]:
        """ALLOWED_HOSTS, and with DEBUG the names a laptop is reached by."""
        if not self.debug:
            return list(self.ALLOWED_HOSTS)
        return [*self.ALLOWED_HOSTS, *LOOPBACK, "*" if self.HOST in EVERYWHERE else self.HOST]


def unknown_variables(environ: dict[str, str]) -> list[str]:
    """One sentence for each variable that begins with HUB_ but is none of ours."""
    known = sorted(Env.model_fields)
    found = []
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in Env.model_fields:
            near = difflib.get_close_matches(name, known, n=1)
            found.append(f"{name} is not a setting of the hub" + (f"; did you mean {near[0]}?" if near else ""))
    return found


def read_env(environ: dict[str, str] | None = None) -> Env:
    """Read and check the environment; a variable that is set to nothing counts as not set.

    Raises Misconfigured with one line per mistake.
    """
    given = dict(os.environ) if environ is None else environ
    problems = unknown_variables(given)
    env = None
    try:
        env = Env.model_validate({name: value for name, value in given.items() if name in Env.model_fields and value})
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False):
            where = ".".join(str(part) for part in fault["loc"]) or "environment"
            problems.append(f"{where}: {fault['msg'].removeprefix('Value error, ')}")
    if env is None or problems:
        raise Misconfigured("The environment is not right:\n" + "\n".join(f"  - {line}" for line in problems))
    return env


def reference() -> str:
    """Every variable as a table in Markdown: docs/reference/configuration.md."""
    lines = ["| Variable | Default | What it is for |", "|---|---|---|"]
    for name, field in Env.model_fields.items():
        default = field.default
        if isinstance(default, Path):
            shown = f"`{default.relative_to(BASE_DIR)}` beside manage.py"
        else:
            text = str(default).lower() if isinstance(default, bool) else str(default)
            shown = "" if default in (None, ()) else f"`{text}`"
        lines.append(f"| `{name}` | {shown} | {field.description} |")
    return "\n".join(lines) + "\n"


@lru_cache(maxsize=1)
def env() -> Env:
    """The process's configuration, read once."""
    return read_env()


def parse_database_url(url: str) -> dict[str, Any]:
    """Django's connection settings for a PostgreSQL URL; query parameters become libpq options."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    host = options.pop("host", None) or parts.hostname or ""
    return {
        "NAME": unquote(parts.path.lstrip("/")) or "hub",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(host),
        "PORT": str(options.pop("port", None) or parts.port or ""),
        "OPTIONS": options,
    }
