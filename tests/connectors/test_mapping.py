"""Columns to canonical names: what a mapping document may say, and what applying it gives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.common.errors import Rejected
from apps.connectors.mapping import Mapping, MappingError, parse_map_options
from apps.customers.canonical import FLAT_FIELDS

TOML = """
default_country = "Germany"
ignore = ["Notiz"]

[columns]
record_id = "Kundennummer"
email = "E-Mail"
address_line1 = ["Straße", "Hausnummer"]
city = "adresse.ort"
status = "Stand"
segment = "ABC"

[constants]
kind = "organization"

[values.status]
A = "active"
"Gesperrt " = "blocked"

[values.kind]
P = "person"

[extra]
segment = "text"
"""


def errors(call, *args, **kwargs) -> list[tuple[str, str]]:
    with pytest.raises(MappingError) as caught:
        call(*args, **kwargs)
    assert isinstance(caught.value, Rejected)
    assert all(
        entry.detail.endswith((".", "?")) and entry.detail in caught.value.detail for entry in caught.value.fields
    )
    return [(entry.field, entry.code) for entry in caught.value.fields]


def test_a_record_under_canonical_names():
    mapping = Mapping.from_toml(TOML)
    assert mapping.default_country == "DE" and mapping.extra == {"segment": "text"}
    item, rest = mapping.apply(
        {
            "Kundennummer": 7,
            "E-Mail": None,
            "Straße": "Hauptstr. ",
            "Hausnummer": 5,
            "adresse": {"ort": "Bonn"},
            "Stand": " gesperrt",
            "ABC": "B",
            "Notiz": "secret",
            "Fax": "1",
            "website": "example.org",
        }
    )
    assert item == {
        "record_id": 7,
        "email": None,
        "address_line1": "Hauptstr. 5",
        "city": "Bonn",
        "status": "blocked",
        "segment": "B",
        "website": "example.org",
        "kind": "organization",
    }
    assert rest == {"Fax": "1"}


def test_absent_columns_stay_absent_and_constants_fill_what_is_blank():
    mapping = Mapping.from_toml(TOML)
    assert mapping.apply({"Kundennummer": "1"}) == ({"record_id": "1", "kind": "organization"}, {})
    assert mapping.apply({"kind": "P"})[0] == {"kind": "person"}
    assert mapping.apply({"kind": " "})[0] == {"kind": "organization"}
    assert mapping.apply({"Straße": None, "Hausnummer": ""})[0]["address_line1"] == ""
    assert mapping.apply({"Hausnummer": "5"})[0]["address_line1"] == "5"


def test_a_name_given_another_column_is_not_taken_from_its_own():
    mapping = Mapping(columns={"email": ("mail2",)})
    assert mapping.apply({"email": "a", "mail2": "b"}) == ({"email": "b"}, {"email": "a"})


def test_the_identity_of_canonical_headers():
    header = ["Record ID", "E-Mail", "Postal-Code", "kind"]
    mapping = Mapping.identity(header)
    mapping.check(header)
    assert mapping.to_dict() == {"columns": {"record_id": "Record ID", "postal_code": "Postal-Code", "kind": "kind"}}
    assert Mapping().apply({"record_id": 1, "name": "Ann", "x": 2}) == ({"record_id": 1, "name": "Ann"}, {"x": 2})


def test_options_of_the_command():
    columns = parse_map_options(["email=E-Mail", "address_line1=Street", "address_line1 = No", "name=a=b"])
    assert columns == {"email": ("E-Mail",), "address_line1": ("Street", "No"), "name": ("a=b",)}
    assert Mapping().with_columns(columns).columns == columns
    assert errors(parse_map_options, ["email", "=x", "name="]) == [
        ("email", "bad_option"),
        ("=x", "bad_option"),
        ("name=", "bad_option"),
    ]


def test_a_wrong_name_is_told_with_what_may_have_been_meant():
    with pytest.raises(MappingError, match="did you mean 'email'"):
        Mapping().with_columns({"e-mail": ("x",)})
    with pytest.raises(MappingError, match="canonical=column"):
        Mapping().with_columns({"E-Mail": ("email",)})
    with pytest.raises(MappingError, match="did you mean 'E-Mail'"):
        Mapping(columns={"email": ("E-Mial",)}).check(["record_id", "E-Mail", "Name"])
    with pytest.raises(MappingError, match="record_id"):
        Mapping(columns={"email": ("E-Mail",)}).check(["E-Mail", "Name"])
    Mapping(columns={"city": ("address.city",)}).check(["record_id", "address"])


def test_every_fault_of_a_document_is_reported():
    assert errors(
        Mapping.from_dict, {"colums": {}, "columns": [], "values": {"status": "A"}, "ignore": "x", "extra": {"a": 1}}
    ) == [
        ("colums", "unknown_field"),
        ("columns", "wrong_type"),
        ("values", "wrong_type"),
        ("extra", "wrong_type"),
        ("ignore", "wrong_type"),
    ]
    document = {
        "columns": {"mail": "x"},
        "constants": {"city2": 1},
        "values": {"stat": {}},
        "default_country": "Narnia",
    }
    assert errors(Mapping.from_dict, {**document, "extra": {"name": "text", "x": "blob"}}) == [
        ("mail", "unknown_field"),
        ("city2", "unknown_field"),
        ("stat", "unknown_field"),
        ("name", "unknown_field"),
        ("x", "unknown_value"),
        ("default_country", "unknown_value"),
    ]
    assert errors(Mapping.from_toml, "columns = [") == [("", "bad_toml")]
    assert errors(Mapping.from_dict, {"columns": {"email": []}}) == [("columns", "wrong_type")]


words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
documents = st.fixed_dictionaries(
    {},
    optional={
        "columns": st.dictionaries(
            st.sampled_from(FLAT_FIELDS), words | st.lists(words, min_size=2, max_size=3), min_size=1
        ),
        "constants": st.dictionaries(
            st.sampled_from(FLAT_FIELDS), words | st.booleans() | st.integers(-9, 9), min_size=1
        ),
        "values": st.dictionaries(st.sampled_from(FLAT_FIELDS), st.dictionaries(words, words, min_size=1), min_size=1),
        "default_country": st.just("DE"),
        "extra": st.just({"segment": "text"}),
        "ignore": st.lists(words, min_size=1),
    },
)


@given(documents)
def test_a_document_survives_json_and_toml(document):
    mapping = Mapping.from_dict(document)
    assert mapping.to_dict() == document
    assert Mapping.from_toml(mapping.to_toml()) == mapping


@given(
    documents,
    st.dictionaries(
        words | st.sampled_from(FLAT_FIELDS), st.none() | st.text(max_size=5) | st.integers() | st.lists(st.none())
    ),
)
def test_nothing_of_a_record_is_lost_but_what_is_ignored(document, record):
    mapping = Mapping.from_dict(document)
    item, rest = mapping.apply(record)
    used = {column for columns in mapping.columns.values() for column in columns}
    for column in record:
        assert (
            column in rest
            or column in item
            or column in mapping.ignore
            or column in used
            or column in {one.split(".")[0] for one in used}
        )
    assert not rest.keys() & used
