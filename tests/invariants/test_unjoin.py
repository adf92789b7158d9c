"""After merges in any order, what one merge, one branch or one run joined is undone: as though it had never been."""

from collections.abc import Iterable, Sequence
from itertools import combinations, product
from typing import Any
from uuid import UUID

import pytest
from hypothesis import event, given, note
from hypothesis import strategies as st

from apps.common.act import Act
from apps.customers import identity
from apps.customers.models import Judgement, Relation, SourceRecord
from apps.customers.pins import pin
from apps.matching import judge
from apps.matching.branches import branch
from apps.matching.match import redecide
from apps.matching.queries_joins import joins_of
from apps.matching.unjoin import What, choose, take_apart
from tests import pipeline
from tests.invariants.machine import TEMPLATES
from tests.invariants.test_merge_unmerge import RELAXED, keep_apart, overridden, picture, records, undone
from tests.pipeline import alice, bob

pytestmark = pytest.mark.django_db
LANGUAGES = ("de", "fr", "en", "it", "es")
Operands = tuple[list[UUID], list[UUID]]


@pytest.fixture(autouse=True)
def hub() -> None:
    pipeline.systems()


def home(record: UUID) -> UUID:
    return UUID(str(SourceRecord.objects.values_list("customer_id", flat=True).get(id=record)))


def together(record: UUID) -> list[UUID]:
    rows = SourceRecord.objects.filter(customer=home(record), follows=None)
    return list(rows.order_by("id").values_list("id", flat=True))


def merged(people: Sequence[Sequence[UUID]], merges: Iterable[tuple[int, int]]) -> list[tuple[Act, Operands]]:
    """Merges of the customers of these people, in turn; of each its act and the records of the two customers as they were."""
    steps = []
    for one, other in merges:
        first, second = (together(people[at % len(people)][0]) for at in (one, other))
        if first != second:
            act = alice()
            judge.merge(customers=[home(first[0]), home(second[0])], act=act)
            steps.append((act, (first, second)))
    return steps


def relations() -> set[tuple[UUID, UUID, str]]:
    return set(Relation.objects.filter(until=None).values_list("record_a_id", "record_b_id", "kind"))


def by_members(seen: dict[UUID, tuple[Any, ...]]) -> dict[tuple[UUID, ...], tuple[Any, ...]]:
    """Values and lineage of each customer. Which of the ids that it once had is its own again is another rule's affair."""
    return {tuple(own): (values, lineage) for own, values, lineage, *_ in seen.values()}


def grew(before: Sequence[int]) -> bool:
    return all(now >= then for now, then in zip(pipeline.activity(), before, strict=True))


@given(
    sizes=st.lists(st.integers(1, 2), min_size=3, max_size=5),
    merges=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=5),
    which=st.integers(0, 3),
    pinned=st.sets(st.integers(0, 4), max_size=3),
    side=st.sampled_from((None, 0, 1)),
)
@RELAXED
def test_one_of_several_merges_is_as_though_it_had_never_been(
    sizes: list[int], merges: list[tuple[int, int]], which: int, pinned: set[int], side: int | None
) -> None:
    """`side` None: the merge itself is undone, and what was merged later goes on with the part that has the oldest record. Else the branch
    of that side is taken out of all the rest."""
    with undone():
        people = [
            [home_record(system, number) for system in ("crm", "erp")[:size]] for number, size in enumerate(sizes, 1)
        ]
        for at in pinned:
            pin(customer=home(people[at % len(people)][0]), attribute="language", value=LANGUAGES[at], act=alice())
        judge.keep_apart(pairs=[(people[0][0], people[1][0])], related_as="household", act=bob())
        known = relations()
        with undone():
            steps = merged(people, merges)
            if not steps:
                return
            act, operands = steps[which % len(steps)]
            note(f"{len(steps)} merges, number {which % len(steps)} is undone")
            whole, before, activity = together(operands[0][0]), picture(), pipeline.activity()
            doing = Act("user:carol", "wrong")
            if side is None:
                done = take_apart(chosen=choose(What(act=act.correlation_id, people=True)), act=doing)
                assert (len(done.parted), done.left) == (1, {})
            else:
                out, of = operands[side], operands[1 - side]
                tree = {frozenset((j.a.id, j.b.id)) for j in joins_of([home(whole[0])])[home(whole[0])].joins}
                tie = next((pair for pair in product(out, of) if frozenset(pair) in tree), None)
                taken = branch(customer=home(whole[0]), out=tie[0], of=tie[1]) if tie else out
                event(f"the tree names the merge: {tie is not None}")
                assert sorted(taken) == sorted(out)
                judge.unmerge(customer=home(whole[0]), records=taken, act=doing)
            found = by_members(picture())
            assert pipeline.broken() == []
            assert grew(activity)
            assert relations() == known
            judge.undo(correlation_id=doing.correlation_id, act=bob())
            assert picture() == before
            assert pipeline.broken() == []
        if side is None:
            for _, others in (step for step in steps if step[0] is not act):
                ends = {home(min(own)) for own in others}
                if len(ends) == 2:
                    judge.merge(customers=sorted(ends), act=alice())
            keep_apart(*operands)
        else:
            for _, others in steps:
                if not set(others[0] + others[1]) <= set(whole):
                    judge.merge(customers=[home(own[0]) for own in others], act=alice())
            rest = sorted(set(whole) - set(operands[side]))
            for part in (operands[side], rest):
                customers = sorted({home(record) for record in part})
                if len(customers) > 1:
                    pipeline.merge_all_the_same(customers, alice())
            keep_apart(operands[side], rest)
        assert found == by_members(picture())


