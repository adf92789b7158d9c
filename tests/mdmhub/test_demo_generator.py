"""The demo's customers: always the same for one seed, valid where they should be, wrong only where a story says so."""

import csv
import json
from collections import Counter, defaultdict
from datetime import date, datetime
from itertools import islice, pairwise
from pathlib import Path

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import get_cc_module
from stdnum.de import vat as de_vat
from stdnum.gb import vat as gb_vat

from mdmhub.demo.countries import PhoneBook, countries
from mdmhub.demo.dirt import spoil
from mdmhub.demo.entities import World
from mdmhub.demo.generator import STORIES, SYSTEMS, Record, generate, write_files
from mdmhub.demo.systems import FIELDS, Clerks

CANONICAL = {
    "record_id", "kind", "name", "given_name", "family_name", "organization_name", "birth_date", "email", "phone",
    "website", "tax_id", "national_id", "lei", "duns", "registration_number", "address_line1", "address_line2", "city",
    "region", "postal_code", "country", "currency", "language", "payment_terms", "credit_limit", "status",
    "source_updated_at", "deleted",
}  # fmt: skip


@pytest.fixture(scope="module")
def demo() -> list[Record]:
    return list(generate(2_000))


def told(demo: list[Record], key: str) -> list[Record]:
    return [record for record in demo if record.story == key]


def by_id(demo: list[Record]) -> dict[tuple[str, str], Record]:
    return {(record.system, record.item["record_id"]): record for record in demo}


# The same for one seed


def test_one_seed_gives_one_demo(demo: list[Record]) -> None:
    assert demo == list(generate(2_000, seed=7))


def test_another_seed_gives_other_customers_and_the_same_stories(demo: list[Record]) -> None:
    other = list(generate(2_000, seed=8))
    count = sum(record.story is not None for record in demo)
    assert demo[:count] == other[:count]
    mine = {json.dumps(record.item, sort_keys=True) for record in demo[count:]}
    assert not mine & {json.dumps(record.item, sort_keys=True) for record in other[count:]}


def test_more_customers_leave_the_first_ones_unchanged(demo: list[Record]) -> None:
    fewer = by_id(list(generate(500)))
    assert fewer.items() <= by_id(demo).items()


def test_who_changes_a_record_does_not_change_the_next_demo() -> None:
    first = next(generate(1))
    first.item.clear()
    assert next(generate(1)).item


# How many, and of what kind


@pytest.mark.parametrize("number", [71, 300, 2_000])
def test_the_number_of_customers_counts_the_stories(number: int) -> None:
    assert len({record.entity_id for record in generate(number)}) == number


def test_stories_come_whole_even_when_fewer_customers_are_asked_for() -> None:
    records = list(generate(3))
    assert len(records) == sum(len(story.records) for story in STORIES)
    assert all(record.story for record in records)


def test_without_stories_no_record_is_told() -> None:
    records = list(generate(300, stories=False))
    assert len({record.entity_id for record in records}) == 300
    assert all(record.story is None for record in records)
    assert list(generate(0, stories=False)) == []


def test_a_negative_number_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        generate(-1)


def test_about_sixteen_records_for_ten_customers_over_all_systems(demo: list[Record]) -> None:
    assert 1.5 < len(demo) / 2_000 < 1.7
    systems = Counter(record.system for record in demo)
    assert set(systems) == set(SYSTEMS)
    assert min(systems.values()) > 400
    kinds = Counter(record.item["kind"] for record in demo)
    assert set(kinds) == {"person", "organization"}
    assert min(kinds.values()) > 900


def test_records_of_one_customer_do_not_arrive_side_by_side() -> None:
    others = [record.entity_id for record in generate(3_000, stories=False)]
    neighbours = sum(one == other for one, other in pairwise(others))
    assert neighbours < 20


def test_several_scripts_appear(demo: list[Record]) -> None:
    letters = "".join(str(value) for record in demo for value in record.item.values())
    for sample in "αиر山ßñłåç":
        assert sample in letters


# Every record is one that the hub can take


def test_items_have_only_flat_canonical_names_that_their_system_keeps(demo: list[Record]) -> None:
    for record in demo:
        assert set(record.item) <= CANONICAL
        if record.story is None:
            assert set(record.item) <= set(FIELDS[record.system]), record
        assert record.item["record_id"]
        assert record.item["kind"] in {"person", "organization"}
        assert datetime.fromisoformat(record.item["source_updated_at"]).tzinfo
        assert all(value is None or isinstance(value, str) for value in record.item.values())


def test_record_ids_are_unique_in_their_system(demo: list[Record]) -> None:
    assert len(by_id(demo)) == len(demo)


