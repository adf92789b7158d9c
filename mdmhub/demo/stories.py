"""The told stories: fixed records, read from data/stories.toml, that come before all others."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from mdmhub.demo.checkdigits import TAX_ID
from mdmhub.demo.record import Record, Story
from mdmhub.demo.wordlists import document

TENANT_SERIAL = 904_000  # VAT numbers of the office park's tenants count on from here


def _told(story: dict[str, Any]) -> Iterator[Record]:
    for told in story.get("record", ()):
        item = {"record_id": told["id"], **told["item"]}
        if item.get("name", "").startswith("@"):
            item["name"] = _long_name(int(item["name"][1:]))
        yield Record(told["system"], item, _entity_id(story, told["entity"]), story["key"])


def _entity_id(story: dict[str, Any], who: str) -> str:
    return f"S{story['number']:02d}-{who}"


def _long_name(length: int) -> str:
    return ("Bartholomew Ignatius Peregrine " * (length // 30 + 1))[:length].strip().ljust(length, "e")


def _office_park(story: dict[str, Any]) -> Iterator[Record]:
    """Forty tenants in the CRM with one switchboard, one mailbox and one street; some of them in billing too."""
    park = document("stories")["office_park"]
    for number, starred in enumerate(park["tenants"], start=1):
        name, tax_id = starred.rstrip("*"), TAX_ID["DE"](TENANT_SERIAL + number) if starred.endswith("*") else ""
        address = {
            "address_line1": park["street"], "address_line2": f"Raum {100 + number}", "city": park["city"],
            "postal_code": park["postal_code"], "country": "DE", "language": "de", "status": "active",
        }  # fmt: skip
        entity_id = _entity_id(story, f"{number:02d}")
        item: dict[str, Any] = {"record_id": f"S-04{number:02d}", "kind": "organization", "organization_name": name}
        item |= {"email": park["mailbox"], "phone": park["phone"]} | ({"tax_id": tax_id} if tax_id else {}) | address
        item["source_updated_at"] = f"2023-09-{1 + number % 28:02d}T09:00:00Z"
        yield Record("crm", item, entity_id, story["key"])
        if tax_id:
            bill = {"record_id": f"S-04{40 + number:02d}", "kind": "organization", "organization_name": name.upper()}
            bill |= {"tax_id": tax_id} | address | {"currency": "EUR", "payment_terms": "NET30"}
            bill["source_updated_at"] = f"2024-02-{1 + number % 28:02d}T09:00:00Z"
            yield Record("billing", bill, entity_id, story["key"])


@cache
def story_records() -> tuple[Record, ...]:
    """All records of all stories, story by story. Callers must not change the items."""
    records: list[Record] = []
    for story in document("stories")["story"]:
        records += _office_park(story) if story["key"] == "office-park" else _told(story)
    return tuple(records)


def _story(story: dict[str, Any]) -> Story:
    records = [record for record in story_records() if record.story == story["key"]]
    return Story(
        key=story["key"],
        title=story["title"],
        text=story["text"],
        records=tuple((record.system, record.item["record_id"]) for record in records),
        customers=len({record.entity_id for record in records}),
    )


STORIES: tuple[Story, ...] = tuple(_story(story) for story in document("stories")["story"])
