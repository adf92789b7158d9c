"""Files in: every format, every kind of damage, and that the rest goes through."""

import codecs
import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.connectors.files import FORMATS, FileProblem, Row, format_of, open_rows
from apps.connectors.files_row import MAX_RECORD
from tests.connectors.reading import rows, seen


def test_rows_of_a_csv_file(write):
    path = write('record_id,name\r\n1,Ann\r\n\r\n2,"Lee, Bo"\r\n,\r\n3,"two\nlines"\r\n')
    with open_rows(path) as reader:
        assert (reader.format, reader.header, reader.encoding, reader.delimiter) == (
            "csv", ("record_id", "name"), "utf-8", ","
        )  # fmt: skip
        assert reader.warnings == [] and reader.size == path.stat().st_size
        found = list(reader)
        assert reader.bytes_read == reader.size
    assert seen(found) == [
        (2, {"record_id": "1", "name": "Ann"}),
        (4, {"record_id": "2", "name": "Lee, Bo"}),
        (6, {"record_id": "3", "name": "two\nlines"}),
    ]
    assert [json.loads(row.raw) for row in found] == [row.values for row in found]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=repr)
@pytest.mark.parametrize("mark", [",", ";", "\t", "|"], ids=repr)
def test_ends_of_lines_and_delimiters(write, end, mark):
    lines = [f"id{mark}name{mark}city", f"1{mark}Ann{mark}Bonn", f'2{mark}"B{mark}o"{mark}Ulm']
    for last in ("", end):
        path = write(end.join(lines) + last)
        assert [list(row.values.values()) for row in rows(path)] == [["1", "Ann", "Bonn"], ["2", f"B{mark}o", "Ulm"]]


def test_a_delimiter_is_told_by_the_header_and_not_by_the_values(write):
    assert rows(write("id;names\n1;a,b,c\n2;d,e,f\n"))[0].values == {"id": "1", "names": "a,b,c"}
    assert rows(write("sep=;\nid;name\n1;Ann\n"))[0] == Row(3, {"id": "1", "name": "Ann"}, '{"id":"1","name":"Ann"}')
    assert rows(write("id\n1\n2\n"))[1].values == {"id": "2"}


@pytest.mark.parametrize(
    ("encoding", "bom", "found"),
    [
        ("utf-8", codecs.BOM_UTF8, "utf-8-sig"),
        ("utf-16-le", codecs.BOM_UTF16_LE, "utf-16"),
        ("utf-16-be", codecs.BOM_UTF16_BE, "utf-16"),
        ("utf-32-le", codecs.BOM_UTF32_LE, "utf-32"),
        ("utf-16-le", b"", "utf-16-le"),
        ("utf-8", b"", "utf-8"),
        ("cp1252", b"", "cp1252"),
        ("latin-1", b"", "latin-1"),
    ],
)
@pytest.mark.parametrize("name", ["records.csv", "records.ndjson"])
def test_encodings(write, encoding, bom, found, name):
    who = "Müller\x81" if found == "latin-1" else "Müller"
    records = [{"id": "1", "name": who}, {"id": "2", "name": "Ann"}]
    text = "id,name\n" + "".join(f"{one['id']},{one['name']}\n" for one in records)
    if name.endswith("ndjson"):
        text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records)
    with open_rows(write(bom + text.encode(encoding), name)) as reader:
        assert reader.encoding == found
        assert [one.code for one in reader.warnings] == (["encoding_guessed"] if not bom and found != "utf-8" else [])
        assert [row.values for row in reader] == records


def test_a_few_bad_bytes_in_a_utf8_file_spoil_their_rows_only(write):
    path = write("id,name\n1,Zoë Müller\n2,".encode() + b"\xff\xc3(\n" + "3,Çelik Öz\n".encode())
    with open_rows(path) as reader:
        found = list(reader)
        assert [one.code for one in reader.warnings] == ["undecodable_bytes"]
    assert [code for _, code in seen(found)] == [
        {"id": "1", "name": "Zoë Müller"}, "undecodable_bytes", {"id": "3", "name": "Çelik Öz"}
    ]  # fmt: skip
    assert found[1].problems[0].field == "name" and found[1].values is None
    assert found[1].raw == '{"id":"2","name":"\\xff\\xc3("}'


