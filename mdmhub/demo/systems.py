"""What each of the four systems keeps of a customer, and how it writes it down."""

from random import Random

from mdmhub.demo.countries import Place
from mdmhub.demo.dirt import Item, moment, spoil, written_phone, written_tax_id
from mdmhub.demo.entities import DAYS, STATUSES, TERMS, Entity
from mdmhub.demo.wordlists import Weighted, pick

_HEAD = ("record_id", "kind")
_ADDRESS = ("address_line1", "address_line2", "city", "region", "postal_code", "country")
_TAIL = ("status", "source_updated_at")

# The fields of each system, in the order of its file. What is not listed, the system does not keep.
FIELDS: dict[str, tuple[str, ...]] = {
    "crm": (*_HEAD, "given_name", "family_name", "organization_name", "birth_date", "email", "phone", "website",
            "tax_id", "lei", *_ADDRESS, "language", *_TAIL),
    "erp": (*_HEAD, "name", "given_name", "family_name", "organization_name", "birth_date", "phone", "tax_id",
            "national_id", "registration_number", "duns", *_ADDRESS, "currency", "payment_terms", "credit_limit",
            *_TAIL),
    "billing": (*_HEAD, "name", "organization_name", "email", "tax_id", *_ADDRESS, "currency", "language",
                "payment_terms", "credit_limit", *_TAIL),
    "support": (*_HEAD, "name", "given_name", "family_name", "organization_name", "birth_date", "email", "phone",
                "website", "city", "country", "language", *_TAIL),
}  # fmt: skip

RECORD_ID = {"crm": "C-{:06d}", "erp": "{:08d}", "billing": "B{:07d}", "support": "T-{:06d}"}
FIRST_ID = {"crm": 100_001, "erp": 70_000_001, "billing": 1, "support": 1}

# How many records one customer has (1.6 on average), and which systems hold people and companies first.
RECORDS: Weighted[int] = Weighted([(1, 0.60), (2, 0.26), (3, 0.10), (4, 0.03), (5, 0.01)])
HOLDS = {
    "person": Weighted([("crm", 0.42), ("support", 0.26), ("billing", 0.22), ("erp", 0.10)]),
    "organization": Weighted([("erp", 0.36), ("crm", 0.32), ("billing", 0.20), ("support", 0.12)]),
}
OWN_SCRIPT = {"crm": 0.5, "support": 0.45, "billing": 0.12, "erp": 0.06}
UNCHANGED = 0.72


