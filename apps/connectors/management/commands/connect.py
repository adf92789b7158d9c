"""manage.py connect FILE.toml: a system is connected by one document; a new connection observes."""

import json
import os
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.common.act import Act
from apps.common.errors import HubError
from apps.connectors import connections, registry
from apps.connectors.contract import Answer
from apps.connectors.documents import DocumentError, read_document, sensitive_names, table
from apps.connectors.models import Connection
from apps.connectors.redact import Redactor
from apps.connectors.secrets import open_credentials

PROBE_SECONDS = 20.0


class Command(BaseCommand):
    help = (
        "Connect a system by its document (TOML), or connect it anew with a changed one. A new connection observes: what it would be"
        " told is planned and counted, nothing is sent until two people take it live."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "file", type=Path, help="The document: address, calls, mapping, limits. Never a credential."
        )
        parser.add_argument(
            "--credential", action="append", default=[], metavar="NAME=ENVVAR",
            help="A credential the document names, read from an environment variable; may be repeated. Left out: those known stay.",
        )  # fmt: skip
        parser.add_argument(
            "--check", action="store_true", help="Ask the target first whether it answers and lets us in."
        )
        parser.add_argument("--dry-run", action="store_true", help="Check the document, keep nothing.")
        parser.add_argument("--json", action="store_true", help="Print the result as one line of JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            facts = self._connect(options)
        except HubError as error:
            fields = "".join(f"\n  {f.field or options['file'].name}: {f.detail}" for f in getattr(error, "fields", ()))
            first = "The document cannot be used:" if fields else error.detail
            raise CommandError(first + fields) from error
        self.stdout.write(json.dumps(facts) if options["json"] else _sentence(facts))

    def _connect(self, options: Mapping[str, Any]) -> dict[str, Any]:
        document = _read(options["file"])
        credentials = _credentials(options["credential"])
        problems = registry.check(document)
        if problems:
            raise DocumentError(problems)
        known = (
            Connection.objects.filter(system__code=document["connection"]["system"]).exclude(adapter="webhook").first()
        )
        facts: dict[str, Any] = {
            "system": document["connection"]["system"],
            "adapter": document["connection"]["adapter"],
        }
        if options["check"]:
            facts["probe_ms"] = _probe(document, credentials or _stored(known)).ms
        if options["dry_run"]:
            return facts | {"connection": known.name if known else None, "new": known is None, "dry_run": True}
        made = connections.connect(
            document=document, credentials=credentials, act=Act("command:connect", f"connect {options['file'].name}")
        )
        return facts | {"connection": made.name, "new": known is None, "mode": made.mode, "dry_run": False}


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_document(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}."
        ) from error


def _credentials(pairs: list[str]) -> dict[str, str]:
    """Credentials by name; none of them is ever part of the command line."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, mark, variable = pair.partition("=")
        if not mark or not name or not variable:
            raise CommandError(
                f"{name!r}: write --credential NAME=ENVVAR, with the value in that environment variable."
            )
        value = os.environ.get(variable, "")
        if not value:
            raise CommandError(f"The environment variable {variable} is not set or empty.")
        found[name] = value
    return found


def _stored(known: Connection | None) -> dict[str, str]:
    return open_credentials(bytes(known.credentials), known.name) if known is not None and known.credentials else {}


def _probe(document: Mapping[str, Any], credentials: Mapping[str, str]) -> Answer:
    adapter = registry.make(
        table(document, "connection")["adapter"], document, credentials, settings.OUTBOUND_ALLOWED_HOSTS
    )
    try:
        answer = adapter.probe(timeout=PROBE_SECONDS)
    finally:
        adapter.close()
    if answer.trouble is not None:
        said = Redactor(sensitive_names(document), credentials.values()).text(
            answer.detail or answer.response, limit=500
        )
        raise CommandError(f"The target does not let us in ({answer.trouble}): {said}\nNothing was kept.")
    return answer


def _sentence(facts: Mapping[str, Any]) -> str:
    answered = f"The target answered in {facts['probe_ms']} ms. " if "probe_ms" in facts else ""
    if facts["dry_run"]:
        what = "a new connection" if facts["new"] else f"the connection {facts['connection']} anew"
        return f"{answered}The document is right; it would make {what}. Nothing was kept."
    if facts["new"]:
        return f"{answered}{facts['connection']} is connected and observes. See what it would be told: manage.py sync plan {facts['system']}"
    return f"{answered}{facts['connection']} has its new document; its mode is {facts['mode']}. Every customer is planned again."
