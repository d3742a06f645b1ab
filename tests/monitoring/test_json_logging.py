"""JSON log lines."""

import json
import logging
import sys

import pytest

from monitoring.json_logging import JsonLines


def record(message: str, *args: object, failed: bool = False) -> logging.LogRecord:
    return logging.LogRecord("a.b", logging.ERROR, __file__, 1, message, args, sys.exc_info() if failed else None)


@pytest.mark.parametrize(
    "said", ["plain", "two\nlines", 'quotes " and \\', "\N{SNOWMAN}", "half a character \ud800", "\x00\x85"]
)
def test_any_message_becomes_one_line_of_valid_json(said):
    line = JsonLines().format(record("said %s", said))
    assert line.isascii()
    assert line.splitlines() == [line]
    told = json.loads(line)
    assert told["message"] == f"said {said}"
    assert (told["level"], told["logger"]) == ("ERROR", "a.b")
    assert told.keys() == {"time", "level", "logger", "message"}


def test_an_exception_is_logged_with_its_traceback_and_request_id():
    try:
        int("why")
    except ValueError:
        told = json.loads(JsonLines(lambda: "r-1").format(record("fault", failed=True)))
    assert told["request_id"] == "r-1"
    assert told["exception"].startswith("Traceback")
    assert told["exception"].endswith("ValueError: invalid literal for int() with base 10: 'why'")
