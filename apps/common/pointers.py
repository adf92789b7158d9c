"""Where in a JSON text something stands, and how a value is shown in a sentence about it."""


def shown(value: object) -> str:
    """A value as an error message may show it: short, quoted, and printable whatever it holds."""
    if isinstance(value, str):
        return repr(value) if len(value) <= 40 else repr(value[:40]) + "…"
    if isinstance(value, int) and value.bit_length() > 128:
        return "a number of more than 38 digits"
    if isinstance(value, int | float) or value is None:
        return repr(value)
    return f"a value of type {type(value).__name__}"


def path(*parts: str | int) -> str:
    """A field path whose parts are escaped as in a JSON pointer (RFC 6901) and hold printable characters only."""
    return "/".join(_part(part) for part in parts)


def _part(part: str | int) -> str:
    text = str(part)
    if not text.isprintable():
        text = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)
    return text.replace("~", "~0").replace("/", "~1")[:200]
