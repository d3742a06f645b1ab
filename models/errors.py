"""What goes wrong with a request, and the one shape in which a caller hears of it.

    body ──► Rejected   the caller's fault: 400, 404, 405, 413, 415, 422
    score ─► Unready    ours for the moment: 503 with Retry-After
          ─► Fault      ours: 500; the caller gets an id that the log has too, and nothing else

Owns codes, statuses and the JSON shape. Leaves deciding what is wrong to `models.request` and the service.
"""

from typing import Any

import msgspec
from msgspec import Struct

CODES = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid_applicant",
    429: "too_many_requests",
    500: "internal_error",
    503: "unavailable",
    504: "timeout",
}
RETRY_AFTER_S = 1  # seconds; carried by 429 and 503


class Detail(Struct, frozen=True, kw_only=True):
    """One fault in one field of one applicant; `row` counts from 0 and is null for the request as a whole."""

    row: int | None
    field: str | None
    value: Any
    message: str


class ScorerError(Exception):
    """Anything that a caller is told about; `status` is the HTTP status."""

    status = 500

    def __init__(self, message: str, code: str | None = None, details: tuple[Detail, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or CODES[self.status]
        self.details = details

    def body(self) -> bytes:
        """The contract's error shape, as JSON."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.details:
            error["details"] = self.details
        return msgspec.json.encode({"error": error})


class Rejected(ScorerError):  # noqa: N818 - named for what the caller is told
    """The caller sent what cannot be scored."""

    def __init__(self, status: int, message: str, code: str | None = None, details: tuple[Detail, ...] = ()) -> None:
        self.status = status
        super().__init__(message, code, details)


class Unready(ScorerError):  # noqa: N818 - named for what the caller is told
    """The service cannot answer now: overloaded, draining, or the decision log cannot be written."""

    status = 503


class Fault(ScorerError):  # noqa: N818 - named for what the caller is told
    """A fault of ours, told by its id alone."""

    status = 500

    def __init__(self, fault_id: str) -> None:
        super().__init__(f"a fault of ours; the log has it under the id {fault_id}")
