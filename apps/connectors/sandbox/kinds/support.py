"""The support desk, in the manner of Zendesk: contacts in an envelope, create_or_update by external_id, merge, a cursor for changes."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from apps.connectors.sandbox import fields, kind
from apps.connectors.sandbox.fields import Fault, Field
from apps.connectors.sandbox.kind import Answer, Kind, Request, Route
from apps.connectors.sandbox.moments import iso
from apps.connectors.sandbox.store import Row

ROOT: Final = "/api/v2"
CONTACT: Final = rf"{ROOT}/contacts/([^/]+)\.json"
FIRST_NUMBER: Final = 360_000_000_001
PAGE: Final = 1_000
INVALID: Final = "RecordInvalid"


class Support(Kind):
    name = "support"
    id_name = "id"
    key_field = "external_id"
    modified_name = "updated_at"
    status_name = "status"
    changed_name = "phone"
    merges = True
    declared: ClassVar = {
        "id": Field(read_only=True),
        "contact_type": Field(choices=("person", "organization")),
        "name": Field(),
        "given_name": Field(longest=120),
        "family_name": Field(longest=120),
        "company": Field(),
        "birth_date": Field("date"),
        "email": Field(),
        "phone": Field(longest=60),
        "website": Field(),
        "city": Field(longest=120),
        "country": Field(longest=80),
        "locale": Field(longest=20),
        "status": Field(choices=("active", "suspended", "closed", "inactive", "prospect")),
        "external_id": Field(longest=120),
        "hub_id": Field(longest=120),
        "hub_version": Field("number"),
        "created_at": Field(read_only=True),
        "updated_at": Field(read_only=True),
        "deleted_at": Field(read_only=True),
        "merged_into": Field(read_only=True),
    }
    words: ClassVar = {
        kind.AUTH: (401, "Couldn't authenticate you"),
        kind.LIMIT: (429, "APIRateLimitExceeded"),
        kind.DOWN: (503, "ServiceUnavailable"),
        kind.BROKEN: (500, "InternalError"),
        kind.DENIED: (403, "Forbidden"),
        kind.NOT_FOUND: (404, "RecordNotFound"),
        kind.NO_METHOD: (405, "MethodNotAllowed"),
        kind.BAD_BODY: (400, "InvalidBody"),
        kind.BAD_PARAMETER: (400, "InvalidParameter"),
        kind.MEDIA: (415, "UnsupportedMediaType"),
        kind.DUPLICATE: (422, "DuplicateValue"),
        kind.STALE: (409, "Conflict"),
        kind.GONE: (404, "RecordNotFound"),
        fields.UNKNOWN: (400, "UnknownField"),
        fields.READ_ONLY: (400, "ReadOnlyField"),
        fields.TOO_LONG: (422, "ValueTooLong"),
        fields.WRONG_TYPE: (422, "InvalidValue"),
        fields.NOT_IN_LIST: (422, "InvalidValue"),
    }

    def routes(self) -> list[Route]:
        return [
            Route("POST", rf"{ROOT}/contacts/create_or_update\.json", self._upsert),
            Route("GET", rf"{ROOT}/contacts/search\.json", self._search),
            Route("PUT", CONTACT, self._update),
            Route("GET", CONTACT, self._read),
            Route("DELETE", CONTACT, self._delete),
            Route("POST", rf"{ROOT}/contacts/([^/]+)/merge\.json", self._merge),
            Route("GET", rf"{ROOT}/incremental/contacts/cursor\.json", self._changes),
            Route("GET", rf"{ROOT}/users/me\.json", self._me),
        ]

    def new_id(self) -> str:
        return str(self.store.next_number("contact", FIRST_NUMBER))

    @staticmethod
    def key_of(values: Mapping[str, Any]) -> str | None:
        return values.get("external_id")

    @staticmethod
    def version_of(values: Mapping[str, Any]) -> Any:
        return values.get("hub_version")

    def title(self, values: Mapping[str, Any]) -> str:
        whole = f"{values.get('given_name') or ''} {values.get('family_name') or ''}".strip()
        return values.get("company") or values.get("name") or whole

    def show(self, row: Row) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": _number(row.id),
            **{name: row.fields.get(name) for name, known in self.declared.items() if not known.read_only},
            "created_at": iso(row.created),
            "updated_at": iso(row.modified),
        }
        if row.deleted:
            shown["deleted_at"] = iso(row.modified)
        if row.merged_into is not None:
            shown["merged_into"] = _number(row.merged_into)
        return shown

    # ── errors ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def error(self, status: int, word: str, sentence: str, names: Sequence[str] = ()) -> Answer:
        if not names:
            body: dict[str, Any] = {"error": word, "description": sentence}
        else:
            body = _invalid({names[0]: [{"description": sentence, "error": word}]})
        return Answer(status, body)

    def bad_fields(self, faults: list[Fault]) -> Answer:
        details: dict[str, list[dict[str, str]]] = {}
        for one in faults:
            details.setdefault(one.name, []).append({"description": one.detail, "error": self.words[one.code][1]})
        return Answer(min(self.words[one.code][0] for one in faults), _invalid(details))

    def failed_inside(self) -> Answer:
        return Answer(200, {"error": "InternalError", "description": kind.SENTENCES[kind.BROKEN]})

    # ── addresses ───────────────────────────────────────────────────────────────────────────────────────────────────
    def _contact(self, request: Request) -> dict[str, Any]:
        body = self.json_body(request)
        contact = body.get("contact")
        if not isinstance(contact, dict) or len(body) != 1:
            raise self.refused(kind.BAD_BODY, 'The body must be {"contact": {…}}.')
        return contact

    def _upsert(self, request: Request, parts: list[str]) -> Answer:
        values = self.checked(self._contact(request))
        key = values.get("external_id")
        with self.store.turn():
            found = self.store.by_key(key) if key is not None else None
            if found is None:
                row = self.add(values, request.writer)
            else:
                row = self.change(found.id, values, request.writer, clash=request.clash)
        return Answer(201 if found is None else 200, {"contact": self.view(row)})

    def _update(self, request: Request, parts: list[str]) -> Answer:
        values = self._contact(request)
        safe, stamp = values.pop("safe_update", False), values.pop("updated_stamp", None)

        def still(row: Row) -> None:
            if safe is True and stamp != iso(row.modified):
                raise self.refused(kind.STALE, "The contact was changed since updated_stamp.")

        row = self.change(parts[0], self.checked(values), request.writer, clash=request.clash, still=still)
        return Answer(200, {"contact": self.view(row)})

    def _read(self, request: Request, parts: list[str]) -> Answer:
        return Answer(200, {"contact": self.view(self.living(parts[0]))})

    def _delete(self, request: Request, parts: list[str]) -> Answer:
        self.remove(parts[0], request.writer, clash=request.clash)
        return Answer(204)

    def _search(self, request: Request, parts: list[str]) -> Answer:
        key = request.query.get("external_id")
        if not key:
            raise self.refused(kind.BAD_PARAMETER, "external_id is missing.", ["external_id"])
        found = self.store.by_key(key)
        contacts = [self.view(found)] if found else []
        return Answer(200, {"contacts": contacts, "count": len(contacts)})

    def _merge(self, request: Request, parts: list[str]) -> Answer:
        loser = self.json_body(request).get("id")
        if isinstance(loser, bool) or not isinstance(loser, int | str):
            raise self.refused(kind.BAD_PARAMETER, "id must be the id of the contact to merge into this one.", ["id"])
        winner = self.fold(parts[0], [str(loser)], request.writer)
        return Answer(200, {"contact": self.view(winner)})

    def _changes(self, request: Request, parts: list[str]) -> Answer:
        cursor = request.query.get("cursor", "")
        try:
            start = _read_cursor(cursor) if cursor else -1
        except (ValueError, binascii.Error):
            raise self.refused(kind.BAD_PARAMETER, "cursor is none that was given out here.", ["cursor"]) from None
        limit = self.number(request, "per_page", PAGE, PAGE)
        rows = self.store.after(start, "\U0010ffff", limit=limit + 1)
        page = rows[:limit]
        after = base64.urlsafe_b64encode(str(page[-1].modified).encode()).decode() if page else cursor or None
        contacts = [self.listed(row) for row in page]
        return Answer(200, {"contacts": contacts, "after_cursor": after, "end_of_stream": len(rows) <= limit})

    def _me(self, request: Request, parts: list[str]) -> Answer:
        return Answer(200, {"user": {"name": request.who}})


def _invalid(details: dict[str, list[dict[str, str]]]) -> dict[str, Any]:
    return {"error": INVALID, "description": "Record validation errors", "details": details}


def _number(record_id: str) -> int | str:
    """Ids are numbers; a loaded record may have another."""
    return int(record_id) if record_id.isascii() and record_id.isdigit() and record_id[0] != "0" else record_id


def _read_cursor(text: str) -> int:
    return int(base64.b64decode(text.encode(), altchars=b"-_", validate=True))
