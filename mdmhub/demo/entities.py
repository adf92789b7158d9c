"""Who the customers truly are: people, households, companies and groups, before any system has written them down."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from random import Random

from mdmhub.demo import checkdigits
from mdmhub.demo.countries import Country, Phone, PhoneBook, Place, countries
from mdmhub.demo.wordlists import document, pick, words

MAIL_HOSTS = words(
    "mail post inbox letterbox webmail briefkasten postfach courrier correo posta poczta brev taxydromio poshta "
    "mailbox freemail quickmail homebox ymail gomail mymail netpost homepost citymail fastpost bluemail greenmail"
)
MAILBOXES = ("info", "office", "contact", "mail", "hello", "service", "sales", "accounts", "billing", "reception")
TERMS = ("NET30", "NET30", "NET30", "NET14", "NET14", "NET60", "NET45", "NET10", "PREPAID", "2/10 NET30")
STATUSES = ("active",) * 14 + ("prospect", "prospect", "inactive", "inactive", "blocked", "closed")

FIRST_DAY = date(2019, 1, 1)
DAYS = tuple((FIRST_DAY + timedelta(days=day)).isoformat() for day in range(2_340))
BIRTHS = tuple(date(1936, 1, 1) + timedelta(days=day) for day in range(25_500))

FOLD = str.maketrans({
    "ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "å": "aa", "ø": "oe", "æ": "ae", "é": "e", "è": "e", "ê": "e", "ë": "e",
    "à": "a", "â": "a", "á": "a", "ã": "a", "ç": "c", "í": "i", "ì": "i", "î": "i", "ï": "i", "ó": "o", "ò": "o",
    "ô": "o", "õ": "o", "ú": "u", "ù": "u", "û": "u", "ñ": "n", "ł": "l", "ą": "a", "ę": "e", "ś": "s", "ć": "c",
    "ń": "n", "ź": "z", "ż": "z", "ş": "s", "ğ": "g", "\u0131": "i",
})  # fmt: skip
NOT_WORD = re.compile(r"[^a-z0-9]+")


@dataclass(slots=True)
class Entity:
    """One customer in truth. Names in Latin letters; ``native`` ones in the country's own script, where it has one."""

    id: str
    country: Country
    kind: str
    mobile: Phone
    landline: Phone
    place: Place
    native_place: Place | None = None
    given: str = ""
    family: str = ""
    middle: str = ""
    native_given: str = ""
    native_family: str = ""
    other_given: tuple[str, ...] = ()
    other_family: tuple[str, ...] = ()
    female: bool = False
    birth: date | None = None
    stem: str = ""
    trade: str = ""
    legal: tuple[str, ...] = ("",)
    native_organization: str = ""
    email: str = ""
    other_email: str = ""
    website: str = ""
    tax_id: str = ""
    national_id: str = ""
    registration: str = ""
    lei: str = ""
    duns: str = ""
    payment_terms: str = "NET30"
    credit_limit: int = 0
    status: str = "active"
    moved: int = 0
    old_place: Place | None = None
    changed: int = 0
    old_mobile: Phone | None = None
    renamed: int = 0
    old_family: str = ""
    nicknames: Sequence[str] = field(default=())

    @property
    def organization(self) -> str:
        return " ".join(part for part in (self.stem, self.trade, self.legal[0]) if part)


@lru_cache(maxsize=100_000)
def folded(text: str) -> str:
    """``text`` as it appears in a mail address or a web domain: a to z and digits only."""
    return NOT_WORD.sub("", text.lower().translate(FOLD))


def nicknames(country: Country) -> dict[str, tuple[str, ...]]:
    return _nicknames(country.language)


@lru_cache(maxsize=16)
def _nicknames(language: str) -> dict[str, tuple[str, ...]]:
    listed = words(document("names")["nicknames"].get(language, ""))
    return {name: tuple(short.split(",")) for name, _, short in (entry.partition(":") for entry in listed)}


