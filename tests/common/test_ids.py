"""Ids: unique, in the order they were made, also over threads and forks."""

import os
from concurrent.futures import ThreadPoolExecutor
from uuid import RFC_4122, UUID

from apps.common.ids import array, uuid7


def test_ids_are_version_7_and_sort_in_the_order_they_were_made() -> None:
    made = [uuid7() for _ in range(5_000)]
    assert made == sorted(set(made))
    assert {(id_.version, id_.variant) for id_ in made} == {(7, RFC_4122)}
    assert [UUID(str(id_)) for id_ in made] == made
    assert [hash(UUID(id_.hex)) for id_ in made] == [hash(id_) for id_ in made]


def test_threads_never_get_one_id_twice() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = [id_ for ids in pool.map(lambda _: [uuid7() for _ in range(2_000)], range(8)) for id_ in ids]
    assert len(set(made)) == len(made)


def test_a_forked_process_draws_bits_of_its_own() -> None:
    uuid7()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, "".join(uuid7().hex[-12:] for _ in range(200)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    told = os.read(reading, 10_000).decode()
    theirs = {told[at : at + 12] for at in range(0, len(told), 12)}
    assert len(theirs) == 200
    assert not theirs & {uuid7().hex[-12:] for _ in range(200)}


def test_an_array_is_text_that_the_database_reads() -> None:
    id_ = uuid7()
    assert array([id_, id_]) == "{" + id_.hex + "," + id_.hex + "}"
    assert array([1, -2]) == "{1,-2}"
