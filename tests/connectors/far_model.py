"""A target as the planner sees it, in memory: what a plan does to the records there, and records for Hypothesis to begin with."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from apps.connectors.planning import Far, Plan, Step

WORDS = ("", "a", "b")
FIELDS = (
    "name", "given_name", "family_name", "organization_name", "email", "phone", "address_line1", "city", "country", "status",
    "payment_terms", "tax_id", "extra.tier",
)  # fmt: skip
KINDS = st.sampled_from(["person", "organization"])
ACTIONS = st.sampled_from(["update_both", "deactivate", "merge", "cross_reference"])
NAMES = st.frozensets(st.sampled_from(FIELDS))
OLDEST = UUID(int=1)


def values(names: Sequence[str] = FIELDS) -> st.SearchStrategy[dict[str, Any]]:
    """Flat values; what is empty is left out, as `flat` does it."""
    return st.dictionaries(st.sampled_from(names), st.sampled_from(["a", "b", "c"]))


@st.composite
def images(draw: st.DrawFn) -> dict[str, Any]:
    return {**draw(values()), "kind": draw(KINDS)}


@st.composite
def fars(draw: st.DrawFn, most: int = 4) -> list[Far]:
    """0 to `most` records there, in any state that links have."""
    found = []
    for n in range(draw(st.integers(0, most))):
        sent: Mapping[str, Any] = draw(st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(["a", "b", None])))
        state, disposition = draw(
            st.sampled_from(
                [
                    ("active", "there"),
                    ("duplicate", "there"),
                    ("duplicate", "deactivated"),
                    ("duplicate", "merged"),
                    ("active", "gone"),
                ]
            )
        )
        own = draw(images())
        found.append(Far(UUID(int=100 + n), UUID(int=10 + n), f"X-{n}", state, disposition, own, sent))
    return found


def applied(plan: Plan, there: Sequence[Far], kind: str) -> list[Far]:
    """The records there after every step was acknowledged and every link relabelled; what was retired is not looked at again."""
    labels = dict(plan.relabel)
    found = {f.link: replace(f, state=labels.get(f.link, f.state)) for f in there}
    for step in plan.steps:
        if step.op == "create":
            link = UUID(int=1000 + len(found))
            record = UUID(int=2000 + len(found))
            found[link] = Far(link, record, f"N-{len(found)}", "active", "there", {"kind": kind}, dict(step.values))
            continue
        assert step.link is not None
        found.update((f.link, f) for f in _written(step, found))
    return [f for f in found.values() if f.state != "retired"]


def _written(step: Step, found: Mapping[UUID, Far]) -> list[Far]:
    assert step.link is not None
    far = found[step.link]
    off = step.op == "deactivate"
    written = [
        replace(
            far, sent={**far.sent, **step.values}, disposition="deactivated" if off else "there", state="duplicate" if off else "active"
        )
    ]  # fmt: skip
    written += [
        replace(f, disposition="merged", state="duplicate") for f in found.values() if f.external_id in step.losers
    ]
    return written
