"""Given names that are used for one another (Bob and Robert), from the reference file of nicknames."""

from functools import lru_cache

from apps.matching.text import fold, reference

MOST_GROUPS = 6  # groups one name may stand in; the reference file keeps to it


@lru_cache(maxsize=1)
def _groups() -> tuple[dict[str, tuple[int, ...]], dict[str, str]]:
    groups: dict[str, tuple[int, ...]] = {}
    roots: dict[str, str] = {}
    for number, line in enumerate(reference("nicknames")["groups"], start=1):
        members = dict.fromkeys(fold(name) for name in line.split())
        root = next(iter(members))
        for name in members:
            groups[name] = (*groups.get(name, ()), number)[:MOST_GROUPS]
            roots.setdefault(name, root)
    return groups, roots


def nickname_groups(name: str) -> tuple[int, ...]:
    """Return the numbers of the groups a folded name stands in; two names that share one are used for one another."""
    return _groups()[0].get(name, ())


def nickname_root(name: str) -> str:
    """Return the first name of the first group a folded name stands in, or the name itself."""
    return _groups()[1].get(name, name)
