"""mdmhub.logs: one line per record, with the correlation id, whatever the message holds."""

import json
import logging
import sys

from hypothesis import given
from hypothesis import strategies as st

from mdmhub.logs import CorrelationFilter, JsonFormatter, PlainFormatter, correlation_id


def record(message: str, error: bool = False) -> logging.LogRecord:
    info = None
    if error:
        try:
            raise ValueError("what went wrong")
        except ValueError:
            info = sys.exc_info()
    made = logging.LogRecord("hub", logging.WARNING, __file__, 1, message, None, info)
    CorrelationFilter().filter(made)
    return made


@given(st.text())
def test_a_json_line_is_one_line_and_reads_back(message: str) -> None:
    line = JsonFormatter().format(record(message))
    assert "\n" not in line
    assert json.loads(line)["message"] == message


@given(st.text())
def test_a_message_cannot_forge_a_second_plain_line(message: str) -> None:
    line = PlainFormatter("%(message)s").format(record(message))
    assert "\n" not in line
    assert "\r" not in line


def test_the_correlation_id_of_the_request_is_in_the_line() -> None:
    token = correlation_id.set("abc")
    try:
        assert json.loads(JsonFormatter().format(record("x")))["correlation_id"] == "abc"
    finally:
        correlation_id.reset(token)


def test_an_error_brings_its_trace() -> None:
    told = json.loads(JsonFormatter().format(record("x", error=True)))
    assert told["error"] == "ValueError"
    assert "what went wrong" in told["trace"]
