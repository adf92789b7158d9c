"""Errors say what the caller can do."""

from collections.abc import Sequence
from dataclasses import dataclass


class HubError(Exception):
    """Base of every error the hub raises on purpose; `detail` is a sentence for the person who reads it."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Retryable(HubError):
    """The same call may succeed later; `after` is the least number of seconds to wait."""

    def __init__(self, detail: str, *, after: float = 1.0) -> None:
        super().__init__(detail)
        self.after = after


class Permanent(HubError):
    """Calling again will not help."""


class Conflict(HubError):
    """What the caller saw is no longer so: read again, then decide."""


class TooLate(Conflict):
    """What the caller asks for is about something that is over: the same again will not help, whoever else is done by then."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that cannot be accepted: `field` is a JSON pointer or a flat name, `code` a stable word, `detail` a sentence."""

    field: str
    code: str
    detail: str


class Rejected(HubError):
    """The input itself is wrong; `fields` says where and why."""

    def __init__(self, detail: str, fields: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.fields = tuple(fields)


class NotFound(HubError):
    """No such thing, or not for this caller; `fields` names the parameters that it hangs on, if any."""

    def __init__(self, detail: str, fields: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.fields = tuple(fields)


class Erased(HubError):
    """There was such a thing, and its values were erased by law: nothing brings them back. `fields` as of NotFound."""

    def __init__(self, detail: str, fields: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.fields = tuple(fields)
