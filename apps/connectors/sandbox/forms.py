"""Form-encoded bodies with brackets: `address[line1]=x`, `preferred_locales[0]=de`, `preferred_locales[]=de`."""

import re
from typing import Any, Final
from urllib.parse import parse_qsl

NAME: Final = re.compile(r"([^\[\]]+)(?:\[([^\[\]]*)\])?")


class NotAForm(ValueError):
    """The body cannot be read as a form with at most one pair of brackets in a name."""


def bracketed(body: str) -> dict[str, Any]:
    """Names to texts, to objects of texts, or (numbers or nothing in the brackets) to lists of texts in order of the numbers."""
    found: dict[str, Any] = {}
    lists: dict[str, list[tuple[int, str]]] = {}
    for full, value in parse_qsl(body, keep_blank_values=True, max_num_fields=1_000, strict_parsing=bool(body)):
        match = NAME.fullmatch(full)
        if match is None:
            raise NotAForm(f"Invalid name of a parameter: {full[:100]}")
        name, part = match[1], match[2]
        if part is None:
            found[name] = value
        elif not part or (part.isascii() and part.isdigit()):
            lists.setdefault(name, []).append((int(part) if part else len(lists.get(name, ())), value))
        else:
            whole = found.setdefault(name, {})
            if not isinstance(whole, dict):
                raise NotAForm(f"{name} is given both whole and in parts.")
            whole[part] = value
    return found | {name: [value for _, value in sorted(parts)] for name, parts in lists.items()}