def home_record(system: str, number: int) -> UUID:
    pipeline.take(system, pipeline.person(number))
    return pipeline.record_ids()[f"{system}:P{number}"]


@given(drawn=records, first=st.integers(1, 7), second=st.integers(1, 8), late=st.integers(0, 2), pinned=st.booleans())
@RELAXED
def test_a_runs_work_is_as_though_it_had_never_been(
    drawn: list[tuple[str, int, dict[str, int]]], first: int, second: int, late: int, pinned: bool
) -> None:
    """Some records before, some by the run, some after it, each batch a step. Held against what was seen after every step: the pairs
    that the run's step brought together are kept apart, no others; and who is one with whom, with which values, is what a hub decides
    that takes everything apart and begins anew with these verdicts."""
    with undone():
        items = [
            (system, {**TEMPLATES[t], **overridden(c), "record_id": str(at), "source_updated_at": f"2024-02-{at + 1:02d}T00:00:00Z"})
            for at, (system, t, c) in enumerate(drawn)
        ]  # fmt: skip
        start, end = min(first, len(items) - 1), min(first + second, len(items))
        run = Act("user:loader", "a run")
        seen: list[tuple[bool, dict[str, UUID]]] = []
        for at, (system, item) in enumerate(items):
            pipeline.take(system, item, act=run if start <= at < end else Act("hub:test", "another"))
            seen.append((start <= at < end, pipeline.where()))
        pipeline.drain_all()
        seen.append((False, pipeline.where()))
        for _ in range(late if len(set(seen[-1][1].values())) > late else 0):
            pipeline.merge_all_the_same(sorted(set(seen[-1][1].values()))[:2], alice())
            seen.append((False, pipeline.where()))
        if pinned:
            pin(customer=sorted(set(pipeline.where().values()))[0], attribute="language", value="de", act=alice())
        wrong = joined_by_run(seen)
        before, activity = pipeline.where(), pipeline.activity()
        act = Act("user:carol", "wrong")
        done = take_apart(chosen=choose(What(act=run.correlation_id)), act=act)
        assert done.left == {}
        ids = pipeline.record_ids()
        said = Judgement.objects.filter(superseded_at=None, verdict="no_match", correlation_id=act.correlation_id)
        assert {frozenset(pair) for pair in said.values_list("record_a_id", "record_b_id")} == {
            frozenset((ids[a], ids[b])) for a, b in wrong
        }
        where = pipeline.where()
        assert all(where[a] != where[b] for a, b in wrong)
        event(f"{min(len(wrong), 3)} pairs or more, merged later: {late}")
        found = by_members(picture())
        assert pipeline.broken() == []
        assert grew(activity)
        with undone():
            everyone = sorted(ids.values())
            identity.lock_records(everyone)
            identity.place(clusters=[[record] for record in everyone], act=alice(), action="unmerged")
            redecide(everyone, act=alice())
            assert by_members(picture()).keys() == found.keys()
            assert {m: lineage for m, (_, lineage) in by_members(picture()).items()} == {
                m: lineage for m, (_, lineage) in found.items()
            }
        if done.parted:
            judge.undo(correlation_id=act.correlation_id, act=bob())
            assert pipeline.where() == before, "by the same ids, too"
            assert pipeline.broken() == []


def joined_by_run(seen: Sequence[tuple[bool, dict[str, UUID]]]) -> list[tuple[str, str]]:
    """Pairs that are together, and were last not together before a step of the run."""
    last = seen[-1][1]
    wrong = []
    for a, b in combinations(sorted(last), 2):
        one = [step.get(a) is not None and step.get(a) == step.get(b) for _, step in seen]
        if one[-1]:
            since = max((at for at, held in enumerate(one) if not held), default=-1) + 1
            if seen[since][0]:
                wrong.append((a, b))
    return wrong
