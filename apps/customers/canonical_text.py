"""Text as the hub keeps it: one form of every character, no stray white space, nothing hidden.

The received value is kept apart from how it is written: white space is trimmed and collapsed, characters are brought
into Unicode form NFC, invisible controls are taken out (with a warning). What no system can have meant (NUL, lone
surrogates, control characters) is a problem of the record, named by field.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from typing import Final

# A longer value is refused before any work is spent on it; every field's own limit is far below.
MAX_RECEIVED: Final = 100_000

_WHITE_CONTROLS: Final = frozenset("\t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85")
_JOINERS: Final = frozenset("\u200c\u200d")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one field of one record.

    `field` is a path with "/" between its parts (`email`, `addresses/0/country`), empty for the record as a whole;
    `code` is a stable word for programs; `detail` is a sentence that says what is wrong and what would be right.
    """

    field: str
    code: str
    detail: str

    @property
    def pointer(self) -> str:
        """The JSON pointer (RFC 6901) to the field within the record."""
        return f"/{self.field}" if self.field else ""


@dataclass(slots=True)
class Notes:
    """Collects what is wrong (`problems`: the record is quarantined) and what is odd (`warnings`: it goes on)."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def problem(self, where: str, code: str, detail: str) -> None:
        self.problems.append(Problem(where, code, detail))

    def warn(self, where: str, code: str, detail: str) -> None:
        self.warnings.append(Problem(where, code, detail))


def tidy(value: str, where: str, notes: Notes) -> str | None:
    """The value in the hub's form, or None when it holds what cannot be kept (the problem is noted).

    Idempotent: a tidied value is tidied to itself.
    """
    if value.isprintable():  # no control, no surrogate, no invisible character, no white space but U+0020
        if not value.isascii() and not unicodedata.is_normalized("NFC", value):
            if len(value) > MAX_RECEIVED:
                _too_long(value, where, notes)
                return None
            value = unicodedata.normalize("NFC", value)
        if "  " in value or value[:1] == " " or value[-1:] == " ":
            value = " ".join(value.split())
        return value
    if len(value) > MAX_RECEIVED:
        _too_long(value, where, notes)
        return None
    return _tidy_odd(value, where, notes)


def _too_long(value: str, where: str, notes: Notes) -> None:
    notes.problem(where, "too_long", f"{where} is {len(value)} characters long; no field may be that long.")


def _tidy_odd(value: str, where: str, notes: Notes) -> str | None:
    """The slow way, for values with at least one character that does not print."""
    bad = _forbidden(value)
    if bad is not None:
        notes.problem(where, *bad)
        return None
    kept = "".join(char for at, char in enumerate(value) if not _hidden(value, at, char))
    if kept != value:
        notes.warn(where, "hidden_characters", f"{where} holds invisible characters; they were taken out.")
    return " ".join(unicodedata.normalize("NFC", kept).split())


def _forbidden(value: str) -> tuple[str, str] | None:
    """Code and sentence for the first character that cannot be kept, or None."""
    for at, char in enumerate(value):
        if char.isprintable():
            continue
        if char == "\0":
            return "nul_byte", f"A NUL byte stands at position {at + 1}; send the value without it."
        if "\ud800" <= char <= "\udfff":
            return (
                "lone_surrogate",
                f"Half a surrogate pair (U+{ord(char):04X}) stands at position {at + 1}; send whole characters.",
            )
        if unicodedata.category(char) == "Cc" and char not in _WHITE_CONTROLS:
            return (
                "control_character",
                f"The control character U+{ord(char):04X} stands at position {at + 1}; send the value without it.",
            )
    return None


def _hidden(value: str, at: int, char: str) -> bool:
    """True for zero-width and direction controls, except joiners inside scripts that spell with them."""
    if char.isprintable() or unicodedata.category(char) != "Cf":
        return False
    if char in _JOINERS and 0 < at < len(value) - 1:
        return not (_spells_with_joiners(value[at - 1]) and _spells_with_joiners(value[at + 1]))
    return True


def _spells_with_joiners(char: str) -> bool:
    # Arabic to Sinhala: Persian writes U+200C between letters, the Indic scripts U+200D within conjuncts.
    return "\u0600" <= char <= "\u0dff" and char.isprintable()
