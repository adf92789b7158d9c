"""The ERP, in the manner of Dynamics' OData: customers with ETags; no upsert, no idempotency keys, no merge."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from apps.connectors.sandbox import fields, kind
from apps.connectors.sandbox.fields import Field
from apps.connectors.sandbox.kind import Answer, Kind, Request, Route
from apps.connectors.sandbox.moments import iso, moment
from apps.connectors.sandbox.store import Row

CUSTOMERS: Final = "/api/data/customers"
ONE: Final = rf"{CUSTOMERS}\('?([^'/()]+)'?\)"
FIRST_NUMBER: Final = 80_000_001
PAGE, LARGEST_PAGE = 1_000, 5_000
FILTER: Final = re.compile(r"\s*(mdmkey|accountnumber)\s+eq\s+'((?:[^']|'')*)'\s*")


class Erp(Kind):
    name = "erp"
    id_name = "customerid"
    key_field = "mdmkey"
    modified_name = "modifiedon"
    status_name = "statuscode"
    changed_name = "telephone"
    unique = ("accountnumber",)
    declared: ClassVar = {
        "customerid": Field(read_only=True),
        "accountnumber": Field(longest=120),
        "customertype": Field(choices=("person", "organization")),
        "name": Field(longest=160),
        "firstname": Field(longest=80),
        "lastname": Field(longest=80),
        "organizationname": Field(longest=40, cut=True),
        "birthdate": Field("date"),
        "telephone": Field(longest=60),
        "vatnumber": Field(longest=60),
        "nationalid": Field(longest=60),
        "registrationnumber": Field(longest=60),
        "duns": Field(longest=20),
        "line1": Field(),
        "line2": Field(),
        "city": Field(longest=80),
        "state": Field(longest=80),
        "postalcode": Field(longest=40),
        "country": Field(longest=80),
        "currency": Field(longest=3),
        "paymentterms": Field(longest=40),
        "creditlimit": Field("number"),
        "statuscode": Field(choices=("Active", "Inactive", "OnHold", "Closed", "Prospect")),
        "blocked": Field("boolean"),
        "mdmkey": Field(longest=120),
        "mdmid": Field(longest=120),
        "mdmversion": Field("number"),
        "createdon": Field(read_only=True),
        "modifiedon": Field(read_only=True),
        "@odata.etag": Field(read_only=True),
    }
    words: ClassVar = {
        kind.AUTH: (401, "0x80048306"),
        kind.LIMIT: (429, "0x80072322"),
        kind.DOWN: (503, "0x80044151"),
        kind.BROKEN: (500, "0x80040216"),
        kind.DENIED: (403, "0x80040220"),
        kind.NOT_FOUND: (404, "0x80040217"),
        kind.NO_METHOD: (405, "0x80060888"),
        kind.BAD_BODY: (400, "0x80048d19"),
        kind.BAD_PARAMETER: (400, "0x80060888"),
        kind.MEDIA: (415, "0x80060888"),
        kind.DUPLICATE: (409, "0x80040237"),
        kind.STALE: (412, "0x80060882"),
        kind.GONE: (404, "0x80040217"),
        "no_etag": (428, "0x80060893"),
        fields.UNKNOWN: (400, "0x80048d19"),
        fields.READ_ONLY: (400, "0x80040251"),
        fields.TOO_LONG: (400, "0x80044331"),
        fields.WRONG_TYPE: (400, "0x80048d19"),
        fields.NOT_IN_LIST: (400, "0x80048408"),
    }

    def routes(self) -> list[Route]:
        return [
            Route("POST", CUSTOMERS, self._create),
            Route("GET", CUSTOMERS, self._list),
            Route("PATCH", ONE, self._update),
            Route("GET", ONE, self._read),
            Route("DELETE", ONE, self._delete),
            Route("GET", "/api/data/WhoAmI", self._who),
        ]

    def new_id(self) -> str:
        return f"{self.store.next_number('customerid', FIRST_NUMBER):08d}"

    @staticmethod
    def key_of(values: Mapping[str, Any]) -> str | None:
        return values.get("mdmkey")

    @staticmethod
    def version_of(values: Mapping[str, Any]) -> Any:
        return values.get("mdmversion")

    def title(self, values: Mapping[str, Any]) -> str:
        whole = f"{values.get('firstname') or ''} {values.get('lastname') or ''}".strip()
        return values.get("organizationname") or values.get("name") or whole

    def show(self, row: Row) -> dict[str, Any]:
        shown = {name: row.fields.get(name) for name, known in self.declared.items() if not known.read_only}
        return {
            "@odata.etag": etag(row),
            "customerid": row.id,
            **shown,
            "blocked": bool(row.fields.get("blocked")),
            "createdon": iso(row.created),
            "modifiedon": iso(row.modified),
        }

    def listed(self, row: Row) -> dict[str, Any]:
        if row.deleted:
            return {"customerid": row.id, "modifiedon": iso(row.modified), "@removed": {"reason": "deleted"}}
        return self.view(row)

    # ── errors ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def error(self, status: int, word: str, sentence: str, names: Sequence[str] = ()) -> Answer:
        body = {"code": word, "message": sentence} | ({"target": names[0]} if names else {})
        return Answer(status, {"error": body}, {"WWW-Authenticate": "Bearer"} if status == 401 else {})

    def failed_inside(self) -> Answer:
        return Answer(200, self.trouble(kind.BROKEN).body)

    # ── addresses ───────────────────────────────────────────────────────────────────────────────────────────────────
    def _create(self, request: Request, parts: list[str]) -> Answer:
        values = self.checked(self.json_body(request))
        with self.store.turn():
            self.keep_unique(values)
            if values.get("accountnumber") is None:
                values["accountnumber"] = f"A{self.store.next_number('accountnumber', 1):07d}"
            row = self.add(values, request.writer)
        return Answer(201, self.view(row), {"ETag": etag(row), "Location": f"{CUSTOMERS}({row.id})"})

    def _update(self, request: Request, parts: list[str]) -> Answer:
        if "if-match" not in request.headers:
            raise self.refused("no_etag", "An update needs If-Match.")
        values = self.checked(self.json_body(request))
        row = self.change(parts[0], values, request.writer, clash=request.clash, still=self._still(request))
        return Answer(200, self.view(row), {"ETag": etag(row)})

    def _read(self, request: Request, parts: list[str]) -> Answer:
        row = self.living(parts[0])
        return Answer(200, self.view(row), {"ETag": etag(row)})

    def _delete(self, request: Request, parts: list[str]) -> Answer:
        self.remove(parts[0], request.writer, clash=request.clash, still=self._still(request))
        return Answer(204)

    def _still(self, request: Request) -> Callable[[Row], None]:
        wanted = request.headers.get("if-match", "*")

        def check(row: Row) -> None:
            if wanted != "*" and etag(row) not in [tag.strip() for tag in wanted.split(",")]:
                sentence = "The version of the existing record doesn't match the RowVersion property provided."
                raise self.refused(kind.STALE, sentence)

        return check

    def _list(self, request: Request, parts: list[str]) -> Answer:
        query = request.query
        wrong = set(query) - {"$filter", "$top", "modified_after", "after_id"}
        if wrong:
            raise self.refused(kind.BAD_PARAMETER, f"The query parameter {min(wrong)} is not supported.")
        if "$filter" in query:
            return self._filtered(query["$filter"])
        try:
            start = moment(query["modified_after"]) if query.get("modified_after") else -1
        except ValueError:
            raise self.refused(kind.BAD_PARAMETER, "modified_after is no moment.", ["modified_after"]) from None
        top = self.number(request, "$top", PAGE, LARGEST_PAGE)
        rows = self.store.after(start, query.get("after_id", ""), limit=top + 1)
        body: dict[str, Any] = {"value": [self.listed(row) for row in rows[:top]]}
        last = {"modified_after": query.get("modified_after", ""), "after_id": query.get("after_id", "")}
        if page := rows[:top]:
            last = {"modified_after": iso(page[-1].modified), "after_id": page[-1].id}
        link = "@odata.nextLink" if len(rows) > top else "@odata.deltaLink"
        host = request.headers.get("host", "")
        body[link] = f"http://{host}{CUSTOMERS}?{urlencode({**last, '$top': top}, safe='$')}"
        return Answer(200, body)

    def _filtered(self, text: str) -> Answer:
        match = FILTER.fullmatch(text)
        if match is None:
            raise self.refused(kind.BAD_PARAMETER, f"The filter is not supported: {text[:100]}", ["$filter"])
        name, value = match[1], match[2].replace("''", "'")
        row = self.store.by_key(value) if name == "mdmkey" else self.store.having(name, value)
        return Answer(200, {"value": [self.view(row)] if row else []})

    def _who(self, request: Request, parts: list[str]) -> Answer:
        return Answer(200, {"UserId": request.who})


def etag(row: Row) -> str:
    return f'W/"{row.version}-{row.modified}"'