def test_ragged_rows_are_set_aside_with_their_line(write):
    found = rows(write("id,name,city\n1,Ann,Bonn\n2,Bo\n3,Cy,Ulm,x\n4,Di,Ulm,,\n5\n"))
    assert [(row.line, [one.code for one in row.problems]) for row in found] == [
        (2, []), (3, ["ragged_row"]), (4, ["ragged_row"]), (5, []), (6, ["ragged_row"])
    ]  # fmt: skip
    assert found[1].raw == "2,Bo"
    assert found[2].problems[0].detail == "Line 4 has 4 cells where the header has 3 columns."


def test_an_open_quote_spoils_its_line_only(write):
    found = rows(write('id,name,city\n1,"Ann,Bonn\n2,Bo,Ulm\n3,Cy,Ulm\n4,"Di,Ulm\n5,Ed,Ulm\n'))
    assert [(row.line, bool(row.problems)) for row in found] == [
        (2, True),
        (3, False),
        (4, False),
        (5, True),
        (6, False),
    ]
    assert found[0].problems[0].code == "open_quote" and found[0].raw == '1,"Ann,Bonn'
    many = "id,name\n" + '1,"Ann\n' + "".join(f"{at},Bo\n" for at in range(2, 2000))
    found = rows(write(many))
    assert len(found) == 1999 and [row.line for row in found if row.problems] == [2]


def test_a_field_of_ten_megabytes_is_read_and_a_longer_line_is_set_aside(write):
    found = rows(write(f"id,name\n1,{'x' * 10**7}\n2,{'y' * (MAX_RECORD + 5)}\n3,Ann\n"))
    assert [row.line for row in found] == [2, 3, 4]
    assert len(found[0].values["name"]) == 10**7
    assert found[1].problems[0].code == "line_too_long" and len(found[1].raw) < 2000
    assert found[2].values == {"id": "3", "name": "Ann"}


def test_a_long_line_behind_an_open_quote_spoils_two_lines_only(write):
    found = rows(write(f'id,name\n1,"Ann\n2,Bo\n3,{"y" * MAX_RECORD}\n4,Cy\n'))
    assert [(row.line, row.problems[0].code if row.problems else None) for row in found] == [
        (2, "open_quote"), (3, None), (4, "line_too_long"), (5, None)
    ]  # fmt: skip


def test_nul_bytes_are_left_to_the_parser_of_records(write):
    found = rows(write("id,name\n1,A\0n\n2,Bo\n"))
    assert found[0].values == {"id": "1", "name": "A\0n"} and "\0" not in found[0].raw
    assert found[1].values == {"id": "2", "name": "Bo"}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "empty_file"),
        ("\ufeff", "empty_file"),
        (" \n\n", "empty_file"),
        ("id,name\n", "header_only"),
        ("id,name", "header_only"),
        ("id,name,id,name\n1,2,3,4\n", "duplicate_header"),
        ("id, id \n1,2\n", "duplicate_header"),
        (",,\n1,2,3\n", "no_columns"),
        ('id,"name\n1,2\n', "bad_header"),
        ("i\0d,name\n1,2\n", "bad_header"),
        (",".join(f"c{at}" for at in range(5001)) + "\n1\n", "too_many_columns"),
        (b"PK\x03\x04rest", "foreign_format"),
        (b"\x1f\x8bzip", "foreign_format"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_makes_a_whole_file_unusable_is_one_clear_sentence(write, content, code):
    with pytest.raises(FileProblem) as caught:
        open_rows(write(content))
    assert caught.value.code == code and caught.value.detail.endswith(".")


def test_an_unnamed_column_is_called_by_its_place_and_none_at_the_end_counts(write):
    with open_rows(write("id,,name,\n1,x,Ann,\n")) as reader:
        assert reader.header == ("id", "column 2", "name")
        assert [one.code for one in reader.warnings] == ["unnamed_column"]
        assert next(iter(reader)).values == {"id": "1", "column 2": "x", "name": "Ann"}


def test_five_thousand_columns(write):
    header = [f"c{at}" for at in range(5000)]
    found = rows(write(",".join(header) + "\n" + ",".join("1" * 1 for _ in header) + "\n"))
    assert len(found[0].values) == 5000


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", "[x\n1\n", "csv"),
        ("a.TSV", "a\tb\n", "tsv"),
        ("a.jsonl", '{"a":1}\n', "ndjson"),
        ("a.json", '{"a":1}\n', "ndjson"),
        ("a.json", ' \n[{"a":1}]', "json"),
        ("a.ndjson", '[{"a":1}]', "json"),
        ("a.txt", "a,b\n", "csv"),
        ("a", '{"a":1}', "ndjson"),
        ("a.csv", "PAR1", "parquet"),
    ],
)
def test_the_format_is_found_by_content_and_suffix(write, name, content, expected):
    assert format_of(write(content, name)) == expected


