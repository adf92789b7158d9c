"""Known words written with at most one typing error: most words are told to be far from all of them without comparing."""

from collections.abc import Iterable
from typing import NamedTuple, Self


class Near(NamedTuple):
    """Beginnings and ends of known words: one typing error leaves one of the two as it is.

    A letter is left out between them, as two letters that changed places may stand on either side of a cut."""

    beginnings: tuple[str, ...]
    ends: tuple[str, ...]

    @classmethod
    def to(cls, words: Iterable[str]) -> Self:
        """Of words, cut in the middle of what stands before the first point: the end of a domain is no mark of it."""
        cuts = [(word, len(word.partition(".")[0]) // 2) for word in words]
        return cls(tuple({word[:cut] for word, cut in cuts}), tuple({word[cut + 1 :] for word, cut in cuts}))

    def may_be(self, word: str) -> bool:
        """Whether a word may be a known one with a letter added, left out, changed or two that changed places."""
        return word.startswith(self.beginnings) or word.endswith(self.ends)