class Clerks:
    """Writes customers down in the systems, numbering each system's records."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._ids = dict(FIRST_ID)
        self._write = {"crm": self._crm, "erp": self._erp, "billing": self._billing, "support": self._support}

    def systems(self, entity: Entity) -> list[str]:
        """The systems that know ``entity``; one customer in about thirty is twice in the same system."""
        rng, holds = self._rng, HOLDS[entity.kind]
        count = RECORDS.draw(rng)
        chosen: list[str] = []
        while len(chosen) < min(count, 4):
            system = holds.draw(rng)
            if system not in chosen or rng.random() < 0.05:
                chosen.append(system)
        return chosen if count <= 4 else [*chosen, "crm"]

    def write(self, entity: Entity, system: str) -> Item:
        """The record of ``entity`` in ``system``, with the faults of the day."""
        rng = self._rng
        day = int(rng.random() * len(DAYS))
        item: Item = {"record_id": RECORD_ID[system].format(self._ids[system]), "kind": entity.kind}
        self._ids[system] += 1
        native = entity.country.own_script and rng.random() < OWN_SCRIPT[system]
        self._write[system](item, entity, day, native=native)
        item["status"] = entity.status if rng.random() < 0.88 else pick(rng, STATUSES)
        spoil(rng, item, entity)
        item["source_updated_at"] = moment(rng, day)
        return item

    def _crm(self, item: Item, entity: Entity, day: int, *, native: bool) -> None:
        rng = self._rng
        self._names(item, entity, day, native=native, single=False)
        if entity.birth and rng.random() < 0.6:
            item["birth_date"] = entity.birth.isoformat()
        self._contact(item, entity, day, phone=0.8, email=0.82)
        if entity.website and rng.random() < 0.75:
            item["website"] = entity.website if rng.random() < 0.7 else f"https://{entity.website[4:]}/"
        if entity.tax_id and rng.random() < 0.35:
            item["tax_id"] = written_tax_id(rng, entity.tax_id)
        if entity.lei and rng.random() < 0.7:
            item["lei"] = entity.lei
        self._address(item, entity, day, native=native)
        item["language"] = entity.country.language

    def _erp(self, item: Item, entity: Entity, day: int, *, native: bool) -> None:
        rng = self._rng
        self._names(item, entity, day, native=native, single=rng.random() < 0.4)
        if entity.birth and rng.random() < 0.45:
            item["birth_date"] = entity.birth.isoformat()
        if rng.random() < 0.55:
            item["phone"] = written_phone(rng, entity.landline)
        if entity.tax_id and rng.random() < 0.85:
            item["tax_id"] = written_tax_id(rng, entity.tax_id)
        if entity.national_id:
            item["national_id"] = entity.national_id
        if entity.registration and rng.random() < 0.6:
            item["registration_number"] = entity.registration
        if entity.duns:
            item["duns"] = entity.duns
        self._address(item, entity, day, native=native)
        self._money(item, entity)
        name = item.get("organization_name")
        if name:
            item["organization_name"] = name[:40]  # the length of its name field

    def _billing(self, item: Item, entity: Entity, day: int, *, native: bool) -> None:
        rng = self._rng
        self._names(item, entity, day, native=native, single=True)
        if rng.random() < 0.7:
            item["email"] = f"billing@{entity.website[4:]}" if entity.website and rng.random() < 0.4 else entity.email
        if entity.tax_id and rng.random() < 0.7:
            item["tax_id"] = written_tax_id(rng, entity.tax_id)
        self._address(item, entity, day, native=native)
        self._money(item, entity)
        item["language"] = entity.country.language

    def _support(self, item: Item, entity: Entity, day: int, *, native: bool) -> None:
        rng = self._rng
        self._names(item, entity, day, native=native, single=rng.random() < 0.5)
        if entity.birth and rng.random() < 0.12:
            item["birth_date"] = entity.birth.isoformat()
        self._contact(item, entity, day, phone=0.6, email=0.94)
        if entity.website and rng.random() < 0.3:
            item["website"] = entity.website[4:]
        if rng.random() < 0.6:
            item["city"] = _lives(entity, day, native=native).city
        item["country"] = entity.country.code
        item["language"] = entity.country.language

    def _names(self, item: Item, entity: Entity, day: int, *, native: bool, single: bool) -> None:
        """``single``: the system has one field for a person's whole name."""
        rng = self._rng
        if entity.kind == "organization":
            item["organization_name"] = entity.native_organization if native else entity.organization
            return
        given, family = entity.given, entity.old_family if day < entity.renamed else entity.family
        if native:
            given, family = entity.native_given, entity.native_family
        elif entity.other_given and rng.random() < 0.4:
            given = pick(rng, entity.other_given)
        if not native and entity.other_family and rng.random() < 0.4:
            family = entity.other_family[0]
        if not single:
            item["given_name"] = f"{given} {entity.middle}." if entity.middle and rng.random() < 0.4 else given
            item["family_name"] = family
        elif native and entity.country.family_first:
            item["name"] = f"{family} {given}"
        else:
            item["name"] = f"{given} {family}" if rng.random() < 0.85 else f"{family}, {given}"

    def _contact(self, item: Item, entity: Entity, day: int, *, phone: float, email: float) -> None:
        rng = self._rng
        if rng.random() < phone:
            number = entity.mobile if rng.random() < 0.75 else entity.landline
            if entity.old_mobile and day < entity.changed:
                number = entity.old_mobile
            item["phone"] = written_phone(rng, number)
        if rng.random() < email:
            item["email"] = entity.other_email if entity.other_email and rng.random() < 0.3 else entity.email
            if rng.random() < 0.08:
                item["email"] = item["email"].title()

    def _address(self, item: Item, entity: Entity, day: int, *, native: bool) -> None:
        if self._rng.random() < 0.06:
            item["country"] = entity.country.code
            return
        place = _lives(entity, day, native=native)
        item["address_line1"] = place.line1
        if place.line2:
            item["address_line2"] = place.line2
        item["city"] = place.city
        if place.region:
            item["region"] = place.region
        item["postal_code"] = place.postal_code
        item["country"] = entity.country.code

    def _money(self, item: Item, entity: Entity) -> None:
        """ERP and billing agree on terms and limit in most cases, not in all."""
        rng = self._rng
        item["currency"] = entity.country.currency if rng.random() < 0.95 else "EUR"
        item["payment_terms"] = entity.payment_terms if rng.random() < UNCHANGED else pick(rng, TERMS)
        if entity.credit_limit or rng.random() < 0.5:
            limit = entity.credit_limit if rng.random() < UNCHANGED else int(rng.random() * 80) * 500
            item["credit_limit"] = f"{limit}.00"


def _lives(entity: Entity, day: int, *, native: bool) -> Place:
    if entity.old_place and day < entity.moved:
        return entity.old_place
    return entity.native_place if native and entity.native_place else entity.place
