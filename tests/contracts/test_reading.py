"""What every adapter promises of what it reads: every change once and in order, deleted and merged ones too, and nothing made up."""

import pytest

from apps.connectors.contract import Can, FarRecord, Op, Trouble
from tests.contracts.targets import CUSTOMER, TIMEOUT, Target

pytestmark = pytest.mark.contract


def all_pages(read, limit: int, cursor=None) -> tuple[list[FarRecord], dict, list[int]]:
    """Everything to be read from a cursor on, where it ends, and how long the pages were."""
    found, sizes, cursor = [], [], cursor or {}
    for _ in range(50):
        page = read(cursor, limit=limit, timeout=TIMEOUT)
        assert page.answer.trouble is None, page.answer
        found += page.records
        sizes.append(len(page.records))
        cursor = dict(page.cursor)
        if not page.more:
            return found, cursor, sizes
    raise AssertionError("the pages do not end")


def make(target: Target, count: int) -> list[str]:
    adapter = target.adapter()
    answers = [adapter.write(target.create(f"key-{n}"), timeout=TIMEOUT) for n in range(count)]
    assert all(answer.trouble is None for answer in answers)
    return [answer.external_id for answer in answers]


def test_changes_come_in_pages_and_go_on_after_the_cursor(rest: Target):
    adapter = rest.adapter()
    ids = make(rest, 5)
    found, cursor, sizes = all_pages(adapter.changes, 2)
    assert [record.external_id for record in found] == ids
    assert [record.hub_key for record in found] == [f"key-{n}" for n in range(5)]
    assert sizes[:2] == [2, 2] and all(record.changed_at for record in found)
    assert all(rest.mapping.apply(record.values)[0]["city"] == "Berlin" for record in found)
    again, same, _ = all_pages(adapter.changes, 2, cursor)
    assert (again, same) == ([], cursor)
    rest.far.edit(ids[1], {rest.mapping.columns["phone"][0]: "+4930111"})
    news, _, _ = all_pages(adapter.changes, 2, cursor)
    assert [record.external_id for record in news] == [ids[1]]
    assert rest.mapping.apply(news[0].values)[0]["phone"] == "+4930111"


def test_nothing_yet(rest: Target):
    page = rest.adapter().changes({}, limit=10, timeout=TIMEOUT)
    assert (list(page.records), page.more, page.answer.trouble) == ([], False, None)


def test_deleted_and_merged_records_are_marked(rest: Target):
    adapter = rest.adapter()
    ids = make(rest, 3)
    _, cursor, _ = all_pages(adapter.changes, 10)
    rest.far.delete(ids[0])
    if Can.MERGE in adapter.can:
        rest.far.merge(ids[1], ids[2])
    found, _, _ = all_pages(adapter.changes, 10, cursor)
    by_id = {record.external_id: record for record in found}
    assert (by_id[ids[0]].deleted, by_id[ids[0]].merged_into) == (True, None)
    if Can.MERGE in adapter.can:
        assert (by_id[ids[2]].deleted, by_id[ids[2]].merged_into) == (True, ids[1])
        assert not by_id[ids[1]].deleted
    gone = adapter.read(ids[0], timeout=TIMEOUT)
    assert gone.trouble is Trouble.NOT_FOUND or gone.record.deleted


def test_the_list_has_every_living_record_once(rest: Target):
    adapter = rest.adapter()
    ids = make(rest, 7)
    rest.far.delete(ids[3])
    rest.far.edit(ids[0], {rest.mapping.columns["phone"][0]: "+4930111"})
    found, _, sizes = all_pages(adapter.list, 3)
    living = [record.external_id for record in found if not record.deleted]
    assert sorted(living) == sorted(set(ids) - {ids[3]})
    assert max(sizes) <= 3


def test_a_word_nobody_knows_is_not_taken_for_another(rest: Target):
    adapter = rest.adapter()
    (made,) = make(rest, 1)
    rest.far.faults(status_word="Hibernating")
    record = adapter.read(made, timeout=TIMEOUT).record
    assert rest.mapping.apply(record.values)[0]["status"] == "Hibernating"
    (listed,) = adapter.changes({}, limit=5, timeout=TIMEOUT).records
    assert rest.mapping.apply(listed.values)[0]["status"] == "Hibernating"


def test_an_id_is_never_taken_for_a_path(rest: Target):
    adapter = rest.adapter()
    (made,) = make(rest, 1)
    for wrong in (f"x/../{made}", f"{made}?a=b", f"{made}#", "..", ".", "", f"../Account/{made}", "%2e%2e"):
        answer = adapter.read(wrong, timeout=TIMEOUT)
        assert answer.trouble in (Trouble.NOT_FOUND, Trouble.CONFIG), wrong
        assert answer.record is None


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────────
HEADER = "Number,Type,Company,Phone,Deleted\n"


