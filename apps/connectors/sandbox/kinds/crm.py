"""The CRM, in the manner of Salesforce's REST API: accounts, upsert by an external id, errors as a list."""

import secrets
import string
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from apps.connectors.sandbox import fields, kind
from apps.connectors.sandbox.fields import Fault, Field
from apps.connectors.sandbox.kind import Answer, Kind, Request, Route
from apps.connectors.sandbox.moments import iso, moment
from apps.connectors.sandbox.store import Row

ROOT: Final = "/services/data/v62.0"
ACCOUNT: Final = f"{ROOT}/sobjects/Account"
LETTERS: Final = string.ascii_letters + string.digits
PAGE: Final = 2_000
ZONE: Final = "+0000"


class Crm(Kind):
    name = "crm"
    id_name = "Id"
    key_field = "MDM_Key__c"
    modified_name = "SystemModstamp"
    status_name = "Status__c"
    changed_name = "Phone"
    merges = True
    declared: ClassVar = {
        "attributes": Field("object", read_only=True),
        "Id": Field(read_only=True),
        "RecordType": Field(choices=("Person", "Business")),
        "Name": Field(),
        "FirstName": Field(longest=120),
        "LastName": Field(longest=120),
        "PersonBirthdate": Field("date"),
        "PersonEmail": Field(),
        "Phone": Field(longest=60),
        "Website": Field(),
        "BillingStreet": Field(),
        "BillingStreet2": Field(),
        "BillingCity": Field(longest=120),
        "BillingState": Field(longest=120),
        "BillingPostalCode": Field(longest=40),
        "BillingCountry": Field(longest=80),
        "TaxId__c": Field(longest=60),
        "Lei__c": Field(longest=20),
        "Language__c": Field(longest=20),
        "Status__c": Field(choices=("Active", "Inactive", "Prospect", "Closed", "Blocked")),
        "MDM_Key__c": Field(longest=120),
        "MDM_Id__c": Field(longest=120),
        "MDM_Version__c": Field("number"),
        "IsDeleted": Field(read_only=True),
        "MasterRecordId": Field(read_only=True),
        "CreatedDate": Field(read_only=True),
        "SystemModstamp": Field(read_only=True),
    }
    words: ClassVar = {
        kind.AUTH: (401, "INVALID_SESSION_ID"),
        kind.LIMIT: (429, "REQUEST_LIMIT_EXCEEDED"),
        kind.DOWN: (503, "SERVER_UNAVAILABLE"),
        kind.BROKEN: (500, "UNKNOWN_EXCEPTION"),
        kind.DENIED: (403, "INSUFFICIENT_ACCESS_OR_READONLY"),
        kind.NOT_FOUND: (404, "NOT_FOUND"),
        kind.NO_METHOD: (405, "METHOD_NOT_ALLOWED"),
        kind.BAD_BODY: (400, "JSON_PARSER_ERROR"),
        kind.BAD_PARAMETER: (400, "INVALID_CROSS_REFERENCE_KEY"),
        kind.MEDIA: (415, "UNSUPPORTED_MEDIA_TYPE"),
        kind.DUPLICATE: (400, "DUPLICATE_VALUE"),
        kind.GONE: (404, "ENTITY_IS_DELETED"),
        fields.UNKNOWN: (400, "INVALID_FIELD"),
        fields.READ_ONLY: (400, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        fields.TOO_LONG: (400, "STRING_TOO_LONG"),
        fields.WRONG_TYPE: (400, "FIELD_INTEGRITY_EXCEPTION"),
        fields.NOT_IN_LIST: (400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
    }

    def routes(self) -> list[Route]:
        return [
            Route("PATCH", f"{ACCOUNT}/MDM_Key__c/([^/]+)", self._upsert),
            Route("GET", f"{ACCOUNT}/MDM_Key__c/([^/]+)", self._read_by_key),
            Route("POST", ACCOUNT, self._create),
            Route("PATCH", f"{ACCOUNT}/([^/]+)", self._update),
            Route("GET", f"{ACCOUNT}/([^/]+)", self._read),
            Route("DELETE", f"{ACCOUNT}/([^/]+)", self._delete),
            Route("POST", f"{ACCOUNT}/([^/]+)/merge", self._merge),
            Route("GET", f"{ROOT}/changes", self._changes),
            Route("GET", f"{ROOT}/limits", self._limits),
        ]

    def new_id(self) -> str:
        return "001" + "".join(secrets.choice(LETTERS) for _ in range(15))

    @staticmethod
    def key_of(values: Mapping[str, Any]) -> str | None:
        return values.get("MDM_Key__c")

    @staticmethod
    def version_of(values: Mapping[str, Any]) -> Any:
        return values.get("MDM_Version__c")

    def title(self, values: Mapping[str, Any]) -> str:
        whole = f"{values.get('FirstName') or ''} {values.get('LastName') or ''}".strip()
        return values.get("Name") or whole

    def show(self, row: Row) -> dict[str, Any]:
        return {
            "attributes": {"type": "Account", "url": f"{ACCOUNT}/{row.id}"},
            "Id": row.id,
            **{name: row.fields.get(name) for name, known in self.declared.items() if not known.read_only},
            "IsDeleted": row.deleted,
            "MasterRecordId": row.merged_into,
            "CreatedDate": iso(row.created, ZONE),
            "SystemModstamp": iso(row.modified, ZONE),
        }

    # ── errors ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def error(self, status: int, word: str, sentence: str, names: Sequence[str] = ()) -> Answer:
        return Answer(status, [{"message": sentence, "errorCode": word, "fields": list(names)}])

    def bad_fields(self, faults: list[Fault]) -> Answer:
        lines = [{"message": one.detail, "errorCode": self.words[one.code][1], "fields": [one.name]} for one in faults]
        return Answer(400, lines)

    def failed_inside(self) -> Answer:
        error = {"statusCode": "UNKNOWN_EXCEPTION", "message": kind.SENTENCES[kind.BROKEN], "fields": []}
        return Answer(200, {"id": None, "success": False, "errors": [error]})

    def limited(self) -> Answer:
        return self.error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")

    # ── addresses ───────────────────────────────────────────────────────────────────────────────────────────────────
    def _upsert(self, request: Request, parts: list[str]) -> Answer:
        values = self.json_body(request)
        key = parts[0]
        if values.setdefault("MDM_Key__c", key) != key:
            sentence = "The external id in the body differs from the one in the address."
            raise self.refused(fields.READ_ONLY, sentence, ["MDM_Key__c"])
        values = self.checked(values)
        with self.store.turn():
            found = self.store.by_key(key)
            if found is None:
                row = self.add(values, request.writer)
            else:
                row = self.change(found.id, values, request.writer, clash=request.clash)
        body = {"id": row.id, "success": True, "errors": [], "created": found is None}
        return Answer(201 if found is None else 200, body)

    def _create(self, request: Request, parts: list[str]) -> Answer:
        values = self.checked(self.json_body(request))
        with self.store.turn():
            self.keep_unique(values)
            row = self.add(values, request.writer)
        return Answer(201, {"id": row.id, "success": True, "errors": []}, {"Location": f"{ACCOUNT}/{row.id}"})

    def _update(self, request: Request, parts: list[str]) -> Answer:
        self.change(parts[0], self.checked(self.json_body(request)), request.writer, clash=request.clash)
        return Answer(204)

    def _read(self, request: Request, parts: list[str]) -> Answer:
        return Answer(200, self.view(self.living(parts[0])))

    def _read_by_key(self, request: Request, parts: list[str]) -> Answer:
        found = self.store.by_key(parts[0])
        return Answer(200, self.view(found)) if found else self.trouble(kind.NOT_FOUND)

    def _delete(self, request: Request, parts: list[str]) -> Answer:
        self.remove(parts[0], request.writer, clash=request.clash)
        return Answer(204)

    def _merge(self, request: Request, parts: list[str]) -> Answer:
        losers = self.json_body(request).get("losers")
        if not isinstance(losers, list) or not losers or not all(isinstance(loser, str) for loser in losers):
            raise self.refused(kind.BAD_PARAMETER, "losers must be a list of ids.", ["losers"])
        winner = self.fold(parts[0], losers, request.writer)
        return Answer(200, {"id": winner.id, "success": True, "errors": [], "mergedRecordIds": losers})

    def _changes(self, request: Request, parts: list[str]) -> Answer:
        after, after_id = request.query.get("after", ""), request.query.get("after_id", "")
        try:
            start = moment(after) if after else -1
        except ValueError:
            raise self.refused(kind.BAD_PARAMETER, f"after is no moment: {after[:60]!r}", ["after"]) from None
        limit = self.number(request, "limit", PAGE, PAGE)
        rows = self.store.after(start, after_id, limit=limit + 1)
        page = rows[:limit]
        last = (
            {"after": iso(page[-1].modified, ZONE), "after_id": page[-1].id}
            if page
            else {"after": after, "after_id": after_id}
        )
        return Answer(200, {"records": [self.listed(row) for row in page], "done": len(rows) <= limit, "next": last})

    def _limits(self, request: Request, parts: list[str]) -> Answer:
        return Answer(200, {"DailyApiRequests": {"Max": 15_000, "Remaining": 15_000}})
