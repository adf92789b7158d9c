"""Reading one record, field by field, into the canonical form (see canonical.py for its shape)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from apps.common.pointers import path, shown
from apps.customers import canonical_lists as lists
from apps.customers import canonical_values as values
from apps.customers.canonical_contacts import website
from apps.customers.canonical_entries import MAX_ITEMS
from apps.customers.canonical_extra import number_text, typed
from apps.customers.canonical_fields import (
    CAN_BE_EMPTY,
    ENVELOPE,
    LIST_FIELDS,
    MAX_LENGTH,
    NUMBER_AS_TEXT,
    PLAIN,
    SINGLE,
)
from apps.customers.canonical_kind import infer_kind
from apps.customers.canonical_places import country_code, currency_code, language_tag
from apps.customers.canonical_text import Notes, Problem, tidy

_LIMITS: Final = {name: limit for name, limit in MAX_LENGTH.items() if name not in ENVELOPE}
_FUTURE: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Parsed:
    """One record after parsing; with `problems` it must not be used, only shown."""

    external_id: str | None
    canonical: dict[str, Any]
    source_updated_at: datetime | None
    deleted: bool
    unknown: dict[str, Any]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


class Reading:
    """The state of reading one record, field by field."""

    __slots__ = (
        "country",
        "declared",
        "empty",
        "extra",
        "given",
        "is_patch",
        "item",
        "late",
        "notes",
        "rich",
        "unknown",
    )

    def __init__(
        self, item: Mapping[str, Any], default_country: str | None, declared: Mapping[str, str], *, is_patch: bool
    ) -> None:
        self.item = item
        self.declared = declared
        self.is_patch = is_patch
        self.country: str | None = None
        self.notes = Notes()
        self.given: dict[str, Any] = {}
        self.rich: dict[str, Any] = {}
        self.extra: dict[str, Any] = {}
        self.unknown: dict[str, Any] = {}
        self.empty: set[str] = set()
        self.late: dict[str, object] = {}
        self._sort()
        named = self.given.get("country")
        if named:
            named = lists.known_country(named, "country", self.notes)
            if named is None:
                del self.given["country"]
        self.country = named or self._country_of_addresses() or _code(default_country)
        for name, value in self.late.items():
            self._read_extra(name, value, declared[name], path(name))

    def parsed(self) -> Parsed:
        notes = self.notes
        external_id = self._record_id()
        deleted = self._deleted()
        moment = self._moment()
        canonical = self._canonical(deleted=deleted)
        return Parsed(
            external_id, canonical, moment, deleted, self.unknown, tuple(notes.problems), tuple(notes.warnings)
        )

    def _sort(self) -> None:
        """Puts every field where it belongs: given (tidied), empty, or what `_sort_other` knows."""
        given, limits, empty = self.given, _LIMITS, self.empty
        for name, value in self.item.items():
            limit = limits.get(name)
            if limit is None:
                self._sort_other(name, value)
                continue
            if type(value) is str:
                if not value:
                    empty.add(name)
                    continue
                if value.isascii() and value.isprintable() and "  " not in value:
                    text: Any = value.strip(" ")
                else:
                    text = tidy(value, name, self.notes)
            elif value is None:
                text = ""
            else:
                text = self._from_json(name, value)
            if text is None:
                continue
            if text == "":
                empty.add(name)
            elif type(text) is str and len(text) > limit:
                self._too_long(name, text, limit)
            else:
                given[name] = text

    def _sort_other(self, name: str, value: object) -> None:
        """Lists, declared extension attributes (read later, when the country is known), unknown fields."""
        if name in LIST_FIELDS:
            self.rich[name] = value
        elif name in self.declared:
            self.late[name] = value
        elif name not in ENVELOPE:
            self.unknown[path(name)] = value

    def _from_json(self, name: str, value: object) -> Any:
        """What a JSON value other than text and null means in a flat field; None with a problem noted."""
        if isinstance(value, str):
            return tidy(str(value), name, self.notes)
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            if name == "credit_limit":
                return value
            if name in NUMBER_AS_TEXT and (text := number_text(value)):
                return text
        if isinstance(value, date) and name == "birth_date":
            return value.isoformat()
        self.notes.problem(name, "wrong_type", f"{name} is text, not {shown(value)}.")
        return None

    def _too_long(self, name: str, text: str, limit: int) -> None:
        self.notes.problem(name, "too_long", f"{name} is {len(text)} characters long; at most {limit} are kept.")

    def _country_of_addresses(self) -> str | None:
        """The first country in the list of addresses: where the record's national numbers are read."""
        entries = self.rich.get("addresses")
        if not isinstance(entries, list | tuple):
            return None
        for entry in entries[:MAX_ITEMS]:
            named = entry.get("country") if isinstance(entry, Mapping) else None
            if isinstance(named, str) and (code := _code(named)):
                return code
        return None

    def _record_id(self) -> str | None:
        """The system's own id, exactly as received but for outer white space: deliveries go back to it."""
        value, notes = self.item.get("record_id"), self.notes
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            value = number_text(value)
        if value is None or (isinstance(value, str) and not value.strip()):
            notes.problem("record_id", "missing", "record_id is missing; send the record's own id in its system.")
            return None
        if not isinstance(value, str):
            notes.problem("record_id", "wrong_type", f"record_id is text, not {shown(value)}.")
            return None
        text = value.strip()
        if tidy(text, "record_id", notes) is None:
            return None
        if len(text) > MAX_LENGTH["record_id"]:
            self._too_long("record_id", text, MAX_LENGTH["record_id"])
            return None
        return text

    def _deleted(self) -> bool:
        value = self.item.get("deleted")
        if value is None or value is False or value == "":
            return False
        found = values.truth(value.strip() or False if isinstance(value, str) else value)
        if isinstance(found, values.Refusal):
            self.notes.problem("deleted", *found)
            return False
        return found

    def _moment(self) -> datetime | None:
        value = self.item.get("source_updated_at")
        if isinstance(value, str):
            value = value.strip()
        if value is None or value == "":
            return None
        moment = values.timestamp(value)
        if isinstance(moment, values.Refusal):
            self.notes.problem("source_updated_at", *moment)
            return None
        if moment > datetime.now(UTC) + _FUTURE:
            self.notes.warn(
                "source_updated_at",
                "future_timestamp",
                f"{moment.isoformat()} lies ahead of the hub's clock; check the clock or time zone of the system.",
            )
        return moment

    def _canonical(self, *, deleted: bool) -> dict[str, Any]:
        given = self.given
        canonical: dict[str, Any] = {}
        kind = self._kind(deleted=deleted)
        if kind:
            canonical["kind"] = kind
        for name in PLAIN:
            if name in given:
                canonical[name] = given[name]
        self._standard_values(canonical, kind)
        self._lists(canonical)
        self._extra_and_empty(canonical, self.declared)
        if "names" in canonical and not self.is_patch:
            canonical |= lists.main_name(canonical)
        if self.is_patch and (whole := sorted(lists.LISTS.keys() & self.rich.keys())):
            canonical["replaces"] = whole
        return canonical

    def _kind(self, *, deleted: bool) -> str | None:
        text = self.given.get("kind")
        if text:
            found = values.kind(text)
            if isinstance(found, str):
                return found
            self.notes.problem("kind", *found)
            return None
        if self.is_patch or (deleted and not self.given and not self.rich):
            return None
        inferred, reason = infer_kind(self.given, self._identifier_types())
        self.notes.warn("kind", "kind_inferred", f"kind is missing; {inferred} was taken because {reason}.")
        return inferred

    def _identifier_types(self) -> list[object]:
        entries = self.rich.get("identifiers")
        if not isinstance(entries, list | tuple):
            return []
        return [entry.get("type") for entry in entries if isinstance(entry, Mapping)]

    def _standard_values(self, canonical: dict[str, Any], kind: str | None) -> None:
        """Dates, site, codes, money and status, each in its standard form."""
        given, notes = self.given, self.notes
        if "birth_date" in given:
            if kind == "organization":
                notes.warn(
                    "birth_date", "birth_date_of_organization", "An organization has a date of birth; it is kept."
                )
            self._keep(canonical, "birth_date", values.birth_date(given["birth_date"], self.country))
        if "website" in given:
            self._website(canonical)
        if "currency" in given:
            self._keep(canonical, "currency", currency_code(given["currency"]), "an ISO 4217 code such as EUR")
        if "language" in given:
            self._keep(canonical, "language", language_tag(given["language"]), "an ISO 639 code such as de")
        if "payment_terms" in given:
            canonical["payment_terms"] = given["payment_terms"]
        if "credit_limit" in given:
            self._keep(canonical, "credit_limit", values.money(given["credit_limit"], self.country))
        if "status" in given:
            self._keep(canonical, "status", values.status(given["status"]))

    def _website(self, canonical: dict[str, Any]) -> None:
        text = self.given["website"]
        found = website(text)
        if found is None:
            self.notes.problem(
                "website", "unknown_value", f"{shown(text)} is no web address; write https://www.example.org."
            )
            return
        canonical["website"], valid = found
        if not valid:
            self.notes.warn(
                "website", "invalid_website", f"{shown(text)} is not a well-formed web address; it is kept as it is."
            )

    def _keep(
        self, canonical: dict[str, Any], name: str, found: str | values.Refusal | None, right: str = "its code"
    ) -> None:
        if isinstance(found, str):
            canonical[name] = found
        elif found is None:
            self.notes.problem(
                name, "unknown_value", f"{shown(self.given[name])} is not a known {name}; write {right}."
            )
        else:
            self.notes.problem(name, *found)

    def _lists(self, canonical: dict[str, Any]) -> None:
        given, rich, notes, country = self.given, self.rich, self.notes, self.country
        addresses = []
        own = lists.flat_address(given, country if "country" in given else None)
        if own:
            addresses.append(own)
        points = lists.flat_contacts(given, country, notes) if "email" in given or "phone" in given else []
        identifiers = lists.flat_identifiers(given, country, notes)
        names = []
        if rich:
            if rich.get("addresses"):
                read = lists.read_addresses(rich["addresses"], country, notes, self.unknown)
                addresses += [entry for entry in read if entry != own]
            if rich.get("contact_points"):
                lists.read_contacts(rich["contact_points"], points, country, notes, self.unknown)
            if rich.get("identifiers"):
                lists.read_identifiers(rich["identifiers"], identifiers, country, notes, self.unknown)
            if rich.get("names"):
                names = lists.read_names(rich["names"], country, notes, self.unknown)
        found_lists = (addresses, points, identifiers, names)
        for name, found in zip(lists.LISTS, found_lists, strict=True):
            if found:
                canonical[name] = found
            elif name in rich and not rich[name]:
                self.empty.update(lists.LISTS[name])

    def _extra_and_empty(self, canonical: dict[str, Any], declared: Mapping[str, str]) -> None:
        rich = self.rich
        if rich:
            self._list_of_empty(rich.get("empty"), declared)
            self._object_of_extra(rich.get("extra"), declared)
        if self.extra:
            canonical["extra"] = self.extra
        if self.empty:
            empty = self.empty - present(canonical) if rich or self.extra else self.empty
            empty.discard("kind")  # a record cannot say that it is neither
            if empty:
                canonical["empty"] = sorted(empty)

    def _list_of_empty(self, names: object, declared: Mapping[str, str]) -> None:
        if names is None:
            return
        if not isinstance(names, list | tuple):
            self.notes.problem("empty", "wrong_type", f"empty is a list of field names, not {shown(names)}.")
            return
        for at, name in enumerate(names):
            if isinstance(name, str) and (name in CAN_BE_EMPTY or name.removeprefix("extra.") in declared):
                self.empty.add(name)
            else:
                self.unknown[path("empty", at)] = name

    def _object_of_extra(self, extra: object, declared: Mapping[str, str]) -> None:
        if extra is None:
            return
        if not isinstance(extra, Mapping):
            self.notes.problem("extra", "wrong_type", f"extra is an object of declared fields, not {shown(extra)}.")
            return
        for name, value in extra.items():
            if name in declared:
                self._read_extra(name, value, declared[name], path("extra", name))
            else:
                self.unknown[path("extra", name)] = value

    def _read_extra(self, name: str, value: object, kind: str, where: str) -> None:
        """One declared extension attribute, in the type it was declared with."""
        if isinstance(value, str):
            value = tidy(value, where, self.notes)
            if value is None:
                return
        if value is None or value == "":
            self.empty.add(f"extra.{name}")
            return
        found = typed(value, kind, self.country)
        if isinstance(found, values.Refusal):
            self.notes.problem(where, *found)
        else:
            self.extra[name] = found


def present(canonical: Mapping[str, Any]) -> set[str]:
    """The flat names (and "extra.<name>") that have a value."""
    names = {name for name in SINGLE if name in canonical}
    names.update(point["type"] for point in canonical.get("contact_points", ()))
    names.update(identifier["type"] for identifier in canonical.get("identifiers", ()))
    for address in canonical.get("addresses", ()):
        names.update(flat for part, (flat, _) in lists.ADDRESS_PARTS.items() if part in address)
    names.update(f"extra.{name}" for name in canonical.get("extra", ()))
    return names


def _code(name: str | None) -> str | None:
    return country_code(name) if name else None
