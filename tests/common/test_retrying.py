"""What others moved is tried again; what is over is said at once."""

import pytest

from apps.common.errors import Conflict, TooLate
from apps.common.retrying import again, retried


def test_what_others_moved_is_tried_until_it_stands() -> None:
    left = [Conflict("moved"), Conflict("moved again")]

    @again
    def work(*, wanted: str) -> str:
        if left:
            raise left.pop()
        return wanted

    assert work(wanted="done") == "done"
    assert left == []


def test_what_is_over_is_not_tried_again() -> None:
    tries: list[int] = []

    def work() -> None:
        tries.append(1)
        raise TooLate("The customer was retired meanwhile.")

    with pytest.raises(Conflict, match="retired"):
        retried(work)
    assert len(tries) == 1
