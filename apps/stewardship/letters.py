"""Single-letter shortcuts: what each does on which page, and the letters a person chose for them in one browser.

A page knows a shortcut by its own letter; the browser is told which key stands for it. Letters differ within a page: of a group
and of what holds everywhere."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

COOKIE: Final = "letters"
RESERVED: Final = frozenset("?/")
_SIGNS: Final = frozenset("!\"#$%&'()*+,-.:;<=>@[\\]^_`{|}~")
_LONGEST: Final = 2_000


@dataclass(frozen=True, slots=True)
class Group:
    """Pages with shortcuts of their own: `keys`: (own letter, what it does); `pages`: names of their addresses."""

    name: str
    title: str
    keys: tuple[tuple[str, str], ...]
    pages: frozenset[str] = frozenset()


_EVERYWHERE: Final = Group(
    "everywhere",
    "Everywhere",
    (
        ("j", "Next in a list"),
        ("k", "Previous in a list"),
        ("g", "Go to a page: then its letter"),
        (".", "Next case"),
    ),
)
GROUPS: Final = (
    _EVERYWHERE,
    Group(
        "review",
        "In the inbox and in a match review",
        (
            ("m", "Merge"),
            ("n", "Not a match"),
            ("l", "Not one, but related"),
            ("d", "Defer"),
            ("p", "Preview"),
            ("e", "Hide what is equal"),
            ("a", "Take it or let it go"),
            ("u", "Undo"),
            ("b", "Back from the preview"),
        ),
        frozenset({"inbox", "review", "review-preview"}),
    ),
    Group(
        "exception",
        "In an exception",
        (("r", "Tell it again"), ("e", "Correct it"), ("d", "Discard it")),
        frozenset({"exception"}),
    ),
    Group("change", "In a change to approve", (("a", "Approve"), ("r", "Reject")), frozenset({"change"})),
    Group(
        "unmerge",
        "When records are taken out",
        (("p", "Show what it comes to"), ("d", "Take them out")),
        frozenset({"customer-unmerge"}),
    ),
    Group(
        "customer",
        "On the page of a customer",
        (("n", "Write a note"), ("u", "Take records out")),
        frozenset(
            f"customer{tab}"
            for tab in (
                "",
                "-sources",
                "-record",
                "-lineage",
                "-history",
                "-compare",
                "-as-of",
                "-matches",
                "-distribution",
            )
        ),
    ),
)
Letters = Mapping[tuple[str, str], str]
"""(group, own letter) -> the chosen one, where it is another."""


def is_letter(text: str) -> bool:
    """One letter (as typed without Shift) or one sign that is not reserved; digits choose customers."""
    if len(text) != 1 or text in RESERVED:
        return False
    return text in _SIGNS or (text.isalpha() and text == text.lower())


def chosen(cookies: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """The letters a cookie holds; of one that was forged or has come of age nothing that does not hold now."""
    text = cookies.get(COOKIE, "")
    if not text or len(text) > _LONGEST:
        return {}
    try:
        told = json.loads(unquote(text))
    except (ValueError, RecursionError):
        return {}
    if not isinstance(told, dict):
        return {}
    found = {
        (group.name, own): letter
        for group in GROUPS
        for own, _ in group.keys
        if isinstance(letter := told.get(f"{group.name} {own}"), str) and is_letter(letter) and letter != own
    }
    return {} if clashes(found) else found


def clashes(letters: Letters) -> dict[tuple[str, str], str]:
    """Where a letter would do two things on one page: (group, own letter) -> what else it does there."""
    common = {own: letters.get((_EVERYWHERE.name, own), own) for own, _ in _EVERYWHERE.keys}
    found: dict[tuple[str, str], str] = {}
    for group in GROUPS:
        taken: dict[str, str] = {}
        if group is not _EVERYWHERE:
            taken = {common[own]: meaning for own, meaning in _EVERYWHERE.keys}
        for own, meaning in group.keys:
            letter = letters.get((group.name, own), own)
            if letter in taken:
                found[(group.name, own)] = taken[letter]
            taken.setdefault(letter, meaning)
    return found


def written(letters: Letters) -> str:
    """The value of the cookie; empty where every letter is its own."""
    told = {f"{group} {own}": letter for (group, own), letter in letters.items() if letter != own}
    return quote(json.dumps(told, ensure_ascii=False, separators=(",", ":"))) if told else ""


def on_page(letters: Letters, page: str) -> dict[str, str]:
    """Own letter -> the chosen one, of what differs on the page whose address has this name."""
    return {
        own: letters[(group.name, own)]
        for group in GROUPS
        if group is _EVERYWHERE or page in group.pages
        for own, _ in group.keys
        if (group.name, own) in letters
    }
