"""The countries of the demo: names of people, streets and towns, the look of phone numbers and post codes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any, NamedTuple

from mdmhub.demo.wordlists import Ranked, Weighted, composed, document, pick, words

POSTCODE_LETTERS = "ABDEFGHJLNPQRSTUWXYZ"
FEMININE = {"PL": (("ski", "ska"), ("cki", "cka"))}


class Place(NamedTuple):
    line1: str
    line2: str
    city: str
    region: str
    postal_code: str


class Phone(NamedTuple):
    """A number in its parts: country calling code, trunk prefix, area, local number."""

    calling: str
    trunk: str
    area: str
    local: str


class Town(NamedTuple):
    name: str
    native: str
    region: str
    postal_shape: str


class Span(NamedTuple):
    """A range of phone numbers of one area."""

    area: str
    first: int
    size: int
    width: int


@dataclass(slots=True)
class Country:
    """Word lists of one country that writes Latin letters, or (``own_script``) of one that does not."""

    code: str
    language: str
    currency: str
    names: tuple[str, ...]
    house: str
    units: tuple[str, ...]
    calling: str
    trunk: str
    towns: tuple[Town, ...]
    streets: tuple[tuple[str, ...], ...]
    male: Ranked[tuple[str, ...]]
    female: Ranked[tuple[str, ...]]
    family: Ranked[tuple[str, ...]]
    phones: dict[str, tuple[list[Span], list[Span]]]
    own_script: bool = False
    family_first: bool = False
    short: tuple[tuple[str, str], ...] = ()
    trades: tuple[tuple[str, ...], ...] = ()
    stems: tuple[tuple[str, ...], ...] = ()
    legal: Ranked[tuple[str, ...]] = field(default_factory=lambda: Ranked([("",)], slope=1, shift=1))
    partners: tuple[str, ...] = ()

    def family_name(self, rng: Random, *, female: bool) -> tuple[str, ...]:
        """The forms of one family name; own script first where there is one."""
        forms = self.family.draw(rng)
        if self.code == "ES":
            return (f"{forms[0]} {self.family.draw(rng)[0]}",)
        return self.gendered(forms, female=female)

    def gendered(self, forms: tuple[str, ...], *, female: bool) -> tuple[str, ...]:
        """``forms`` as a woman or a man bears them: Kamińska for Kamiński, Papadopoulou for Papadopoulos."""
        if self.own_script:
            return tuple(form.split("/")[-1 if female else 0] for form in forms)
        if female:
            for male, feminine in FEMININE.get(self.code, ()):
                if forms[0].endswith(male):
                    return (forms[0][: -len(male)] + feminine,)
        return forms

    def place(self, rng: Random) -> tuple[Place, Place | None]:
        """An address in Latin letters and, where the country has its own script, in that."""
        town = pick(rng, self.towns)
        index = int(rng.random() * len(self.streets))
        street = self.streets[index]
        number = str(1 + int(rng.random() ** 2 * 240))
        unit = str(1 + int(rng.random() * 24))
        line2 = pick(rng, self.units).format(u=unit) if self.units and rng.random() < 0.16 else ""
        code = postal_code(town.postal_shape, index * 2_654_435_761 % 1_000_003)
        latin = street[-1 if self.own_script and len(street) > 2 and rng.random() < 0.2 else min(1, len(street) - 1)]
        line1 = self.house.format(n=number, street=latin, u=unit)
        place = Place(line1, line2, town.name, town.region, code)
        if not self.own_script:
            return place, None
        native = Place(self.house.format(n=number, street=street[0], u=unit), line2, town.native, "", code)
        return place, native


def postal_code(shape: str, seed: int) -> str:
    """Fill ``#`` with digits and ``@`` with letters out of ``seed``: one street of a town has one post code."""
    code = []
    for mark in shape:
        if mark == "#":
            seed, digit = divmod(seed, 10)
            code.append("0123456789"[digit])
        elif mark == "@":
            seed, letter = divmod(seed, 20)
            code.append(POSTCODE_LETTERS[letter])
        else:
            code.append(mark)
    return "".join(code)


