"""How chains are written: a list of strategies, of names of chains, or of tables `{ if = …, use = […] }`."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from apps.common.errors import FieldError
from apps.common.pointers import path, shown
from apps.customers.survivorship_conditions import BadCondition, Condition, parse_condition
from apps.customers.survivorship_members import PARTS
from apps.customers.survivorship_strategies import CLOCKS, ENDS, NAMES, SHAPES, Step, step
from apps.customers.survivorship_trust import read_decay

PARAMETERS: Final[Mapping[str, tuple[str, ...]]] = {
    "trust": ("decay",), "recent": ("clock",), "oldest": ("clock",), "complete": ("of",),
}  # fmt: skip
_DECAY: Final = ("from", "to", "days", "shape", "clock")
_MOST_DAYS: Final = 36_500

Told = tuple[Condition | None, tuple[Step, ...]]


def under(place: str, *parts: str | int) -> str:
    """The pointer of something below `place`, which is a pointer itself or empty."""
    return f"{place}/{path(*parts)}"


def near(name: Any, known: Sequence[str], *others: str) -> str:
    """The end of a sentence about a name nobody knows."""
    found = get_close_matches(str(name), known, n=1)
    return f"did you mean {found[0]}?" if found else f"known are {', '.join((*known, *others))}."


class ChainReader:
    """Reads the chains of one document; what is wrong goes into `wrong`, and the reading goes on."""

    def __init__(
        self,
        chains: Mapping[str, Any],
        groups: Sequence[Sequence[str]],
        lists: Mapping[str, str],
        wrong: list[FieldError],
    ) -> None:
        self._chains = chains
        self._leads = {group[0] for group in groups}
        self._lists = lists
        self._wrong = wrong
        self._noes = 0
        self._circles: set[frozenset[str]] = set()
        for name, value in chains.items():
            place = under("", "chains", name)
            if name in NAMES:
                self._no(place, "repeated", f"{name} is the name of a strategy; name the chain otherwise.")
            elif not isinstance(value, list | tuple) or not value:
                self._no(place, "wrong_type", "Write a list of strategies, at least one.")
            else:
                self._steps(place, value, (name,))

    def read(self, place: str, value: Any, attribute: str | None) -> list[Told]:
        """The branches of one attribute, None for the default. Without `if` there is one."""
        if not isinstance(value, list | tuple) or not value:
            self._no(place, "wrong_type", 'Write a list of strategies, at least one, such as ["trust", "recent"].')
            return []
        if not any(isinstance(entry, Mapping) and ("use" in entry or "if" in entry) for entry in value):
            return [(None, self._chain(place, value, attribute))]
        told = [self._branch(under(place, at), entry, attribute) for at, entry in enumerate(value)]
        always = next(
            (at for at, e in enumerate(value) if isinstance(e, Mapping) and "use" in e and "if" not in e), len(value)
        )
        if always + 1 < len(value):
            self._no(
                under(place, always + 1), "never_used", "The entry before it has no `if`, so nothing after it counts."
            )
        if attribute is None and isinstance(value[-1], Mapping) and "if" in value[-1]:
            self._no(place, "missing", "The default needs a last entry without `if`, for all other cases.")
        return told

    def _branch(self, place: str, entry: Any, attribute: str | None) -> Told:
        if not isinstance(entry, Mapping) or "use" not in entry or entry.keys() - {"if", "use"}:
            self._no(
                place, "wrong_type",
                'Where one entry has a condition, each is written as { if = "kind is person", use = ["trust"] }; the last may lack `if`.',
            )  # fmt: skip
            return None, ()
        condition = None
        text = entry.get("if")
        if "if" in entry and not isinstance(text, str):
            self._no(under(place, "if"), "wrong_type", 'A condition is a text, such as "kind is person".')
        elif isinstance(text, str):
            try:
                condition = parse_condition(text)
            except BadCondition as error:
                self._no(under(place, "if"), "bad_condition", str(error))
        use = entry["use"]
        if not isinstance(use, list | tuple) or not use:
            self._no(under(place, "use"), "wrong_type", "Write a list of strategies, at least one.")
            return condition, ()
        return condition, self._chain(under(place, "use"), use, attribute)

    def _chain(self, place: str, value: Sequence[Any], attribute: str | None) -> tuple[Step, ...]:
        """Strategies in their order, each at a place where it can decide something."""
        told = self._steps(place, value, ())
        seen: set[object] = set()
        ended = ""
        for where, one in told:
            key = (one.rule, read_decay(one.told["decay"]) if "decay" in one.told else None)
            if ended:
                self._no(
                    where,
                    "never_used",
                    f"After {ended} nothing is left to decide; take {one.strategy} out or put it before.",
                )
            elif key in seen:
                self._no(
                    where,
                    "repeated",
                    f"{one.strategy} stands in this chain before; a second time it decides nothing. Take it out.",
                )
            elif misfit := self._misfit(one.strategy, attribute):
                self._no(where, "unfit_strategy", misfit)
            seen.add(key)
            ended = ended or (one.strategy if one.strategy in ENDS else "")
        return tuple(one for _, one in told)

    def _misfit(self, strategy: str, attribute: str | None) -> str:
        """Why a strategy makes no sense for an attribute; empty where it does."""
        if strategy == "aggregate" and attribute not in PARTS and attribute not in self._lists:
            who = "the default" if attribute is None else attribute
            example = attribute if attribute is not None and attribute.startswith("extra.") else "extra.tags"
            return f'aggregate unites lists, and {who} is none; declare a text attribute as one: [lists] "{example}" = "; ".'
        if strategy in ("minimum", "maximum"):
            if attribute is None:
                return f"{strategy} is for numbers and dates; name the attribute in [attributes]."
            if attribute in self._leads:
                return f"{attribute} survives in a group, and a group has no {strategy}; use longest or complete."
            if attribute in PARTS:
                return f"{attribute} is a list, and a list has no {strategy}; use longest or complete."
        return ""

    def _steps(self, place: str, value: Sequence[Any], within: tuple[str, ...]) -> list[tuple[str, Step]]:
        """Each strategy with the place it is written at (of a named chain: where it is used), names of chains replaced by them."""
        found: list[tuple[str, Step]] = []
        for at, entry in enumerate(value):
            where = under(place, at)
            if isinstance(entry, str) and entry in self._chains and entry not in NAMES:
                if entry in within:
                    circle = within[within.index(entry) :]
                    if frozenset(circle) not in self._circles:
                        self._circles.add(frozenset(circle))
                        around = " → ".join((*circle, entry))
                        self._no(
                            where, "circle", f"The chain leads back to itself: {around}. Take one of these names out."
                        )
                    continue
                chain = self._chains[entry]
                inner = (
                    self._steps(under("", "chains", entry), chain, (*within, entry))
                    if isinstance(chain, list | tuple)
                    else []
                )
                found += [(where, one) for _, one in inner]
            elif isinstance(entry, str):
                found += self._one(where, entry, {})
            elif isinstance(entry, Mapping) and isinstance(entry.get("strategy"), str):
                found += self._one(where, entry["strategy"], {k: v for k, v in entry.items() if k != "strategy"})
            else:
                self._no(
                    where, "wrong_type", 'Write the name of a strategy, or { strategy = "recent", clock = "received" }.'
                )
        return found

    def _one(self, where: str, strategy: str, told: Mapping[str, Any]) -> list[tuple[str, Step]]:
        if strategy not in NAMES:
            hint = near(strategy, (*NAMES, *self._chains))
            self._no(where, "unknown_value", f"{shown(strategy)} is no strategy; {hint}")
            return []
        before = self._noes
        known = PARAMETERS.get(strategy, ())
        for name, value in told.items():
            if name not in known:
                has = f"it has {', '.join(known)}" if known else "it has none"
                self._no(under(where, name), "unknown_field", f"{shown(name)} is no parameter of {strategy}; {has}.")
            elif name == "decay":
                self._decay(under(where, name), value)
            else:
                self._one_of(under(where, name), value, CLOCKS if name == "clock" else ("value", "record"))
        return [(where, step(strategy, told))] if self._noes == before else []

    def _decay(self, place: str, told: Any) -> None:
        if not isinstance(told, Mapping):
            self._no(place, "wrong_type", 'Write { to = 40, days = 365, shape = "half-life" }.')
            return
        for name in told:
            if name not in _DECAY:
                self._no(
                    under(place, name),
                    "unknown_field",
                    f"{shown(name)} is no part of decay; known are {', '.join(_DECAY)}.",
                )
        for name, least, most in (("from", 0, 100), ("to", 0, 100), ("days", 1, _MOST_DAYS)):
            value = told.get(name)
            if name not in told:
                if name != "from":
                    self._no(
                        under(place, name), "missing", f"decay needs {name}, a whole number from {least} to {most}."
                    )
            elif not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                self._no(
                    under(place, name),
                    "out_of_range",
                    f"Write a whole number from {least} to {most}, not {shown(value)}.",
                )
            elif name == "to" and isinstance(told.get("from"), int) and told["from"] < value:
                self._no(
                    under(place, name), "out_of_range", f"Trust falls from {told['from']}; write a number below it."
                )
        self._one_of(under(place, "shape"), told.get("shape", "linear"), SHAPES)
        self._one_of(under(place, "clock"), told.get("clock", "changed"), CLOCKS)

    def _one_of(self, place: str, value: Any, known: Sequence[str]) -> None:
        if value not in known:
            self._no(place, "unknown_value", f"{shown(value)} is none of {', '.join(known)}.")

    def _no(self, place: str, code: str, detail: str) -> None:
        self._noes += 1
        if not any(e.field == place and e.code == code for e in self._wrong):
            self._wrong.append(FieldError(place, code, detail))
