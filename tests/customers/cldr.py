"""Names of countries as CLDR has them. `python -m tests.customers.cldr` writes apps/customers/reference/country_names.json anew."""

import json

from babel import Locale

from apps.customers.canonical_places import _COUNTRY_NAMES, COUNTRIES, LANGUAGES, _fold


def country_names() -> dict[str, list[str]]:
    """Code -> folded names, both sorted."""
    code_of: dict[str, str] = {}
    for language in LANGUAGES:
        for code, name in Locale.parse(language).territories.items():
            if code in COUNTRIES:
                code_of.setdefault(_fold(name), code)
    names: dict[str, list[str]] = {code: [] for code in sorted(COUNTRIES)}
    for name in sorted(code_of):
        names[code_of[name]].append(name)
    return names


def as_text(names: dict[str, list[str]]) -> str:
    lines = (f"{json.dumps(code)}: {json.dumps(own, ensure_ascii=False)}" for code, own in names.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    _COUNTRY_NAMES.write_text(as_text(country_names()), "utf-8")
