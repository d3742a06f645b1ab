"""Log lines as JSON, one object per line, for the service and the profiler.

Owns: the format of a line and the fields known here: time, level, logger, message, trace. Leaves to others: what is
logged, which is never personal data, and the id of the request. `log_format: text` keeps BentoML's lines.
"""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from opentelemetry import trace

LOGGERS = ("", "bentoml", "circus", "uvicorn.error")  # the loggers that BentoML attaches handlers to


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object.

    Args:
        request_id: returns the id of the current request, or None outside a request.
    """

    def __init__(self, request_id: Callable[[], str | None] = lambda: None) -> None:
        super().__init__()
        self._request_id = request_id

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, in ASCII, so that no text can break the line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (request_id := self._request_id()) is not None:
            line["request_id"] = request_id
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            line["trace_id"] = trace.format_trace_id(span.trace_id)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        return json.dumps(line)


def log_as_json(request_id: Callable[[], str | None] = lambda: None) -> None:
    """Log every further line of this process as JSON, Python warnings included."""
    formatter = JsonLines(request_id)
    for name in LOGGERS:
        for handler in logging.getLogger(name).handlers:
            handler.setFormatter(formatter)
        logging.getLogger(name).propagate = False  # with BentoML, two of them would print each line twice
    logging.captureWarnings(True)
