"""Starts one server: `python -m apps.connectors.sandbox KIND --port P --data FILE --key SECRET`.

Prints one line of JSON, {"kind", "url"}, when it listens. SIGTERM and SIGINT end it at once; what was answered is on disk."""

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from apps.connectors.sandbox.faults import Faults
from apps.connectors.sandbox.kinds import KINDS
from apps.connectors.sandbox.server import Server
from apps.connectors.sandbox.service import Service
from apps.connectors.sandbox.store import Store
from apps.connectors.sandbox.webhooks import Webhooks


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m apps.connectors.sandbox", description="A stand-in for a real system."
    )
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    parser.add_argument("--data", type=Path, required=True, help="the file that keeps the records")
    parser.add_argument("--key", help="the key of the API and of the control addresses")
    parser.add_argument(
        "--keys-file", type=Path, help='JSON with "key" and "webhook_secret"; keeps them out of the list of processes'
    )
    parser.add_argument("--who", default="hub", help="what the history calls the owner of the key")
    parser.add_argument("--webhook", help="address that is told of every change")
    parser.add_argument("--webhook-secret", help="whsec_…, signs what is sent there")
    parser.add_argument("--ends-with-stdin", action="store_true", help="end when standard input is closed")
    found = parser.parse_args(words)
    if found.keys_file:
        keys: dict[str, Any] = json.loads(found.keys_file.read_text())
        found.key = found.key or keys.get("key")
        found.webhook_secret = found.webhook_secret or keys.get("webhook_secret")
    if not found.key:
        parser.error("--key or --keys-file is needed")
    if bool(found.webhook) and not found.webhook_secret:
        parser.error("--webhook needs --webhook-secret")
    return found


def main(words: list[str]) -> None:
    found = arguments(words)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    made = KINDS[found.kind]
    found.data.parent.mkdir(parents=True, exist_ok=True)
    store = Store(found.data, keeps_after=made.keeps_after, unique=made.unique, unique_keys=made.unique_keys)
    service = Service(made(store, Faults()), found.key, found.who)
    if found.webhook:
        service.webhooks = Webhooks(service.kind, store, found.webhook, found.webhook_secret)
        service.webhooks.start()
        store.on_change = service.webhooks.changed
    try:
        server = Server((found.host, found.port), service)
    except OSError as error:
        sys.exit(f"The {found.kind} cannot listen on {found.host} port {found.port}: {error.strerror}.")
    sys.stdout.write(json.dumps({"kind": found.kind, "url": server.url}) + "\n")
    sys.stdout.flush()
    if found.ends_with_stdin:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    server.serve_forever()


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
