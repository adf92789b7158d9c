"""How clerks, forms and exports spoil a record: typing errors, nicknames, swapped names, old spellings, lost values.

Every function takes the record's flat item and the customer in truth, and changes the item in place; where it does not
apply it leaves the item alone.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from mdmhub.demo.countries import Phone
from mdmhub.demo.entities import DAYS, Entity
from mdmhub.demo.wordlists import Weighted, pick

Item = dict[str, Any]
Dirt = Callable[[Random, Item, Entity], None]

PLAIN = str.maketrans("äöüåàâáãçéèêëíìîïñóòôõúùûśćńźżąęłşğÄÖÜÅÀÂÁÇÉÈÊËÍÎÑÓÔÚŚĆŃŹŻĄĘŁ",
                      "aouaaaaaceeeeiiiinoooouuuscnzzaelsgAOUAAAACEEEEIINOOUSCNZZAEL")  # fmt: skip
GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "å": "aa"})
BESIDE = dict(zip("qwertyuiopasdfghjklzxcvbnm", "wertzuiopsasdfghjkyxcvbnmn", strict=True))
MISREAD = str.maketrans("0123456789", "8762954130")
FREE_TEXT = ("given_name", "family_name", "name", "organization_name", "address_line1", "city")
GENERIC_PHONE = {"US": "000-000-0000", "GB": "01234 567890", "DE": "0123456789"}


def mistyped(rng: Random, text: str) -> str:
    """``text`` with one slip of the finger: two letters swapped, one lost, one doubled, or a neighbour's key."""
    if len(text) < 4:
        return text
    spot = 1 + int(rng.random() * (len(text) - 2))
    slip = int(rng.random() * 4)
    if slip == 0:
        return text[:spot] + text[spot + 1] + text[spot] + text[spot + 2 :]
    if slip == 1:
        return text[:spot] + text[spot + 1 :]
    if slip == 2:
        return text[:spot] + text[spot] + text[spot:]
    return text[:spot] + BESIDE.get(text[spot], text[spot]) + text[spot + 1 :]


def typing_error(rng: Random, item: Item, _entity: Entity) -> None:
    present = [name for name in FREE_TEXT if item.get(name)]
    if present:
        name = pick(rng, present)
        item[name] = mistyped(rng, item[name])


def nickname(rng: Random, item: Item, entity: Entity) -> None:
    short = pick(rng, entity.nicknames) if entity.nicknames else ""
    if short and item.get("given_name"):
        item["given_name"] = short
    elif short and item.get("name"):
        item["name"] = item["name"].replace(entity.given, short)


def initial(rng: Random, item: Item, entity: Entity) -> None:
    given = (item.get("given_name") or "").strip()
    if given:
        item["given_name"] = given[0] + ("." if rng.random() < 0.6 else "")
    elif item.get("name"):
        item["name"] = item["name"].replace(entity.given, f"{entity.given[0]}.")


def swapped_names(_rng: Random, item: Item, entity: Entity) -> None:
    if item.get("given_name") and item.get("family_name"):
        item["given_name"], item["family_name"] = item["family_name"], item["given_name"]
    elif item.get("name") and entity.family:
        item["name"] = f"{entity.family} {entity.given}"


def half_family_name(_rng: Random, item: Item, entity: Entity) -> None:
    """Spanish customers of foreign systems lose their second family name."""
    if entity.country.code == "ES" and item.get("family_name"):
        item["family_name"] = item["family_name"].split()[0]


def without_accents(rng: Random, item: Item, _entity: Entity) -> None:
    table = GERMAN if rng.random() < 0.5 else PLAIN
    for name in FREE_TEXT:
        if item.get(name):
            item[name] = item[name].translate(table).translate(PLAIN)


def upper_case(_rng: Random, item: Item, _entity: Entity) -> None:
    for name in FREE_TEXT:
        if item.get(name):
            item[name] = item[name].upper()


def legal_form(rng: Random, item: Item, entity: Entity) -> None:
    """The same company with its legal form written another way, or left out."""
    name = item.get("organization_name")
    if name and entity.legal[0] and name.endswith(entity.legal[0]):
        item["organization_name"] = (name[: -len(entity.legal[0])] + pick(rng, entity.legal)).strip()


def short_company(rng: Random, item: Item, entity: Entity) -> None:
    """What people call the company: without its form, without its trade, or with another 'and'."""
    name = item.get("organization_name")
    if not name or not name.startswith(entity.stem):
        return
    draw = rng.random()
    if draw < 0.35 and len(entity.stem) > 5:
        item["organization_name"] = entity.stem
    elif draw < 0.7:
        item["organization_name"] = f"{entity.stem} {entity.trade}".strip()
    else:
        item["organization_name"] = name.replace(" & ", " + " if draw < 0.85 else " and ")


def short_street(_rng: Random, item: Item, entity: Entity) -> None:
    street = item.get("address_line1") or ""
    for full, short in entity.country.short:
        if full in street:
            item["address_line1"] = street.replace(full, short)
            return


def one_line_address(_rng: Random, item: Item, _entity: Entity) -> None:
    if item.get("address_line2") and item.get("address_line1"):
        item["address_line1"] = f"{item['address_line1']}, {item['address_line2']}"
        item["address_line2"] = ""


