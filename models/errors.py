"""What goes wrong with a request, and the one shape in which a caller reads about it.

    ScorerError          status, code, message and details
    ├── Rejected         the caller's fault: 400, 401, 403, 404, 405, 413, 415, 422, 429, 431
    ├── Unready          ours, for now: 503 with Retry-After
    └── Fault            ours: 500; the caller gets an id that the log has too, and nothing else

Owns codes, statuses, the JSON shape and the one-line form. Leaves deciding what is wrong to `models.request` and the
service, and headers to `serving.error_responses`.
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
    408: "timeout",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid_applicant",
    429: "too_many_requests",
    431: "too_large",
    500: "internal_error",
    503: "unavailable",
    504: "timeout",
}
RETRY_AFTER_S = 1  # seconds; the default of 429 and 503
MAX_LINE_BYTES = 2000  # of the one-line form: clients take 8 KiB of gRPC metadata, which spells UTF-8 threefold


class Detail(Struct, frozen=True, kw_only=True):
    """One fault in one field of one applicant; `row` counts from 0 and is null for the request as a whole."""

    row: int | None
    field: str | None
    value: Any
    message: str


class ScorerError(Exception):
    """Any error that a caller sees.

    Attributes:
        status: the HTTP status.
        code: a word for programs; by default the one of the status.
        message: a sentence for people.
        details: the faults, up to 20.
        retry_after_s: seconds after which the caller may try again; None where trying again does not help.
    """

    status = 500

    def __init__(self, message: str, code: str | None = None, details: tuple[Detail, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or CODES[self.status]
        self.details = details
        self.retry_after_s = RETRY_AFTER_S if self.status in (429, 503) else None

    def body(self) -> bytes:
        """The contract's error shape, as JSON."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.details:
            error["details"] = self.details
        return msgspec.json.encode({"error": error})

    def text_body(self) -> bytes:
        """The shape of the Open Inference Protocol, in which `error` is text.

        >>> Rejected(404, "no model x").text_body()
        b'{"code":"not_found","error":"no model x","details":[]}'
        """
        return msgspec.json.encode({"code": self.code, "error": self.line(), "details": self.details})

    def line(self) -> str:
        """The error in one line, with as many of its faults as fit.

        >>> fault = Detail(row=0, field="x", value=-3, message="must be at least 1")
        >>> Rejected(422, "1 value refused", details=(fault,)).line()
        '1 value refused: row 0, x = -3: must be at least 1'
        """
        parts = [
            ("" if fault.row is None else f"row {fault.row}, ") + f"{fault.field} = {fault.value}: {fault.message}"
            for fault in self.details
        ]
        line = self.message + (": " + "; ".join(parts) if parts else "")
        encoded = line.encode("utf-8", "replace")
        if len(encoded) <= MAX_LINE_BYTES:
            return line
        return encoded[:MAX_LINE_BYTES].decode("utf-8", "ignore") + "…"


class Rejected(ScorerError):  # noqa: N818 - named for what happened to the request
    """The caller sent what cannot be scored."""

    def __init__(self, status: int, message: str, code: str | None = None, details: tuple[Detail, ...] = ()) -> None:
        self.status = status
        super().__init__(message, code, details)


class Unready(ScorerError):  # noqa: N818 - named for the state of the service
    """The service cannot answer now: overloaded, draining, or the decision log cannot be written."""

    status = 503


class Fault(ScorerError):  # noqa: N818 - the word that the log uses
    """A fault of ours, of which the caller sees the id alone."""

    status = 500

    def __init__(self, fault_id: str) -> None:
        super().__init__(f"a fault of ours; the log has it under the id {fault_id}")