class World:
    """Makes customers one after another. The first n customers are the same whatever number is asked for."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.phones = PhoneBook(seed)
        self._base = seed * 1_000_003
        self._made = 0
        self._person: Entity | None = None
        self._company: Entity | None = None

    def next(self) -> Entity:
        """The next customer: 58 in 100 are people; one in eight people lives with the one before."""
        self._made += 1
        rng = self.rng
        if rng.random() < 0.58:
            relative = self._person if rng.random() < 0.12 else None
            entity = self._person = self._new_person(relative)
        else:
            sister = self._company if rng.random() < 0.05 else None
            entity = self._company = self._new_company(sister)
        entity.payment_terms = pick(rng, TERMS)
        entity.credit_limit = int(rng.random() ** 3 * 400) * 250
        entity.status = pick(rng, STATUSES)
        self._past(entity)
        return entity

    def _new_person(self, relative: Entity | None) -> Entity:
        rng = self.rng
        country = relative.country if relative else countries().draw(rng)
        female = rng.random() < 0.5
        given = (country.female if female else country.male).draw(rng)
        family = country.family_name(rng, female=female)
        place, native_place = (relative.place, relative.native_place) if relative else country.place(rng)
        mobile = self.phones.next(country, "mobile")
        entity = Entity(
            id=f"P{self._made:07d}", country=country, kind="person", mobile=mobile,
            landline=relative.landline if relative else self.phones.next(country, "landline"),
            place=place, native_place=native_place, female=female,
        )  # fmt: skip
        if country.own_script:
            entity.native_given, entity.given, entity.other_given = given[0], given[1], given[2:]
            entity.native_family, entity.family, entity.other_family = family[0], family[1], family[2:]
        else:
            entity.given, entity.family = given[0], family[0]
            entity.nicknames = nicknames(country).get(given[0], ())
            if country.code == "US" and rng.random() < 0.4:
                entity.middle = "ABCDEFGHJKLMNPRSTW"[int(rng.random() * 18)]
        entity.birth = BIRTHS[int((rng.random() + rng.random()) / 2 * len(BIRTHS))]
        if relative:
            self._share_household(entity, relative)
        entity.email = self._address(entity)
        if rng.random() < 0.12:
            entity.other_email = self._address(entity)
        issue = checkdigits.NATIONAL_ID.get(country.code)
        if issue and entity.birth and rng.random() < 0.5:
            entity.national_id = issue(self._base + self._made, entity.birth, 0 if female else 1)
        return entity

    def _share_household(self, entity: Entity, relative: Entity) -> None:
        """One family name, one address, one landline; now and then parent and child share the given name as well."""
        same = entity.female == relative.female
        if entity.country.own_script and not same:
            return
        forms = (relative.family,)
        entity.family = forms[0] if same else entity.country.gendered(forms, female=entity.female)[0]
        entity.native_family, entity.other_family = relative.native_family, relative.other_family
        if same and relative.birth and self.rng.random() < 0.06:
            entity.given, entity.native_given = relative.given, relative.native_given
            entity.nicknames, entity.other_given = relative.nicknames, relative.other_given
            days = int((20 + self.rng.random() * 18) * 365)
            back = relative.birth.year > 1970
            entity.birth = relative.birth - timedelta(days=days) if back else relative.birth + timedelta(days=days)

    def _address(self, entity: Entity) -> str:
        rng = self.rng
        given, family = folded(entity.given), folded(entity.family)
        draw = rng.random()
        number = str(int(rng.random() * 1_000)) if rng.random() < 0.8 else ""
        if draw < 0.35:
            local = f"{given}.{family}{number}"
        elif draw < 0.6:
            local = f"{given[:1]}{family}{number or entity.birth.year if entity.birth else number}"
        elif draw < 0.85:
            local = f"{given}_{family}{number}"
        else:
            local = f"{family}.{given}{number}"
        return f"{local}@{pick(rng, MAIL_HOSTS)}.{'example' if rng.random() < 0.8 else 'test'}"

    def _new_company(self, sister: Entity | None) -> Entity:
        rng = self.rng
        country = sister.country if sister else countries().draw(rng)
        place, native_place = (sister.place, sister.native_place) if sister else country.place(rng)
        landline = sister.landline if sister else self.phones.next(country, "landline")
        entity = Entity(
            id=f"O{self._made:07d}", country=country, kind="organization", landline=landline,
            mobile=self.phones.next(country, "mobile") if rng.random() < 0.2 else landline,
            place=place, native_place=native_place,
        )  # fmt: skip
        trade, legal = pick(rng, country.trades), country.legal.draw(rng)
        if country.own_script:
            self._name_in_two_scripts(entity, trade, legal)
        else:
            entity.stem = sister.stem if sister else self._stem(country)
            entity.trade, entity.legal = trade[0], legal
        bare = sister is not None or (len(entity.stem) > 9 and rng.random() < 0.5)
        domain = folded(entity.stem) + ("" if bare else f"-{folded(entity.trade)}")
        if country.own_script:
            domain += (
                f"-{folded(place.city)}"  # their word lists are short: without the town strangers would share a site
            )
        entity.website = sister.website if sister else f"www.{domain}.example"
        box = pick(rng, MAILBOXES) if not sister or rng.random() < 0.5 else folded(entity.trade)
        entity.email = f"{box}@{entity.website[4:]}"
        entity.other_email = f"{pick(rng, MAILBOXES)}@{entity.website[4:]}"
        self._register(entity)
        return entity

    def _stem(self, country: Country) -> str:
        """The distinctive part of a company's name: a founder, two founders, a founder's family, or a coined word."""
        rng = self.rng
        draw = rng.random()
        if draw < 0.26:
            return country.family.draw(rng)[0]
        if draw < 0.36:
            return f"{country.family.draw(rng)[0]} & {country.family.draw(rng)[0]}"
        if draw < 0.44:
            return f"{country.family.draw(rng)[0]} {pick(rng, country.partners)}"
        middle = pick(rng, _syllables("middle")) if draw < 0.85 else ""
        coined = pick(rng, _syllables("first")) + middle + pick(rng, _syllables("last"))
        return f"{coined} {pick(rng, country.towns).name}" if draw > 0.95 else coined

    def _name_in_two_scripts(self, entity: Entity, trade: tuple[str, ...], legal: tuple[str, ...]) -> None:
        stem = pick(self.rng, entity.country.stems)
        founder = entity.country.family_name(self.rng, female=False)
        if self.rng.random() < 0.85:
            stem = (f"{stem[0]} {founder[0]}", f"{stem[1]} {founder[1]}")
        entity.stem, entity.trade, entity.legal = stem[1], trade[1], legal[1:]
        entity.native_organization = f"{stem[0]} {trade[0]} {legal[0]}"

    def _register(self, entity: Entity) -> None:
        serial, code, rng = self._base + self._made, entity.country.code, self.rng
        entity.tax_id = checkdigits.TAX_ID[code](serial)
        issue = checkdigits.REGISTRATION.get(code)
        if issue:
            entity.registration = issue(serial)
        if rng.random() < 0.15:
            entity.lei = checkdigits.lei(serial)
        if rng.random() < 0.3:
            entity.duns = checkdigits.duns(serial)

    def _past(self, entity: Entity) -> None:
        """Give some customers a former address, number or family name and the day it changed."""
        rng, country = self.rng, entity.country
        if rng.random() < 0.14:
            entity.moved = int(rng.random() * len(DAYS))
            entity.old_place = country.place(rng)[0]
        if rng.random() < 0.08:
            entity.changed = int(rng.random() * len(DAYS))
            entity.old_mobile = self.phones.next(country, "mobile")
        if entity.female and not country.own_script and country.code != "ES" and rng.random() < 0.06:
            entity.renamed = int(rng.random() * len(DAYS))
            entity.old_family = country.family_name(rng, female=True)[0]


@lru_cache(maxsize=4)
def _syllables(place: str) -> tuple[str, ...]:
    return tuple(words(document("companies")[place]))
