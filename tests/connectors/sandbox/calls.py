"""How a test speaks to a server of each kind: plain HTTP, and the same deeds in four languages."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from apps.connectors.sandbox import Far

ACCOUNT = "/services/data/v62.0/sobjects/Account"
CUSTOMERS = "/api/data/customers"
V1 = "/v1/customers"
CONTACTS = "/api/v2/contacts"


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    text: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.text)


def call(far: Far, method: str, path: str, body: Any = None, **headers: str) -> Reply:
    """One request on a connection of its own, with the key. `body`: an object becomes JSON, text goes as it is. `If_Match` is If-Match."""
    sent = {"Authorization": f"Bearer {far.key}"} | {name.replace("_", "-"): value for name, value in headers.items()}
    if isinstance(body, dict | list):
        body = json.dumps(body, ensure_ascii=False).encode()
        sent.setdefault("Content-Type", "application/json")
    connection = HTTPConnection(urlsplit(far.url).netloc, timeout=20)
    try:
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


@dataclass(frozen=True)
class Speech:
    """The words of one kind. `short` is a field with its longest length, `typed` one with a value of the wrong type."""

    kind: str
    id: str
    name: str
    phone: str
    key: str
    version: str
    status: str
    active: str
    short: tuple[str, int]
    typed: tuple[str, Any]
    modified: str
    unknown_status: int = 400
    invalid: int = 400

    def create(self, far: Far, key: str, fields: Mapping[str, Any]) -> Reply:
        return _CREATE[self.kind](far, key, dict(fields))

    def update(self, far: Far, record_id: str, fields: Mapping[str, Any], **headers: str) -> Reply:
        return _UPDATE[self.kind](far, record_id, dict(fields), headers)

    def read(self, far: Far, record_id: str) -> Reply:
        return call(far, "GET", self.one(record_id))

    def made(self, far: Far, key: str, fields: Mapping[str, Any]) -> str:
        """The id of a new record."""
        reply = self.create(far, key, fields)
        assert reply.status in (200, 201), reply.text
        body = reply.body.get("contact", reply.body)
        return str(body.get(self.id) or body["id"])

    def value(self, far: Far, record_id: str, name: str) -> Any:
        body = self.read(far, record_id).body
        return body.get("contact", body)[name]

    def one(self, record_id: str) -> str:
        where = {"crm": f"{ACCOUNT}/", "erp": f"{CUSTOMERS}(", "billing": f"{V1}/", "support": f"{CONTACTS}/"}[
            self.kind
        ]
        return where + quote(record_id, safe="") + {"erp": ")", "support": ".json"}.get(self.kind, "")

    def delete(self, far: Far, record_id: str) -> Reply:
        return call(far, "DELETE", self.one(record_id))


def changes(far: Far, *, page: int) -> list[dict[str, Any]]:
    """Everything that changed, page by page to the end, through each kind's own cursor."""
    found: list[dict[str, Any]] = []
    more, cursor = True, {"crm": f"limit={page}", "erp": f"$top={page}", "billing": "", "support": ""}[far.kind]
    while more:
        if far.kind == "crm":
            body = call(far, "GET", f"/services/data/v62.0/changes?{cursor}").body
            found += body["records"]
            more, cursor = not body["done"], urlencode({**body["next"], "limit": page})
        elif far.kind == "erp":
            body = call(far, "GET", f"{CUSTOMERS}?{cursor}").body
            found += body["value"]
            more = "@odata.nextLink" in body
            cursor = urlsplit(body.get("@odata.nextLink", "")).query
        elif far.kind == "billing":
            body = call(far, "GET", f"/v1/events?limit={page}{cursor}").body
            found += [event["data"]["object"] for event in body["data"]]
            more, cursor = body["has_more"], f"&after={body['data'][-1]['id']}" if body["data"] else cursor
        else:
            body = call(far, "GET", f"/api/v2/incremental/contacts/cursor.json?per_page={page}{cursor}").body
            found += body["contacts"]
            more, cursor = not body["end_of_stream"], f"&cursor={quote(body['after_cursor'] or '')}"
    return found


def billing_form(fields: Mapping[str, Any]) -> str:
    pairs: list[tuple[str, Any]] = []
    for name, value in fields.items():
        if isinstance(value, dict):
            pairs += [(f"{name}[{part}]", "" if text is None else text) for part, text in value.items()]
        elif isinstance(value, list):
            pairs += [(f"{name}[{number}]", text) for number, text in enumerate(value)]
        else:
            pairs.append((name, "" if value is None else value))
    return urlencode(pairs)


def _post_form(far: Far, path: str, fields: dict[str, Any], headers: Mapping[str, str]) -> Reply:
    return call(far, "POST", path, billing_form(fields), Content_Type="application/x-www-form-urlencoded", **headers)


def _create_billing(far: Far, key: str, fields: dict[str, Any]) -> Reply:
    fields["metadata"] = {"mdm_key": key} | fields.get("metadata", {})
    return _post_form(far, V1, fields, {})


def _update_erp(far: Far, record_id: str, fields: dict[str, Any], headers: Mapping[str, str]) -> Reply:
    return call(far, "PATCH", f"{CUSTOMERS}({record_id})", fields, **{"If_Match": "*", **headers})


_CREATE = {
    "crm": lambda far, key, fields: call(far, "PATCH", f"{ACCOUNT}/MDM_Key__c/{quote(key, safe='')}", fields),
    "erp": lambda far, key, fields: call(far, "POST", CUSTOMERS, {"mdmkey": key} | fields),
    "billing": _create_billing,
    "support": lambda far, key, fields: call(
        far, "POST", f"{CONTACTS}/create_or_update.json", {"contact": {"external_id": key} | fields}
    ),
}
_UPDATE = {
    "crm": lambda far, record_id, fields, headers: call(far, "PATCH", f"{ACCOUNT}/{record_id}", fields, **headers),
    "erp": _update_erp,
    "billing": lambda far, record_id, fields, headers: _post_form(far, f"{V1}/{record_id}", fields, headers),
    "support": lambda far, record_id, fields, headers: call(
        far, "PUT", f"{CONTACTS}/{record_id}.json", {"contact": fields}, **headers
    ),
}
SPEECH = {
    "crm": Speech(
        "crm", "Id", "Name", "Phone", "MDM_Key__c", "MDM_Version__c", "Status__c", "Active", ("Lei__c", 20),
        ("MDM_Version__c", "three"), "SystemModstamp",
    ),
    "erp": Speech(
        "erp", "customerid", "name", "telephone", "mdmkey", "mdmversion", "statuscode", "Active", ("duns", 20),
        ("blocked", "yes"), "modifiedon",
    ),
    "billing": Speech(
        "billing", "id", "name", "phone", "metadata", "metadata", "status", "active", ("business_name", 150),
        ("credit_limit", "plenty"), "updated",
    ),
    "support": Speech(
        "support", "id", "name", "phone", "external_id", "hub_version", "status", "active", ("locale", 20),
        ("birth_date", "yesterday"), "updated_at", invalid=422,
    ),
}  # fmt: skip
