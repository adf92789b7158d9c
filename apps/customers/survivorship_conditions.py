"""The small language of conditions: `kind is person and not (country in (DE, AT) or credit_limit >= 1000)`.

    condition  = either { "or" either }
    either     = test { "and" test }
    test       = "not" test | "(" condition ")" | name comparison
    comparison = ( "=" | "==" | "!=" | "is" | "is not" ) value
               | ( "<" | "<=" | ">" | ">=" ) value
               | [ "not" ] "in" "(" value { "," value } ")"
               | "is" [ "not" ] ( "known" | "unknown" )
    value      = word | number | 'text' | "text" | true | false

A name is an attribute with one value (`status`, `extra.tier`) or `country`, that of the first address. Text is equal whatever its
case. Beside a number the value is read as a number, beside anything else as text (dates as 2024-01-31). An attribute without a
value is equal to nothing, in nothing, less and greater than nothing. The text is parsed here and never handed to Python."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

from apps.common.pointers import shown
from apps.customers.survivorship_members import EXTRA, PARTS, SINGLES

COUNTRY: Final = "country"
NAMES: Final = (*(name for name in SINGLES if name != "name"), COUNTRY)
"""What a condition can ask for, besides `extra.<name>`. The name is made of other values after all others are decided."""
LONGEST: Final = 1_000
DEEPEST: Final = 30
_WORDS: Final = frozenset({"and", "or", "not", "in", "is", "known", "unknown", "true", "false"})
_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<text>"[^"]*"|'[^']*')|(?P<mark><=|>=|!=|==|[=<>(),])|(?P<word>[^\s"'<>=!(),]+)|(?P<wrong>\S))"""
)
_ORDER: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}

Read = Callable[[str], Any]
Value = str | bool | Decimal
Test = Callable[[Read], bool]


class BadCondition(ValueError):
    """The text is no condition: `column` (from 1) is where, `detail` says what to write instead."""

    def __init__(self, column: int, detail: str) -> None:
        super().__init__(f"Column {column}: {detail}")
        self.column = column
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Condition:
    """`holds(read)`: whether it is true, where `read` gives the value of a name or None; `names`: all it may ask for."""

    text: str
    names: frozenset[str]
    holds: Test


class _Token(NamedTuple):
    kind: str
    text: str
    column: int


def parse_condition(text: str) -> Condition:
    """Raises BadCondition."""
    if len(text) > LONGEST:
        raise BadCondition(LONGEST, f"A condition has {LONGEST} characters at most.")
    parser = _Parser(_tokens(text), len(text) + 1)
    test = parser.condition(0)
    parser.end()
    return Condition(text, frozenset(parser.names), test)


