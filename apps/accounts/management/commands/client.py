"""`manage.py client`: give a machine access to the API, renew its secret, take the access away."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.accounts import clients
from apps.accounts.roles import SCOPES
from apps.common.errors import HubError


class Command(BaseCommand):
    help = "Create an OAuth2 client for a machine and print its id and secret once; later --rotate, --revoke, --list."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", help="name of the client: a-z, 0-9, - and _")
        parser.add_argument("--scope", action="append", default=[], metavar="SCOPE", help=f"one of {', '.join(SCOPES)}")
        parser.add_argument("--system", action="append", default=[], metavar="CODE", help="may write this system only")
        parser.add_argument("--json", action="store_true", help="print JSON")
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--rotate", action="store_true", help="make a new secret")
        what.add_argument("--revoke", action="store_true", help="end the client at once")
        what.add_argument("--list", action="store_true", help="list all clients")

    def handle(self, *_: Any, **options: Any) -> None:
        if options["list"]:
            for client in clients.clients():
                self.stdout.write(f"{client.name}\t{client.id}\t{' '.join(client.get_scopes())}")
            return
        if not options["name"]:
            raise CommandError("Name the client.")
        try:
            self._one(options["name"], options)
        except HubError as error:
            raise CommandError(error.detail) from error

    def _one(self, name: str, options: dict[str, Any]) -> None:
        if options["revoke"]:
            clients.revoke_client(name=name)
            self.stdout.write(f"{name}: revoked; its tokens are worth nothing from now on")
            return
        if options["rotate"]:
            made = clients.rotate_secret(name=name)
        else:
            made = clients.create_client(name=name, scopes=options["scope"], systems=options["system"])
        if options["json"]:
            told = {"name": made.name, "client_id": made.client_id, "client_secret": made.secret, "scopes": made.scopes}
            self.stdout.write(json.dumps(told))
            return
        self.stdout.write(f"client id      {made.client_id}\nclient secret  {made.secret}   (shown only now)")
        self.stdout.write(f"scopes         {' '.join(made.scopes)}")