def drop(target: Target, name: str, text: str) -> None:
    folder = target.folder / "in"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


@pytest.fixture(params=["folder", "sftp"])
def files(make_target, request) -> Target:
    return make_target(request.param)


def test_files_that_appear_are_read_in_order_and_moved_when_the_cursor_comes_back(files: Target):
    adapter = files.adapter()
    drop(files, "b.csv", HEADER + "3,organization,Gamma,+493,\n")
    drop(files, "a.csv", HEADER + "1,organization,Alpha,+491,\n2,organization,Beta,,yes\n")
    drop(files, "c.csv.part", HEADER + "9,organization,Half,,\n")
    first = adapter.changes({}, limit=10, timeout=TIMEOUT)
    assert [(r.external_id, r.deleted) for r in first.records] == [("1", False), ("2", True)] and first.more
    assert (files.folder / "in" / "a.csv").exists()
    # The cursor was not kept: the same comes again, also in another process.
    again = files.adapter().changes({}, limit=10, timeout=TIMEOUT)
    assert again.records == first.records
    second = adapter.changes(first.cursor, limit=10, timeout=TIMEOUT)
    assert [r.external_id for r in second.records] == ["3"] and not second.more
    assert (files.folder / "done" / "a.csv").exists() and not (files.folder / "in" / "a.csv").exists()
    last = adapter.changes(second.cursor, limit=10, timeout=TIMEOUT)
    assert (list(last.records), last.more) == ([], False)
    assert sorted(path.name for path in (files.folder / "in").iterdir()) == ["c.csv.part"]


def test_a_long_file_is_read_in_pages(files: Target):
    drop(files, "long.csv", HEADER + "".join(f"{n},organization,Company {n},,\n" for n in range(7)))
    found, cursor, sizes = all_pages(lambda *a, **k: files.adapter().changes(*a, **k), 3)
    assert [record.external_id for record in found] == [str(n) for n in range(7)]
    assert sizes == [3, 3, 1]
    assert cursor["seen"].keys() == {"long.csv"}


def test_a_file_that_comes_again_under_the_same_name_is_read_again(files: Target):
    adapter = files.adapter()
    drop(files, "a.csv", HEADER + "1,organization,Alpha,,\n")
    first = adapter.changes({}, limit=10, timeout=TIMEOUT)
    drop(files, "a.csv", HEADER + "1,organization,Alpha and more,,\n")
    second = adapter.changes(first.cursor, limit=10, timeout=TIMEOUT)
    assert [r.values["Company"] for r in second.records] == ["Alpha and more"]
    third = adapter.changes(second.cursor, limit=10, timeout=TIMEOUT)
    drop(files, "a.csv", HEADER + "2,organization,Beta,,\n")
    fourth = adapter.changes(third.cursor, limit=10, timeout=TIMEOUT)
    adapter.changes(fourth.cursor, limit=10, timeout=TIMEOUT)
    assert [r.external_id for r in fourth.records] == ["2"]
    assert len(list((files.folder / "done").iterdir())) == 2


def test_a_row_that_cannot_be_read_is_given_without_an_id(files: Target):
    drop(files, "a.csv", HEADER + '1,organization,Alpha,,\n2,"half\n')
    found = files.adapter().changes({}, limit=10, timeout=TIMEOUT).records
    assert found[0].external_id == "1"
    assert [record.external_id for record in found[1:]] == [""] and "half" in found[1].values["unreadable"]


def test_a_file_that_is_none_stops_with_its_name(files: Target):
    drop(files, "a.csv", "PK\x03\x04 an archive")
    page = files.adapter().changes({}, limit=10, timeout=TIMEOUT)
    assert page.answer.trouble is Trouble.VALIDATION and "a.csv" in page.answer.detail


def test_what_was_written_comes_back_through_the_same_mapping(files: Target):
    """A partner that sends our own file back, guard and all, tells the same values."""
    files.document["files"]["guard_formulas"] = False
    adapter = files.adapter()
    assert adapter.write(files.create(), timeout=TIMEOUT).trouble is None
    drop(files, "back.csv", files.files()[0].read_text(encoding="utf-8"))
    (record,) = adapter.changes({}, limit=10, timeout=TIMEOUT).records
    wanted = {name: value for name, value in CUSTOMER.items() if name in files.mapping.columns}
    read = files.mapping.apply(record.values)[0]
    assert record.hub_key == "key-1"
    assert {name: read[name] for name in wanted} == wanted
    assert adapter.write(files.told(Op.CREATE, "key-1", CUSTOMER), timeout=TIMEOUT).trouble is None
    assert len(files.files()) == 1
