"""The part of the survivorship document that says what is checked, how much that matters and what it takes of trust."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from apps.common.errors import FieldError
from apps.common.pointers import shown
from apps.customers import quality
from apps.customers.quality import SEVERITIES, Check, Fails, Quality
from apps.customers.survivorship_chains import near, under
from apps.customers.survivorship_conditions import BadCondition, parse_condition
from apps.customers.survivorship_members import EXTRA, PARTS, SCALARS

_KEYS: Final = ("reserve", "penalties", "severities", "checks")
_KINDS: Final = ("pattern", "check_digit", "one_of", "holds", "least", "most")
_OF_A_CHECK: Final = ("code", "attribute", "type", "part", "severity", "lowers", "says", *_KINDS)
_ONE: Final = (
    "A check has one of: pattern (a format), check_digit = true, one_of (a list of values), holds (a condition across attributes),"
    " least and most (what is plausible)."
)


class QualityReader:
    """Reads `[quality]`; what is wrong is added to `wrong`, each with its place."""

    def __init__(self, wrong: list[FieldError]) -> None:
        self._wrong = wrong

    def read(self, told: Mapping[str, Any]) -> Quality:
        for key in told:
            if key not in _KEYS:
                detail = f"{shown(key)} is no part of it; known are {', '.join(_KEYS)}."
                self._say(under("", "quality", key), "unknown_field", detail)
        percents = {
            code: percent
            for code, percent in self._table("penalties", told).items()
            if self._percent(under("", "quality", "penalties", code), percent)
        }
        weights = dict(SEVERITIES)
        for name, percent in self._table("severities", told).items():
            place = under("", "quality", "severities", name)
            if name not in SEVERITIES:
                self._say(place, "unknown_value", f"{shown(name)} is no severity; {near(name, tuple(SEVERITIES))}")
            elif self._percent(place, percent):
                weights[name] = percent
        checks: dict[str, tuple[Check, ...]] = {}
        for check in self._checks(told.get("checks", ())):
            checks[check.attribute] = (*checks.get(check.attribute, ()), check)
            if check.code in percents and check.lowers:
                detail = f"What {check.code} takes stands in penalties already; say it once."
                self._say(under("", "quality", "penalties", check.code), "repeated", detail)
            percents |= {check.code: check.lowers} if check.lowers else {}
        reserve = told.get("reserve", 0)
        lowering = frozenset(name for name, some in checks.items() if any(percents.get(check.code) for check in some))
        return Quality(
            percents, reserve if self._percent("/quality/reserve", reserve) else 0, checks, weights, lowering
        )

    def _checks(self, told: Any) -> list[Check]:
        if not isinstance(told, Sequence) or isinstance(told, str):
            self._say("/quality/checks", "wrong_type", "Write each check under [[quality.checks]].")
            return []
        found, codes = list[Check](), set[str]()
        for at, one in enumerate(told):
            place = under("", "quality", "checks", at)
            if not isinstance(one, Mapping):
                self._say(place, "wrong_type", "A check is a table: write it under [[quality.checks]].")
                continue
            check = self._check(place, one)
            if check is not None and check.code in codes:
                self._say(
                    under(place, "code"), "repeated", f"{check.code} is the code of another check; each has its own."
                )
            elif check is not None:
                codes.add(check.code)
                found.append(check)
        return found

    def _check(self, place: str, told: Mapping[str, Any]) -> Check | None:
        before = len(self._wrong)
        for key in told:
            if key not in _OF_A_CHECK:
                self._say(
                    under(place, key), "unknown_field", f"{shown(key)} is no part of a check; {near(key, _OF_A_CHECK)}"
                )
        code, attribute = told.get("code"), told.get("attribute")
        if not isinstance(code, str) or not code.strip():
            self._say(under(place, "code"), "required", 'A check has a code, such as "email.format".')
        known = isinstance(attribute, str) and (
            attribute in (*SCALARS, *PARTS) or (attribute.startswith(EXTRA) and len(attribute) > len(EXTRA))
        )
        if not known:
            hint = near(attribute, (*SCALARS, *PARTS), "extra.<name>")
            self._say(under(place, "attribute"), "unknown_attribute", f"{shown(attribute)} cannot be checked; {hint}")
        elif attribute not in PARTS and ("type" in told or "part" in told):
            self._say(place, "never_used", f"{attribute} holds one value: type and part are for lists.")
        severity = told.get("severity", "warning")
        if severity not in SEVERITIES:
            hint = near(severity, tuple(SEVERITIES))
            self._say(under(place, "severity"), "unknown_value", f"{shown(severity)} is no severity; {hint}")
        self._percent(under(place, "lowers"), told.get("lowers", 0))
        fails = self._fails(place, told)
        if fails is None or len(self._wrong) > before:
            return None
        whole = "check_digit" in told or "holds" in told
        return Check(
            str(code), str(attribute), fails, severity, told.get("lowers", 0), str(told.get("says", "")), told.get("type"),
            "*" if whole else told.get("part", "value"),
        )  # fmt: skip

    def _fails(self, place: str, told: Mapping[str, Any]) -> Fails | None:
        kinds = {"range" if key in ("least", "most") else key for key in _KINDS if key in told}
        if len(kinds) != 1:
            self._say(place, "required" if not kinds else "repeated", _ONE)
            return None
        (kind,) = kinds
        if kind == "pattern":
            return self._pattern(under(place, "pattern"), told["pattern"])
        if kind == "check_digit":
            if told["check_digit"] is True and told.get("attribute") == "identifiers":
                return quality.by_check_digit
            self._say(
                under(place, "check_digit"), "unknown_value", 'Write check_digit = true, for attribute = "identifiers".'
            )
            return None
        if kind == "one_of":
            if isinstance(told["one_of"], Sequence) and not isinstance(told["one_of"], str) and told["one_of"]:
                return quality.by_list(told["one_of"])
            self._say(under(place, "one_of"), "wrong_type", 'A list of values, such as ["EUR", "USD"].')
            return None
        if kind == "holds":
            return self._condition(under(place, "holds"), told["holds"])
        return self._range(place, told)

    def _pattern(self, place: str, pattern: Any) -> Fails | None:
        problem = quality.pattern_is_wrong(pattern) if isinstance(pattern, str) else "a pattern is a text"
        if problem:
            self._say(place, "bad_pattern", f"This is no pattern (RE2): {problem}.")
            return None
        return quality.by_pattern(pattern)

    def _condition(self, place: str, text: Any) -> Fails | None:
        try:
            return quality.by_condition(parse_condition(str(text)))
        except BadCondition as error:
            self._say(place, "bad_condition", str(error))
            return None

    def _range(self, place: str, told: Mapping[str, Any]) -> Fails | None:
        bounds = {name: None if told.get(name) is None else str(told[name]) for name in ("least", "most")}
        if bounds["least"] == "changed":
            self._say(under(place, "least"), "unknown_value", 'changed is an upper bound only: write most = "changed".')
            return None
        return quality.by_range(bounds["least"], bounds["most"])

    def _table(self, name: str, told: Mapping[str, Any]) -> Mapping[str, Any]:
        found = told.get(name, {})
        if isinstance(found, Mapping):
            return found
        self._say(f"/quality/{name}", "wrong_type", f"quality.{name} is a table: write [quality.{name}].")
        return {}

    def _percent(self, place: str, value: Any) -> bool:
        good = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 100
        if not good:
            self._say(place, "out_of_range", f"Write a whole number from 0 to 100, not {shown(value)}.")
        return good

    def _say(self, place: str, code: str, detail: str) -> None:
        self._wrong.append(FieldError(place, code, detail))