def test_an_unknown_format_is_refused(write):
    with pytest.raises(FileProblem, match="csv, tsv"):
        open_rows(write("a\n1\n"), format="xlsx")
    with pytest.raises(FileProblem, match="PAR1"):
        open_rows(write("a\n1\n", "a.parquet"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'id,name\n1,Ann\n2,"two\nlines"\n\n3,x,y\n4,"open\n5,Bo\n6,Cy\n'),
        ("a.csv", "sep=;\r\nid;name\r\n1;Ann\r\n2;Bo\r\n3;Cy"),
        ("a.ndjson", '{"id":1}\n\n{bad}\n{"id":2}\n{"id":3}'),
        ("a.json", '[{"id":1},\n{bad},\n{"id":2}, {"id":3}]'),
    ],
)
def test_reading_goes_on_where_it_stopped(write, name, content):
    path = write(content, name)
    whole = rows(path)
    for stop in range(1, len(whole)):
        with open_rows(path) as reader:
            iterator = iter(reader)
            first = [next(iterator) for _ in range(stop)]
            position = reader.position
        assert first + rows(path, position=position) == whole


def test_memory_stays_flat_however_long_the_file_is(tmp_path):
    path = tmp_path / "large.csv"
    with path.open("w") as file:
        file.write("id,name,city,email\n")
        line = "1234567,Anna-Maria Müller-Lüdenscheidt,Bergisch Gladbach,anna-maria@example.org\n"
        for _ in range(20):
            file.write(line * 10_000)
    script = (
        "import resource, sys; from apps.connectors.files import open_rows\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(sum(1 for row in open_rows(sys.argv[1]) if not row.problems))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    count, grown = map(int, done.stdout.split())
    assert count == 200_000 and grown < 20_000  # KiB


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@given(
    st.lists(
        st.tuples(cells, cells, cells).filter(lambda row: any(cell.strip() for cell in row)), min_size=1, max_size=12
    )
)
def test_any_text_survives_a_round_trip_through_csv(tmp_path_factory, records):
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerows([("one", "two", "three"), *records])
    path = tmp_path_factory.mktemp("csv") / "records.csv"
    path.write_bytes(out.getvalue().encode())
    assert [tuple(row.values.values()) for row in rows(path)] == records


@given(
    st.lists(
        st.dictionaries(
            st.text(max_size=5), st.none() | st.booleans() | st.text(max_size=9) | st.integers(), max_size=4
        ),
        min_size=1,
    )
)
def test_any_object_survives_a_round_trip_through_json(tmp_path_factory, records):
    folder = tmp_path_factory.mktemp("json")
    (folder / "a.ndjson").write_text("\n".join(map(json.dumps, records)), "utf-8")
    (folder / "a.json").write_text(json.dumps(records, indent=1), "utf-8")
    assert [row.values for row in rows(folder / "a.ndjson")] == records
    assert [row.values for row in rows(folder / "a.json", format="json")] == records


json_like = st.text(st.sampled_from('{}[]",:\\0n1 \n'), max_size=60).map(str.encode)
csv_like = st.text(st.sampled_from('a,;"\n\r\t|1 \0'), max_size=60).map(str.encode)


@given(st.binary(max_size=80) | json_like | csv_like | json_like.map(b"[".__add__), st.sampled_from(FORMATS))
def test_no_bytes_make_a_reader_raise(tmp_path_factory, content, kind):
    path = tmp_path_factory.mktemp("any") / "any.bin"
    path.write_bytes(content)
    try:
        found = rows(path, format=kind)
    except FileProblem as problem:
        assert problem.detail
        return
    for row in found:
        assert (row.values is None) == bool(row.problems)
        row.raw.encode()
        assert "\0" not in row.raw
