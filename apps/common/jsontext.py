"""JSON text as the hub writes and reads it: compact, sorted keys, so that equal content is equal text."""

import json
from typing import Any

import orjson


def json_text(value: Any) -> str:
    """`value` as JSON. Lone surrogates, which no UTF-8 can carry, come out as escapes instead of failing."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:
        return json.dumps(value, ensure_ascii=True, separators=(",", ":"), sort_keys=True)


def json_value(text: str | bytes) -> Any:
    """The value of JSON text that the hub wrote itself."""
    return orjson.loads(text)


def storable(text: str) -> str:
    """`text` as a column can hold it: NUL and lone surrogates, which no column takes, are shown escaped."""
    return text.replace("\x00", "\\u0000").encode("utf-8", "backslashreplace").decode()
