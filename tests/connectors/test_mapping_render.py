"""Canonical names to columns: what a mapping writes, and that reading it again brings the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.connectors.mapping import Mapping, MappingError
from apps.customers.canonical import FLAT_FIELDS

TOML = """
[columns]
record_id = "Id"
name = "Name"
organization_name = "Name"
email = "mail"
address_line1 = ["Street", "No"]
city = "address.town"
country = "address.land"
language = "locales.0"
website = "www"
status = "Status"
credit_limit = "limit"
kind = "type"
segment = "ABC"

[constants]
currency = "EUR"

[values.status]
Active = "active"
A = "active"
Blocked = "blocked"

[extra]
segment = "text"

[out]
read_only = ["website"]

[out.columns]
name = ["Name", "Label"]
address_line1 = "Street"
customer_id = "meta.id"
hub_version = "meta.version"

[out.values.status]
inactive = "Blocked"

[out.types]
limit = "number"
"meta.version" = "number"

[out.max_length]
mail = 5
"""


def errors(document: str) -> list[tuple[str, str]]:
    with pytest.raises(MappingError) as caught:
        Mapping.from_toml(document)
    return [(entry.field, entry.code) for entry in caught.value.fields]


def test_what_is_written():
    mapping = Mapping.from_toml(TOML)
    assert mapping.writes == {
        "name", "email", "address_line1", "city", "country", "language", "status", "credit_limit", "kind", "customer_id",
        "hub_version", "extra.segment",
    }  # fmt: skip
    assert mapping.render(
        {
            "record_id": "7",
            "name": "Zoë",
            "organization_name": "Zoë Ltd",
            "email": "zoe@example.org",
            "address_line1": "Hauptstr. 5",
            "city": "Bonn",
            "country": None,
            "language": "de",
            "status": "active",
            "credit_limit": "1200.50",
            "currency": "USD",
            "extra.segment": "B",
            "website": "example.org",
            "customer_id": "c1",
            "hub_version": 3,
            "fax": "1",
        }
    ) == {
        "Name": "Zoë",
        "Label": "Zoë",
        "mail": "zoe@e",
        "Street": "Hauptstr. 5",
        "No": None,
        "address": {"town": "Bonn", "land": None},
        "locales": ["de"],
        "Status": "Active",
        "limit": 1200.5,
        "ABC": "B",
        "meta": {"id": "c1", "version": 3},
    }
    assert mapping.written_columns == (
        "mail", "address.town", "address.land", "locales.0", "Status", "limit", "type", "ABC", "Name", "Label", "Street",
        "meta.id", "meta.version", "No",
    )  # fmt: skip


def test_only_what_is_given_is_written():
    mapping = Mapping.from_toml(TOML)
    assert mapping.render({}) == {}
    assert mapping.render({"city": "Bonn"}) == {"address": {"town": "Bonn"}}
    assert Mapping().render({"email": "a@example.org"}) == {}


def test_words_go_back_to_the_first_one_and_unknown_ones_stay():
    mapping = Mapping.from_toml(TOML)
    assert mapping.render({"status": "inactive"}) == {"Status": "Blocked"}
    assert mapping.render({"status": "closed"}) == {"Status": "closed"}


def test_what_stands_for_no_value():
    assert Mapping.from_toml(TOML).render({"email": None, "language": "", "credit_limit": None}) == {
        "mail": None,
        "locales": None,
        "limit": None,
    }
    empty = Mapping.from_toml('[columns]\nemail = "mail"\nlanguage = "locales.0"\n[out]\nempty = ""')
    assert empty.render({"email": None, "language": None}) == {"mail": "", "locales": ""}


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        ("number", "1200.00", 1200),
        ("number", "12.5", 12.5),
        ("number", 3, 3),
        ("number", "many", "many"),
        ("number", "NaN", "NaN"),
        ("number", "1e400", "1e400"),
        ("boolean", "Yes", True),
        ("boolean", "0", False),
        ("boolean", "perhaps", "perhaps"),
        ("text", True, "true"),
        ("text", 5, 5),
    ],
    ids=str,
)
def test_types(kind, value, written):
    found = Mapping.from_toml(f'[columns]\nstatus = "s"\n[out.types]\ns = "{kind}"').render({"status": value})["s"]
    assert found == written and type(found) is type(written)


def test_a_list_that_is_too_short_says_none():
    mapping = Mapping.from_toml(TOML)
    assert mapping.apply({"locales": ["de", "fr"]})[0] == {"language": "de", "currency": "EUR"}
    assert mapping.apply({"locales": []})[0] == {"language": None, "currency": "EUR"}
    assert mapping.apply({"locales": None})[0] == {"currency": "EUR"}


def test_every_fault_of_the_way_out_is_reported():
    assert errors("[out]\nempy = 1\nread_only = 'x'\n[out.max_length]\na = 0") == [
        ("out.empy", "unknown_field"),
        ("out.read_only", "wrong_type"),
        ("out.max_length", "wrong_type"),
    ]
    assert errors(
        '[columns]\nemail = "m"\n[out]\nread_only = ["emial"]\n[out.columns]\nhub_kay = "k"\n'
        '[out.values.x]\n[out.types]\nm = "date"\nn = "text"\n[out.max_length]\nmm = 3'
    ) == [
        ("out.columns.hub_kay", "unknown_field"),
        ("out.values.x", "unknown_field"),
        ("out.read_only.emial", "unknown_field"),
        ("out.types.n", "unknown_column"),
        ("out.max_length.mm", "unknown_column"),
        ("out.types.m", "unknown_value"),
    ]
    assert errors('[out.columns]\nname = "a"\ncity = "a.b"\nemail = "c"\nphone = "c"') == [
        ("out.columns", "overlap"),
        ("out.columns", "overlap"),
    ]
    with pytest.raises(MappingError, match="did you mean 'hub_key'"):
        Mapping.from_toml('[out.columns]\nhub_kay = "k"')


def test_columns_that_two_names_share_are_not_written_unless_said():
    shared = '[columns]\nname = "a"\norganization_name = "a"\ncity = "b"\nregion = "b.c"\nemail = "d"\n'
    assert Mapping.from_toml(shared).writes == {"email"}
    assert Mapping.from_toml(shared + '[out.columns]\nname = "a"').writes == {"email", "name"}


@pytest.mark.parametrize("piece", ["b", "b.c", "x.y"])
def test_a_column_that_is_emptied_for_one_name_is_not_written_for_another(piece):
    joined = f'[columns]\nname = ["a", "b", "x"]\nkind = "{piece}"\nemail = "d"\n'
    assert Mapping.from_toml(joined).writes == {"kind", "email"}
    written = Mapping.from_toml(joined + '[out.columns]\nname = "a"')
    assert written.writes == {"name", "email"}
    assert written.apply(written.render({"name": "Anna"}))[0]["name"] == "Anna"
    with pytest.raises(MappingError, match="would be emptied for one name") as raised:
        Mapping.from_toml(joined + f'[out.columns]\nname = "a"\nkind = "{piece}"')
    with pytest.raises(MappingError, match="would be emptied for one name"):
        Mapping.from_toml('[columns]\nname = ["a", "b"]\ncity = ["c", "b"]\n[out.columns]\nname = "a"\ncity = "c"')
    assert [(fault.field, fault.code) for fault in raised.value.fields] == [("out.columns", "overlap")]


def test_the_way_out_survives_json_and_toml():
    mapping = Mapping.from_toml(TOML)
    assert Mapping.from_dict(mapping.to_dict()) == mapping
    assert Mapping.from_toml(mapping.to_toml()) == mapping
    assert Mapping.from_toml('[out]\nempty = ""').to_dict() == {"out": {"empty": ""}}


names = [name for name in FLAT_FIELDS if name not in ("record_id", "deleted", "source_updated_at")]
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(str.strip)
native = st.lists(
    st.sampled_from("abc")
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="."), min_size=1, max_size=5).filter(
        lambda word: not word.isdigit()
    ),
    min_size=1,
    max_size=3,
).map(".".join)


@st.composite
def ways(draw):
    """A mapping whose words can be told apart, and fields it can write."""
    columns = draw(
        st.dictionaries(st.sampled_from(names), native | st.lists(native, min_size=2, max_size=2, unique=True))
    )
    values = {}
    for name in columns:
        words = draw(st.dictionaries(st.sampled_from("pqrs"), st.sampled_from("PQ"), max_size=3))
        if words and draw(st.booleans()):
            values[name] = {f"w{word}": f"m{meaning}" for word, meaning in words.items()}
    joined = {name: column for name, column in columns.items() if isinstance(column, list)}
    elsewhere = draw(st.lists(st.sampled_from(names), max_size=3, unique=True))
    written = {name: f"{index}{draw(native)}" for index, name in enumerate(elsewhere) if name not in joined}
    columns |= written
    written |= {name: column[0] for name, column in joined.items() if draw(st.booleans())}
    out = {"columns": written}
    try:
        mapping = Mapping.from_dict({"columns": columns, "values": values, "out": out})
    except MappingError as error:
        assert {entry.code for entry in error.fields} == {"overlap"}
        mapping = Mapping.from_dict({"columns": {"email": "e.mail"}})
    known = {name: sorted(set(words.values())) for name, words in values.items()}
    fields = {
        name: draw(st.none() | (st.sampled_from(known[name]) if name in known else texts.map(str.strip)))
        for name in sorted(mapping.writes)
        if draw(st.booleans())
    }
    return mapping, fields


@given(ways())
def test_what_is_written_reads_back_the_same(way):
    mapping, fields = way
    written = mapping.render(fields)
    again, _ = mapping.apply(written)
    assert {name: again.get(name) or None for name in fields} == fields
    assert {name: value for name, value in again.items() if name not in fields and name in mapping.writes} == {}
