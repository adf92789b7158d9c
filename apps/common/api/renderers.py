"""Answers as JSON."""

import json
from collections.abc import Mapping
from typing import Any

from rest_framework.renderers import JSONRenderer
from rest_framework.utils.encoders import JSONEncoder

_ENCODE = JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


class JsonRenderer(JSONRenderer):
    """UTF-8 as it stands; half a surrogate pair that came in with a key leaves escaped, so that no answer can fail."""

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        if data is None:
            return b""
        try:
            return _ENCODE(data).encode()
        except UnicodeEncodeError:
            return json.dumps(data, cls=JSONEncoder, allow_nan=False).encode()
