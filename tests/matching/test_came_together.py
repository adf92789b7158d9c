"""How records came together, read from their stays; what is left when some joinings had never been."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from apps.matching.came_together import Joining, Stay, joinings, parting

START = datetime(2026, 1, 1, tzinfo=UTC)


def id_(number: int) -> UUID:
    return UUID(int=number)


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def stays(*told: tuple[int, int, int], undone: Sequence[int] = ()) -> list[Stay]:
    """(customer, minute, act) of each, one after the other."""
    ends = [at(minute) for _, minute, _ in told[1:]]
    return [
        Stay(id_(customer), at(minute), until, id_(act), act in undone)
        for (customer, minute, act), until in zip(told, [*ends, None], strict=True)
    ]


def groups(found: Sequence[Joining]) -> list[list[tuple[int, ...]]]:
    return [[tuple(r.int for r in group) for group in joining.groups] for joining in found]


def test_the_last_joining_comes_first_and_groups_are_what_was_one_before() -> None:
    """1 and 2 became one at minute 3, 3 and 4 at minute 4, both pairs at minute 5."""
    found = joinings(
        {
            id_(1): stays((10, 0, 100)),
            id_(2): stays((20, 1, 101), (10, 3, 103)),
            id_(3): stays((30, 2, 102), (10, 5, 105)),
            id_(4): stays((40, 2, 102), (30, 4, 104), (10, 5, 105)),
        }
    )
    assert groups(found) == [[(1, 2), (3, 4)], [(3,), (4,)], [(1,), (2,)]]
    assert [joining.act.int for joining in found] == [105, 104, 103]


def test_records_that_one_act_made_a_customer_of_were_joined_by_it() -> None:
    assert groups(joinings({id_(n): stays((10, 0, 100)) for n in (1, 2, 3)})) == [[(1,), (2,), (3,)]]


def test_what_moves_together_was_together() -> None:
    """A part that was split off and took an id of its own came together when it did, not when it was split off."""
    found = joinings({id_(n): stays((10, n, 100 + n), (20, 9, 109)) for n in (1, 2)})
    assert groups(found) == [[(1,), (2,)]]
    assert found[0].at == at(2)


def test_what_was_parted_in_between_counts_from_the_last_time() -> None:
    found = joinings({id_(1): stays((10, 0, 100)), id_(2): stays((10, 1, 101), (20, 2, 102), (10, 3, 103))})
    assert [joining.act.int for joining in found] == [103]


def test_a_joining_under_one_that_stays_parts_only_its_own_groups() -> None:
    """Act 101 joined 1 and 2; 3 came later by another act: nothing is said of 3."""
    found = joinings(
        {
            id_(1): stays((10, 0, 100)),
            id_(2): stays((10, 1, 101), undone=[101]),
            id_(3): stays((10, 2, 102)),
        }
    )
    assert parting(found, ()).apart == (((id_(1),), (id_(2),)),)


def test_a_later_word_of_a_person_goes_on_for_the_part_with_the_oldest_record() -> None:
    """A person merged the customer of 1 and 2 with 3, and said so of 1 and each other record."""
    found = joinings(
        {
            id_(1): stays((10, 0, 100)),
            id_(2): stays((10, 1, 101), undone=[101]),
            id_(3): stays((30, 0, 100), (10, 2, 102)),
        }
    )
    said = [(id_(1), id_(2), id_(102)), (id_(1), id_(3), id_(102))]
    left = parting(found, said)
    assert left.apart == (((id_(1),), (id_(2),)),)
    assert left.loose == {id_(102)}
    assert left.still == {id_(102): ((id_(1), id_(3)),)}


def test_a_word_that_crosses_nothing_is_left_alone() -> None:
    """Somebody tied 2 and 3, and no other."""
    found = joinings(
        {
            id_(1): stays((10, 0, 100)),
            id_(2): stays((10, 1, 101), undone=[101]),
            id_(3): stays((30, 0, 100), (10, 2, 102)),
        }
    )
    left = parting(found, [(id_(2), id_(3), id_(102))])
    assert (left.loose, left.still) == (frozenset(), {})


def test_what_a_person_has_confirmed_stays_together() -> None:
    """Act 101 brought 2 and 3 to 1; somebody who moved nobody has said since that 1 and 2 are one."""
    found = joinings({id_(1): stays((10, 0, 100)), **{id_(n): stays((10, 1, 101), undone=[101]) for n in (2, 3)}})
    assert parting(found, [(id_(1), id_(2), id_(200))]).apart == (((id_(1), id_(2)), (id_(3),)),)
    assert parting(found, [(id_(1), id_(2), id_(200)), (id_(2), id_(3), id_(201))]).apart == ()


@st.composite
def histories(draw: st.DrawFn) -> tuple[dict[UUID, list[Stay]], set[int]]:
    """Up to eight records in customers of their own; in each minute two customers become one or a record leaves, until all are one."""
    size = draw(st.integers(2, 8))
    home = {n: n for n in range(size)}
    told: dict[int, list[tuple[int, int, int]]] = {n: [(n, 0, n)] for n in range(size)}
    minute = 0
    while len(set(home.values())) > 1:
        minute += 1
        homes = sorted(set(home.values()))
        record = draw(st.integers(0, size - 1))
        if minute < 12 and draw(st.booleans()) and list(home.values()).count(home[record]) > 1:
            move, to = [record], 100 + minute
        else:
            gone = draw(st.sampled_from(homes))
            to = draw(st.sampled_from([h for h in homes if h != gone]))
            move = [n for n in home if home[n] == gone]
        for n in move:
            home[n] = to
            told[n].append((to, minute, 1000 + minute))
    undone = draw(st.sets(st.integers(1001, 1001 + minute)))
    return {id_(n): stays(*own, undone=sorted(undone)) for n, own in told.items()}, undone


@given(histories())
def test_two_records_part_by_the_joining_since_which_they_are_together(
    drawn: tuple[dict[UUID, list[Stay]], set[int]],
) -> None:
    """Held against the definition: the last minute at whose beginning the two were not in one customer."""
    own, undone = drawn
    found = joinings(own)
    assert sum(len(joining.groups) - 1 for joining in found) == len(own) - 1
    apart = {
        frozenset((a, b))
        for parts in parting(found, ()).apart
        for first, second in combinations(parts, 2)
        for a in first
        for b in second
    }
    for a, b in combinations(own, 2):
        moments = {stay.since for record in (a, b) for stay in own[record]}
        last = max(m for m in moments if not _one(own[a], own[b], m))
        act = next(stay.act.int for record in (a, b) for stay in own[record] if stay.since == last)
        assert (frozenset((a, b)) in apart) == (act in undone)


def _one(one: Sequence[Stay], other: Sequence[Stay], moment: datetime) -> bool:
    """Whether two records were in one customer just before a moment; who was not there yet was with nobody."""
    homes = [
        [s.customer for s in own if s.since < moment and (s.until is None or moment <= s.until)] for own in (one, other)
    ]
    return homes[0] == homes[1] != []