def number_of(value: object) -> Decimal | None:
    """The finite number that a value is or spells, else None; a truth value is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    try:
        number = Decimal(value if isinstance(value, str | int | Decimal) else repr(value))
    except (InvalidOperation, ValueError):
        return None
    return number if number.is_finite() else None


def _tokens(text: str) -> list[_Token]:
    found = []
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)
        column = match.start(kind) + 1
        if kind == "wrong":
            hint = (
                "This quotation mark has no partner." if match[kind] in "\"'" else f"{match[kind]} means nothing here."
            )
            raise BadCondition(column, hint)
        found.append(_Token(kind, match[kind], column))
    return found


class _Parser:
    """Recursive descent over the tokens; each method reads one rule of the grammar above."""

    def __init__(self, tokens: Sequence[_Token], end: int) -> None:
        self.names: set[str] = set()
        self._tokens = tokens
        self._last = _Token("end", "", end)
        self._at = 0

    def condition(self, depth: int) -> Test:
        tests = [self._both(depth)]
        while self._takes("or"):
            tests.append(self._both(depth))
        return tests[0] if len(tests) == 1 else lambda read: any(test(read) for test in tests)

    def end(self) -> None:
        token = self._next
        if token.kind != "end":
            raise BadCondition(token.column, f"{shown(token.text)} is too much: write and / or between two tests.")

    def _both(self, depth: int) -> Test:
        tests = [self._test(depth)]
        while self._takes("and"):
            tests.append(self._test(depth))
        return tests[0] if len(tests) == 1 else lambda read: all(test(read) for test in tests)

    def _test(self, depth: int) -> Test:
        if depth > DEEPEST:
            raise BadCondition(self._next.column, f"Parentheses and nots stand {DEEPEST} deep at most.")
        if self._takes("not"):
            test = self._test(depth + 1)
            return lambda read: not test(read)
        if self._takes("("):
            test = self.condition(depth + 1)
            self._needs(")")
            return test
        return self._comparison(self._name())

    def _name(self) -> str:
        token = self._take()
        name = token.text
        if token.kind != "word" or name in _WORDS:
            there = "here the text ends" if token.kind == "end" else f"not {shown(name)}"
            raise BadCondition(token.column, f"The name of an attribute is needed, such as kind or country; {there}.")
        if name not in NAMES and not (name.startswith(EXTRA) and len(name) > len(EXTRA)):
            raise BadCondition(token.column, _no_name(name))
        self.names.add(name)
        return name

    def _comparison(self, name: str) -> Test:
        token = self._take()
        match token.text if token.kind != "text" else "":
            case "is" | "=" | "==":
                negated = token.text == "is" and self._takes("not")
                return _turned(self._equality(name, known=token.text == "is"), negated=negated)
            case "!=":
                return _turned(self._equality(name, known=False), negated=True)
            case "<" | "<=" | ">" | ">=":
                return _ordered(name, token.text, self._value())
            case "in":
                return self._one_of(name)
            case "not" if self._takes("in"):
                return _turned(self._one_of(name), negated=True)
        raise BadCondition(
            token.column, f"After {name} a comparison is needed: is, is not, =, !=, <, <=, >, >=, in (…) or not in (…)."
        )

    def _equality(self, name: str, *, known: bool) -> Test:
        if known and self._takes("known"):
            return lambda read: read(name) is not None
        if known and self._takes("unknown"):
            return lambda read: read(name) is None
        value = self._value()
        return lambda read: _equal(read(name), value)

    def _one_of(self, name: str) -> Test:
        self._needs("(")
        values = [self._value()]
        while self._takes(","):
            values.append(self._value())
        self._needs(")")
        return lambda read: (own := read(name)) is not None and any(_equal(own, value) for value in values)

    def _value(self) -> Value:
        token = self._take()
        if token.kind == "text":
            return token.text[1:-1]
        if token.kind == "word" and token.text in ("true", "false"):
            return token.text == "true"
        if token.kind != "word" or token.text in _WORDS:
            there = "here the text ends" if token.kind == "end" else f"not {shown(token.text)}"
            raise BadCondition(token.column, f"A value is needed, such as DE, 1000 or 'in quotes'; {there}.")
        if token.text in NAMES or token.text in PARTS or token.text.startswith(EXTRA):
            raise BadCondition(
                token.column,
                f"An attribute is compared with a value; where the text {token.text} is meant, put it in quotes.",
            )
        number = number_of(token.text)
        return token.text if number is None else number

    # ── tokens ──────────────────────────────────────────────────────────────────────────────────────────────────────
    @property
    def _next(self) -> _Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else self._last

    def _take(self) -> _Token:
        token = self._next
        self._at += 1
        return token

    def _takes(self, text: str) -> bool:
        """Reads on if the next token is this word or mark."""
        if self._next.kind != "text" and self._next.text == text:
            self._at += 1
            return True
        return False

    def _needs(self, mark: str) -> None:
        token = self._next
        if not self._takes(mark):
            there = "the text ends" if token.kind == "end" else f"{shown(token.text)} stands"
            raise BadCondition(token.column, f"{mark} is needed where {there}.")


def _no_name(name: str) -> str:
    if name in PARTS:
        return f"{name} is a list, and a condition asks for one value: {', '.join(NAMES)} or extra.<name>."
    if name == "name":
        return "The name is made of other values; ask for given_name, family_name or organization_name."
    near = get_close_matches(name, NAMES, n=1)
    return f"{shown(name)} is no attribute with one value; " + (
        f"did you mean {near[0]}?" if near else f"known are {', '.join(NAMES)} and extra.<name>."
    )


def _turned(test: Test, *, negated: bool) -> Test:
    return (lambda read: not test(read)) if negated else test


def _equal(own: Any, value: Value) -> bool:
    if own is None or isinstance(own, bool) or isinstance(value, bool):
        return own is value
    if isinstance(value, Decimal):
        return number_of(own) == value
    return str(own).casefold() == value.casefold()


def _ordered(name: str, mark: str, value: Value) -> Test:
    before = _ORDER[mark]

    def test(read: Read) -> bool:
        own = read(name)
        if own is None or isinstance(own, bool) or isinstance(value, bool):
            return False
        if isinstance(value, Decimal):
            number = number_of(own)
            return number is not None and before(number, value)
        return before(str(own).casefold(), value.casefold())

    return test
