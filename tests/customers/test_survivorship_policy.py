"""What a survivorship policy may say, and what each mistake is told."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.common.errors import Rejected
from apps.customers.survivorship_policy import SurvivorshipPolicy, parse_survivorship

SHIPPED = (Path(__file__).parents[2] / "policy" / "survivorship.toml").read_text(encoding="utf-8")


def parse(text: str) -> SurvivorshipPolicy:
    return parse_survivorship({"default": ["trust"], **tomllib.loads(text)})


def refused(text: str) -> list[tuple[str, str, str]]:
    with pytest.raises(Rejected) as told:
        parse(text)
    return [(f.field, f.code, f.detail) for f in told.value.fields]


def in_attributes(line: str) -> str:
    return f"[attributes]\n{line}"


@pytest.mark.parametrize(
    ("text", "field", "code", "says"),
    [
        ("defaults = []", "/defaults", "unknown_field", "known are default"),
        ('default = "trust"', "/default", "wrong_type", '["trust", "recent"]'),
        ("attributes = []", "/attributes", "wrong_type", "[attributes]"),
        (in_attributes('statsu = ["trust"]'), "/attributes/statsu", "unknown_attribute", "did you mean status?"),
        (in_attributes('extra = ["trust"]'), "/attributes/extra", "unknown_attribute", "extra.<name>"),
        (in_attributes('status = ["luck"]'), "/attributes/status/0", "unknown_value", "known are trust"),
        (in_attributes('status = ["trust", "resent"]'), "/attributes/status/1", "unknown_value", "did you mean recent?"),
        (in_attributes("status = []"), "/attributes/status", "wrong_type", "at least one"),
        (in_attributes("status = [5]"), "/attributes/status/0", "wrong_type", "the name of a strategy"),
        (in_attributes('status = ["trust", "recent", "trust"]'), "/attributes/status/2", "repeated", "Take it out"),
        (in_attributes('status = ["recent", { strategy = "recent", clock = "changed" }]'), "/attributes/status/1", "repeated", "before"),
        (
            in_attributes('status = [{ strategy = "trust", decay = { to = 4, days = 5 } }, { strategy = "trust", decay = { days = 5, to = 4 } }]'),
            "/attributes/status/1", "repeated", "before",
        ),
        (in_attributes('status = ["unanimous", "trust"]'), "/attributes/status/1", "never_used", "After unanimous"),
        (in_attributes('status = ["aggregate"]'), "/attributes/status/0", "unfit_strategy", "[lists]"),
        (in_attributes('addresses = ["minimum"]'), "/attributes/addresses/0", "unfit_strategy", "use longest or complete"),
        ('default = ["maximum"]', "/default/0", "unfit_strategy", "[attributes]"),
        (in_attributes('status = [{ strategy = "recent", clok = "received" }]'), "/attributes/status/0/clok", "unknown_field", "it has clock"),
        (in_attributes('status = [{ strategy = "longest", clock = "received" }]'), "/attributes/status/0/clock", "unknown_field", "it has none"),
        (in_attributes('status = [{ strategy = "recent", clock = "noon" }]'), "/attributes/status/0/clock", "unknown_value", "changed, received"),
        (in_attributes('status = [{ strategy = "complete", of = "all" }]'), "/attributes/status/0/of", "unknown_value", "value, record"),
        (in_attributes('status = [{ strategy = "trust", decay = 5 }]'), "/attributes/status/0/decay", "wrong_type", "half-life"),
        (in_attributes('status = [{ strategy = "trust", decay = { to = 4 } }]'), "/attributes/status/0/decay/days", "missing", "needs days"),
        (in_attributes('status = [{ strategy = "trust", decay = { to = 4, days = 0 } }]'), "/attributes/status/0/decay/days", "out_of_range", "from 1"),
        (in_attributes('status = [{ strategy = "trust", decay = { to = 101, days = 5 } }]'), "/attributes/status/0/decay/to", "out_of_range", "to 100"),
        (
            in_attributes('status = [{ strategy = "trust", decay = { from = 30, to = 40, days = 5 } }]'),
            "/attributes/status/0/decay/to", "out_of_range", "falls from 30",
        ),
        (
            in_attributes('status = [{ strategy = "trust", decay = { to = 4, days = 5, shape = "round" } }]'),
            "/attributes/status/0/decay/shape", "unknown_value", "half-life",
        ),
        (
            in_attributes('status = [{ strategy = "trust", decay = { to = 4, days = 5, after = 5 } }]'),
            "/attributes/status/0/decay/after", "unknown_field", "from, to",
        ),
        (in_attributes('status = [{ if = "kynd is x", use = ["trust"] }]'), "/attributes/status/0/if", "bad_condition", "Column 1"),
        (in_attributes('status = [{ if = 5, use = ["trust"] }]'), "/attributes/status/0/if", "wrong_type", "kind is person"),
        (in_attributes('status = [{ if = "kind is x" }]'), "/attributes/status/0", "wrong_type", "use = "),
        (in_attributes('status = [{ if = "kind is x", use = [] }]'), "/attributes/status/0/use", "wrong_type", "at least one"),
        (in_attributes('status = [{ if = "kind is x", use = ["luck"] }]'), "/attributes/status/0/use/0", "unknown_value", "no strategy"),
        (in_attributes('status = [{ if = "kind is x", use = ["trust"] }, "trust"]'), "/attributes/status/1", "wrong_type", "each is written"),
        (in_attributes('status = [{ use = ["trust"] }, { if = "kind is x", use = ["recent"] }]'), "/attributes/status/1", "never_used", "no `if`"),
        ('default = [{ if = "country is DE", use = ["trust"] }]', "/default", "missing", "last entry without `if`"),
        ('default = [{ if = "kind is person", use = ["trust"] }, { use = ["recent"] }]', "/default", "circle", "kind → kind"),
        (in_attributes('status = [{ if = "status is active", use = ["trust"] }]'), "/attributes/status", "circle", "status → status"),
        (
            in_attributes('status = [{ if = "currency is EUR", use = ["trust"] }]\ncurrency = [{ if = "status is active", use = ["trust"] }]'),
            "/attributes/status", "circle", "status → currency → status",
        ),
        (in_attributes('addresses = [{ if = "country is DE", use = ["trust"] }]'), "/attributes/addresses", "circle", "addresses → addresses"),
        (
            '[groups]\nn = ["given_name", "family_name"]\n[attributes]\ngiven_name = [{ if = "family_name is known", use = ["trust"] }]',
            "/attributes/given_name", "circle", "given_name → given_name",
        ),
        ('[chains]\ntrust = ["recent"]', "/chains/trust", "repeated", "name of a strategy"),
        ('[chains]\na = ["b"]\nb = ["a"]', "/chains/b/0", "circle", "a → b → a"),
        ('[chains]\na = ["a"]', "/chains/a/0", "circle", "a → a"),
        ('[chains]\na = ["recent"]\n[attributes]\nstatus = ["recent", "a"]', "/attributes/status/1", "repeated", "before"),
        ('[chains]\na = [{ strategy = "recent", clock = "x" }]\n[attributes]\nstatus = ["a"]', "/chains/a/0/clock", "unknown_value", "received"),
        ('[groups]\nn = ["given_name"]', "/groups/n", "wrong_type", "two attributes"),
        ('[groups]\nn = ["given_name", "nickname"]', "/groups/n/1", "unknown_attribute", "cannot stand in a group"),
        ('[groups]\nn = ["given_name", "addresses"]', "/groups/n/1", "unknown_attribute", "a list survives whole"),
        ('[groups]\nn = ["given_name", "name"]\nm = ["name", "status"]', "/groups/m/0", "repeated", "the group n"),
        ('[groups]\nn = ["given_name", "name"]\n[attributes]\nname = ["trust"]', "/attributes/name", "never_used", "given_name"),
        ('[groups]\nn = ["given_name", "name"]\n[attributes]\ngiven_name = ["minimum"]', "/attributes/given_name/0", "unfit_strategy", "group"),
        ('[lists]\nwebsite = "; "', "/lists/website", "unknown_value", "extra.<name>"),
        ('[lists]\n"extra.tags" = " "', "/lists/extra.tags", "wrong_type", "between two entries"),
        ("[trust.crm]\nstatsu = 5", "/trust/crm/statsu", "unknown_attribute", "did you mean status?"),
        ("[trust.crm]\nstatus = 101", "/trust/crm/status", "out_of_range", "from 0 to 100"),
        ("[trust.crm]\nstatus = true", "/trust/crm/status", "out_of_range", "from 0 to 100"),
        ("[trust]\ncrm = 5", "/trust/crm", "wrong_type", "table"),
        ("[quality]\npenalty = 5", "/quality/penalty", "unknown_field", "reserve, penalties, severities, checks"),
        ("[quality.penalties]\nbad = 101", "/quality/penalties/bad", "out_of_range", "from 0 to 100"),
        ("[quality]\nreserve = -1", "/quality/reserve", "out_of_range", "from 0 to 100"),
    ],
)  # fmt: skip
def test_each_mistake_is_told_where_it_is_and_what_to_write(text: str, field: str, code: str, says: str) -> None:
    told = refused(text)
    assert [(f, c) for f, c, _ in told] == [(field, code)]
    assert says in told[0][2]


def test_all_mistakes_are_told_at_once() -> None:
    assert len(refused('[attributes]\nstatus = ["luck"]\nlanguage = []\n[trust.crm]\nname = 200')) == 3


def test_every_example_in_the_shipped_policy_can_be_used() -> None:
    """Its comments show possibilities as lines that need only their `# ` taken away: with all of them in, it still parses."""
    lines = [line.removeprefix("#: ") for line in SHIPPED.splitlines()]
    assert sum(line.startswith("#: ") for line in SHIPPED.splitlines()) > 10
    shown = parse_survivorship(tomllib.loads("\n".join(lines)))
    assert shown.timed
    assert not parse_survivorship(tomllib.loads(SHIPPED)).timed


tables = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 200) | st.sampled_from(["trust", "recent", "aggregate", "kind is person", "a", "", "status"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["if", "use", "strategy", "decay", "clock", "to", "days", "status", "extra.x", "a", "penalties"]), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(
    st.dictionaries(st.sampled_from(["default", "attributes", "groups", "chains", "lists", "trust", "quality"]), tables)
)
def test_whatever_stands_in_it_it_is_read_or_refused(body: dict[str, Any]) -> None:
    try:
        parse_survivorship(body)
    except Rejected as error:
        assert error.fields
        assert all(f.field.startswith("/") and f.detail for f in error.fields)
    else:
        json.dumps(body)