def test_values_that_must_be_of_a_list_are(demo: list[Record]) -> None:
    for record in demo:
        assert record.item.get("status", "active") in {"prospect", "active", "blocked", "inactive", "closed"}
        if record.item.get("birth_date") and record.item["record_id"] != "S-0901":
            assert 1900 <= date.fromisoformat(record.item["birth_date"]).year < 2010


def test_no_record_is_without_a_name(demo: list[Record]) -> None:
    for record in demo:
        names = ("organization_name",) if record.item["kind"] == "organization" else ("name", "family_name")
        assert any((record.item.get(name) or "").strip() for name in names), record


def test_mail_and_web_names_belong_to_nobody(demo: list[Record]) -> None:
    for record in demo:
        for name in ("email", "website"):
            host = (record.item.get(name) or "x.example").lower().rstrip("/").rpartition("@")[2]
            assert host.endswith((".example", ".test", "@example.com")) or host == "example.com", host


def test_both_kinds_of_emptiness_appear(demo: list[Record]) -> None:
    values = Counter(value for record in demo for value in record.item.values() if not value)
    assert values[""] > 10
    assert values[None] > 3


# Truth


def test_truth_agrees_with_what_the_records_say(demo: list[Record]) -> None:
    """A customer has one kind; and a long identifier that is whole belongs to one customer."""
    kinds: dict[str, set[str]] = defaultdict(set)
    owners: dict[str, set[str]] = defaultdict(set)
    for record in demo:
        kinds[record.entity_id].add(record.item["kind"])
        for name in ("lei", "duns"):
            if record.item.get(name):
                owners[record.item[name]].add(record.entity_id)
    assert all(len(kind) == 1 for kind in kinds.values())
    assert all(len(owner) == 1 for owner in owners.values())


def test_chance_likeness_stays_rare_among_many() -> None:
    """Of 20,000 customers, few share a name by chance and none a mail address, mobile number or tax number."""
    world = World(3)
    customers = [world.next() for _ in range(20_000)]
    people = [one for one in customers if one.kind == "person"]
    companies = [one for one in customers if one.kind == "organization"]
    assert max(Counter(one.email for one in people).values()) <= 2
    assert max(Counter(one.mobile for one in people).values()) == 1
    assert max(Counter(one.tax_id for one in companies).values()) == 1
    names = Counter((one.country.code, one.given, one.family) for one in people)
    assert sum(count for count in names.values() if count > 1) < 0.08 * len(people)
    names = Counter((one.country.code, one.stem, one.trade) for one in companies)
    assert sum(count for count in names.values() if count > 1) < 0.03 * len(companies)


# Telephone numbers


def test_phone_numbers_are_valid_each_given_once() -> None:
    book = PhoneBook(7)
    for country in countries().values:
        for kind in ("mobile", "landline"):
            numbers = [book.next(country, kind) for _ in range(400)]
            assert len(set(numbers)) == 400
            for calling, _trunk, area, local in numbers[::20]:
                number = f"+{calling}{area}{local}"
                assert phonenumbers.is_valid_number(phonenumbers.parse(number)), number


def test_phone_numbers_of_fiction_are_used_up_first() -> None:
    book = PhoneBook(7)
    country = next(one for one in countries().values if one.code == "US")
    numbers = [book.next(country, "mobile") for _ in range(7_000)]
    assert all(number.local.startswith("55501") for number in numbers[:6_000])
    assert len(set(numbers)) == 7_000


# Dirt