class PhoneBook:
    """Hands out phone numbers, each once: first the ranges kept free for fiction, then the wide ones."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._given: dict[tuple[str, str], int] = {}

    def next(self, country: Country, kind: str) -> Phone:
        """The next number of ``kind`` (mobile or landline). Numbers begin again only when a wide range is used up."""
        pool = kind if kind in country.phones else "landline"
        serial = self._given.get((country.code, pool), 0)
        self._given[country.code, pool] = serial + 1
        reserved, wide = country.phones[pool]
        capacity = sum(span.size for span in reserved)
        if serial < capacity:
            return self._number(country, reserved, serial, capacity)
        return self._number(country, wide, serial - capacity, sum(span.size for span in wide))

    def _number(self, country: Country, spans: list[Span], serial: int, capacity: int) -> Phone:
        index = (serial * 15_485_863 + self._seed * 7_919) % capacity
        for span in spans:
            if index < span.size:
                return Phone(country.calling, country.trunk, span.area, f"{span.first + index:0{span.width}d}")
            index -= span.size
        raise ValueError(f"no phone range for {country.code}")


def _spans(texts: Sequence[str]) -> list[Span]:
    spans = []
    for text in texts:
        area, _, numbers = text.partition(" ")
        first, _, last = numbers.partition("-")
        spans.append(Span(area, int(first), int(last) - int(first) + 1, len(first)))
    return spans


def _phones(place: dict[str, Any]) -> dict[str, tuple[list[Span], list[Span]]]:
    if "us_areas" in place:
        areas = place["us_areas"].split()
        fiction = _spans([f"{area} 5550100-5550199" for area in areas])
        return {"landline": (fiction, _spans([f"{area} 5552000-5559999" for area in areas]))}
    kinds = ("landline",) if place.get("one_pool") else ("mobile", "landline")
    return {kind: (_spans(place.get(kind, [])), _spans(place[f"wide_{kind}"])) for kind in kinds}


def _pairs(texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return tuple((text.partition(":")[0], text.partition(":")[2]) for text in texts)


def _forms(texts: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(text.split("|")) for text in texts]


def _latin(code: str, place: dict[str, Any], names: dict[str, str], trade: dict[str, Any]) -> Country:
    families = words(names["family"])
    families += composed(words(names.get("front", "")), words(names.get("back", ""))) if "front" in names else []
    towns = [city.split("|") for city in place["cities"]]
    return Country(
        code=code, language=place["language"], currency=place["currency"], names=tuple(place["names"]),
        house=place["house"], units=tuple(place["unit"]), calling=place["calling"], trunk=place["trunk"],
        towns=tuple(Town(name, name, region, shape) for name, region, shape in towns),
        streets=tuple((form.format(front),) for front in words(place["streets"]) for form in place["patterns"]),
        male=Ranked([(name,) for name in words(names["male"])], slope=0.7, shift=3),
        female=Ranked([(name,) for name in words(names["female"])], slope=0.7, shift=3),
        family=Ranked([(name,) for name in dict.fromkeys(families)], slope=0.8, shift=10),
        phones=_phones(place), short=_pairs(place["short"]),
        trades=tuple((word,) for word in words(trade["trades"])),
        legal=Ranked(_forms(trade["legal"]), slope=1, shift=1), partners=tuple(trade["partners"]),
    )  # fmt: skip


def _own_script(code: str, entry: dict[str, Any]) -> Country:
    towns = _forms(entry["cities"])
    return Country(
        code=code, language=entry["language"], currency=entry["currency"], names=tuple(entry["names"]),
        house=entry["house"], units=(), calling=entry["calling"], trunk=entry["trunk"],
        towns=tuple(Town(latin, native, "", shape) for native, latin, shape in towns),
        streets=tuple(_forms(entry["streets"])),
        male=Ranked(_forms(entry["male"]), slope=0.5, shift=3),
        female=Ranked(_forms(entry["female"]), slope=0.5, shift=3),
        family=Ranked(_forms(entry["family"]), slope=0.5, shift=3),
        phones=_phones(entry), own_script=True, family_first=entry["order"].startswith("family"),
        trades=tuple(_forms(entry["trades"])), stems=tuple(_forms(entry["stems"])),
        legal=Ranked(_forms(entry["legal"]), slope=1, shift=1),
    )  # fmt: skip


@cache
def countries() -> Weighted[Country]:
    """All countries with their share of the customers. Built once per process (some 20 ms)."""
    names, trades = document("names"), document("companies")
    choices = [
        (_latin(code, place, names[code], trades[code]), float(place["weight"]))
        for code, place in document("places").items()
    ]
    choices += [(_own_script(code, entry), float(entry["weight"])) for code, entry in document("scripts").items()]
    return Weighted(choices)