def lost_value(rng: Random, item: Item, _entity: Entity) -> None:
    """A value the system does not know (absent) or says is empty."""
    name = pick(rng, ("email", "phone", "birth_date", "postal_code", "tax_id", "address_line1", "city", "website"))
    if item.get(name):
        if rng.random() < 0.7:
            del item[name]
        else:
            item[name] = "" if rng.random() < 0.7 else None


def wrong_digit(rng: Random, item: Item, _entity: Entity) -> None:
    present = [name for name in ("phone", "tax_id", "postal_code", "national_id") if item.get(name)]
    if present:
        name = pick(rng, present)
        spots = [spot for spot, mark in enumerate(item[name]) if mark.isdigit()][3:]
        if spots:
            spot = pick(rng, spots)
            item[name] = item[name][:spot] + item[name][spot].translate(MISREAD) + item[name][spot + 1 :]


def wrong_birth_date(rng: Random, item: Item, _entity: Entity) -> None:
    """Day and month changed places where both are possible, else a year off by one; or a form's default date."""
    date = item.get("birth_date")
    if not date:
        return
    draw = rng.random()
    if draw < 0.12:
        item["birth_date"] = "1900-01-01"
    elif draw < 0.6 and int(date[8:]) <= 12:
        item["birth_date"] = f"{date[:4]}-{date[8:]}-{date[5:7]}"
    elif date[5:] != "02-29":
        item["birth_date"] = f"{int(date[:4]) + (1 if rng.random() < 0.5 else -1)}{date[4:]}"


def country_in_words(rng: Random, item: Item, entity: Entity) -> None:
    if item.get("country"):
        item["country"] = pick(rng, entity.country.names)


def placeholder(rng: Random, item: Item, entity: Entity) -> None:
    """What clerks type when a field must not be empty: shared by many, evidence for nothing."""
    if "email" in item and rng.random() < 0.6:
        item["email"] = "noemail@example.com"
    elif "phone" in item:
        item["phone"] = GENERIC_PHONE.get(entity.country.code, "0000000000")


def stray_spaces(rng: Random, item: Item, _entity: Entity) -> None:
    name = pick(rng, FREE_TEXT)
    if item.get(name):
        item[name] = f" {item[name]}" if rng.random() < 0.4 else item[name].replace(" ", "  ") + " "


PERSON: Weighted[Dirt] = Weighted([
    (typing_error, 30), (nickname, 16), (initial, 9), (swapped_names, 5), (half_family_name, 5), (without_accents, 11),
    (upper_case, 7), (short_street, 12), (one_line_address, 4), (lost_value, 22), (wrong_digit, 8),
    (wrong_birth_date, 6), (country_in_words, 7), (placeholder, 1.4), (stray_spaces, 4),
])  # fmt: skip
COMPANY: Weighted[Dirt] = Weighted([
    (typing_error, 22), (legal_form, 34), (short_company, 14), (without_accents, 10), (upper_case, 10),
    (short_street, 16), (one_line_address, 4), (lost_value, 20), (wrong_digit, 8), (country_in_words, 7),
    (placeholder, 1.2), (stray_spaces, 4),
])  # fmt: skip
HOW_MANY: Weighted[int] = Weighted([(0, 44), (1, 33), (2, 16), (3, 7)])


def spoil(rng: Random, item: Item, entity: Entity) -> None:
    """Nought to three faults, as a person's or a company's record gets them."""
    kinds = PERSON if entity.kind == "person" else COMPANY
    for _ in range(HOW_MANY.draw(rng)):
        kinds.draw(rng)(rng, item, entity)


# How people write a number: international, national, with dots, brackets or nothing between the digits.
PHONE_FORMS: Weighted[str] = Weighted([
    ("+{calling} {area} {head} {tail}", 30), ("+{calling}{area}{head}{tail}", 20), ("{trunk}{area} {head}{tail}", 12),
    ("{trunk}{area}-{head}-{tail}", 12), ("({trunk}{area}) {head} {tail}", 10), ("00{calling} {area} {head}{tail}", 8),
    ("+{calling}.{area}.{head}{tail}", 8),
])  # fmt: skip


def written_phone(rng: Random, phone: Phone) -> str:
    form = PHONE_FORMS.draw(rng)
    if phone.calling == "1" and form.startswith("00"):
        form = "1-{area}-{head}-{tail}"
    calling, trunk, area, local = phone
    return form.format(calling=calling, trunk=trunk, area=area, head=local[:3], tail=local[3:])


def written_tax_id(rng: Random, tax_id: str) -> str:
    """A tax number with or without its country letters, compact or in groups."""
    draw = rng.random()
    if draw < 0.6 or "-" in tax_id:
        return tax_id
    if draw < 0.75:
        return tax_id[2:] if tax_id[:2].isalpha() else tax_id
    if draw < 0.9:
        return f"{tax_id[:2]} {tax_id[2:5]} {tax_id[5:8]} {tax_id[8:]}".strip()
    return tax_id.lower()


def moment(rng: Random, day: int) -> str:
    """A point of time on day number ``day`` of the demo's calendar, in UTC."""
    second = int(rng.random() * 36_000)
    return f"{DAYS[day]}T{7 + second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}Z"