@given(seed=st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_dirt_keeps_a_record_a_record(seed: int) -> None:
    """However many faults fall on one record, ids and kind stay, values stay text, and a name remains."""
    world = World(seed)
    clerks = Clerks(world.rng)
    entity = world.next()
    for system in SYSTEMS:
        item = clerks.write(entity, system)
        record_id = item["record_id"]
        for _ in range(20):
            spoil(world.rng, item, entity)
        assert item["record_id"] == record_id
        assert item["kind"] == entity.kind
        assert all(value is None or isinstance(value, str) for value in item.values())
        assert any((item.get(name) or "").strip() for name in ("name", "family_name", "organization_name"))


def test_a_former_address_stands_only_in_records_older_than_the_move() -> None:
    world = World(11)
    clerks = Clerks(world.rng)
    moved = next(one for one in iter(world.next, None) if one.old_place and one.moved > 1_000 and one.kind == "person")
    codes = defaultdict(set)
    for _ in range(300):
        item = clerks.write(moved, "billing")
        if item.get("postal_code"):
            codes[item["postal_code"]].add(item["source_updated_at"])
    assert moved.old_place is not None
    assert max(codes[moved.old_place.postal_code]) < min(codes[moved.place.postal_code])


# The stories


def test_every_story_is_told_with_records_that_exist(demo: list[Record]) -> None:
    assert [story.key for story in STORIES] == [
        "three-names", "father-and-son", "sister-companies", "office-park", "married", "disagreement", "transliterated",
        "doubtful", "quarantine", "twins", "typed-twice",
    ]  # fmt: skip
    records = by_id(demo)
    for story in STORIES:
        assert story.title
        assert story.text.endswith(".")
        assert {records[key].story for key in story.records} == {story.key}
        assert len({records[key].entity_id for key in story.records}) == story.customers
    count = sum(len(story.records) for story in STORIES)
    assert all(record.story for record in demo[:count])
    assert all(record.item["record_id"].startswith("S-") for record in demo[:count])


def test_three_names_share_one_vat_number_in_three_spellings(demo: list[Record]) -> None:
    records = told(demo, "three-names")
    assert len({record.item["organization_name"] for record in records}) == 3
    numbers = [gb_vat.validate(record.item["tax_id"]) for record in records if "tax_id" in record.item]
    assert len(numbers) == 3
    assert len(set(numbers)) == 1


@pytest.mark.parametrize(
    ("key", "same", "different"),
    [
        ("father-and-son", ("region", "country"), "birth_date"),
        ("sister-companies", ("city", "postal_code"), "tax_id"),
        ("twins", ("city", "country"), "email"),
    ],
)
def test_those_who_must_stay_apart_share_much_and_differ_in_one(
    demo: list[Record], key: str, same: tuple[str, ...], different: str
) -> None:
    records = told(demo, key)
    for name in same:
        assert len({record.item[name].upper() for record in records if name in record.item}) == 1
    values: dict[str, set[str]] = defaultdict(set)
    for record in records:
        if different in record.item:
            values[record.entity_id].add("".join(filter(str.isalnum, record.item[different])).removeprefix("IT"))
    assert all(len(own) == 1 for own in values.values())
    assert len(set.union(*values.values())) == len(values) > 1


def test_forty_tenants_share_switchboard_and_mailbox(demo: list[Record]) -> None:
    records = [record for record in told(demo, "office-park") if record.system == "crm"]
    assert len(records) == len({record.entity_id for record in records}) == 40
    assert len({(record.item["phone"], record.item["email"]) for record in records}) == 1
    for record in told(demo, "office-park"):
        if "tax_id" in record.item:
            de_vat.validate(record.item["tax_id"])


def test_the_bad_records_are_bad_in_one_field_each(demo: list[Record]) -> None:
    bad = {record.item["record_id"]: record.item for record in told(demo, "quarantine")}
    with pytest.raises(ValueError, match="day is out of range"):
        date.fromisoformat(bad["S-0901"]["birth_date"])
    assert bad["S-0902"]["country"] == "Atlantis"
    assert len(bad["S-0903"]["name"]) == 1_200


def test_told_numbers_are_valid_and_no_other_customer_has_the_told_phones(demo: list[Record]) -> None:
    def digits(text: str) -> str:
        return "".join(filter(str.isdigit, text))[-9:]

    phones: dict[str, str] = {}
    for record in demo:
        number = digits(record.item.get("phone") or "")
        if record.story and number:
            phones[number] = record.story
            parsed = phonenumbers.parse(record.item["phone"], record.item["country"])
            assert phonenumbers.is_valid_number(parsed), record.item["phone"]
        if record.story and record.item.get("tax_id"):
            scheme = get_cc_module(record.item["country"], "vat")
            assert scheme is not None
            scheme.validate(record.item["tax_id"])
        if not record.story:
            assert number not in phones


# Files


def test_files_hold_every_record_once_with_truth_beside(tmp_path: Path, demo: list[Record]) -> None:
    paths = write_files(tmp_path / "new", 300, 7)
    names = sorted(path.name for path in paths.values())
    assert names == ["billing.csv", "crm.csv", "erp.csv", "support.ndjson", "truth.csv"]
    with paths["truth"].open(encoding="utf-8", newline="") as file:
        truth = {(row["system"], row["record_id"]): row["entity_id"] for row in csv.DictReader(file)}
    wanted = by_id(list(generate(300)))
    assert truth == {key: record.entity_id for key, record in wanted.items()}
    for system in ("crm", "erp", "billing"):
        with paths[system].open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            item = wanted.pop((system, row["record_id"])).item
            assert {name: value for name, value in row.items() if value} == {k: v for k, v in item.items() if v}
    lines = paths["support"].read_text(encoding="utf-8").splitlines()
    for item in map(json.loads, lines):
        assert wanted.pop(("support", item["record_id"])).item == item
    assert not wanted


def test_records_come_one_at_a_time() -> None:
    """The first record of a million is there at once."""
    assert len(list(islice(generate(1_000_000), 200))) == 200
