"""Files of JSON and Parquet: rows, damage, emptiness."""

import json

import pyarrow as arrow
import pytest
from pyarrow import parquet

from apps.connectors.files import FileProblem, open_rows
from apps.connectors.files_row import MAX_RECORD
from tests.connectors.reading import rows, seen


def test_rows_of_ndjson(write):
    lines = [
        '{"id": "1", "tags": ["a"]}',
        "",
        '{"id": }',
        "[1]",
        '{"id": "2", "id": "3"}',
        '{"a": ' * 33 + "1" + "}" * 33,
        json.dumps(dict.fromkeys(map(str, range(5001)))),
        '{"id": NaN}',
        '{"id": 1e999}',
        '{"id": "\\u0000\\ud800"}',
        f'{{"id": "{"x" * MAX_RECORD}"}}',
        '{"id": 4}',
    ]
    found = rows(write("\n".join(lines), "records.ndjson"))
    assert seen(found) == [
        (1, {"id": "1", "tags": ["a"]}),
        (3, "bad_json"),
        (4, "not_an_object"),
        (5, "duplicate_key"),
        (6, "too_deep"),
        (7, "too_many_keys"),
        (8, "number_not_finite"),
        (9, "number_not_finite"),
        (10, {"id": "\0\ud800"}),
        (11, "line_too_long"),
        (12, {"id": 4}),
    ]
    assert found[3].problems[0].field == "id" and found[0].raw == lines[0]


ARRAY = """
[
  {"id": 1, "name": "[}\\"{"},
  {"id": 2, "name": },
  7,
  {"id": 3,
   "parts": [{"a": 1}, {"b": 2}]}
  , {"id": 4 "x"}, {"id": 5, "id": 5}
]
"""


def test_rows_of_a_json_array(write):
    found = rows(write(ARRAY, "records.json"))
    assert seen(found) == [
        (3, {"id": 1, "name": '[}"{'}),
        (4, "bad_json"),
        (5, "not_an_object"),
        (6, {"id": 3, "parts": [{"a": 1}, {"b": 2}]}),
        (8, "bad_json"),
        (8, "duplicate_key"),
    ]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ('[{"id": 1}, {"id": "2}, {"id": 3}, {"id": 4}]', [None, "bad_json", None, None]),
        ('[{"id": 1}, {"id": 2', [None, "bad_json", "bad_json"]),
        ('[{"id": 1}', [None, "bad_json"]),
        ('[{"id": 1}] trailing', [None, "bad_json"]),
        ('[{"id": 1}, {"id": [1}, {"id": 3}]', [None, "bad_json", None]),
        ("[" + '{"a":' * 200_000 + ', {"id": 3}]', ["too_deep"]),
        ("[1 2, {}]", ["not_an_object", "not_an_object", None]),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_damaged_array_loses_what_is_damaged(write, text, codes):
    found = rows(write(text, "records.json"))
    got = [row.problems[0].code if row.problems else None for row in found]
    assert got[: len(codes)] == codes


@pytest.mark.parametrize(
    ("content", "code"),
    [("[]", "empty_file"), ("[ ]\n", "empty_file"), ("{\n}\n", "one_object"), (b"\xef\xbb\xbf \n", "empty_file")],
)
def test_json_files_without_records(write, content, code):
    with pytest.raises(FileProblem) as caught:
        open_rows(write(content, "records.json"))
    assert caught.value.code == code


def test_rows_of_parquet(tmp_path):
    path = tmp_path / "records.parquet"
    table = arrow.table(
        {
            "id": ["1", "2", "3"],
            "born": arrow.array([0, None, 2], arrow.date32()),
            "limit": arrow.array([1.5, float("nan"), float("inf")]),
            "name": arrow.array([b"Ann", b"\xffB", None], arrow.binary()),
            "tags": [["a"], [], None],
        }
    )
    parquet.write_table(table, path, row_group_size=2)
    with open_rows(path) as reader:
        assert reader.header == ("id", "born", "limit", "name", "tags") and reader.format == "parquet"
        found = list(reader)
        assert reader.bytes_read == reader.size
    assert seen(found) == [
        (1, {"id": "1", "born": "1970-01-01", "limit": 1.5, "name": "Ann", "tags": ["a"]}),
        (2, "undecodable_bytes"),
        (3, {"id": "3", "born": "1970-01-03", "limit": "inf", "name": None, "tags": None}),
    ]
    assert found[1].problems[0].field == "name" and json.loads(found[1].raw)["name"] == "\\xffB"
    assert seen(rows(path, position=2)) == seen(found)[2:]


def test_damaged_parquet_never_raises_after_opening(tmp_path):
    path = tmp_path / "records.parquet"
    table = arrow.table({"id": [str(at) for at in range(3000)], "name": ["Ann"] * 3000})
    parquet.write_table(table, path, row_group_size=1000, compression="none", use_dictionary=False)
    whole = path.read_bytes()
    for at in range(10, len(whole), len(whole) // 40):
        path.write_bytes(whole[:at] + b"\xff\xff\xff\xff" + whole[at + 4 :])
        try:
            found = rows(path)
        except FileProblem as problem:
            assert problem.code in {"bad_parquet", "duplicate_header", "bad_header"}
        else:
            assert found
