"""What has the rows of a body scored, whichever way the body came: in the connection or through ASGI.

Owns the types. An endpoint reads a body and encodes predictions; the ways differ only in how bytes come and go.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct
from starlette.types import Scope

from models.errors import ScorerError
from serving.rows import Results

Headers = Sequence[tuple[bytes, bytes]]
Encoded = tuple[Headers, bytes]  # the headers of a response but for its length, and its body
JSON = ((b"content-type", b"application/json"),)


class Submitted(Struct, frozen=True):
    """A request whose rows are with the batcher.

    Attributes:
        results: one for each row, in order; cancelling it takes the rows out of the queue.
        encode: makes the answer, of predictions alone.
        limit_s: seconds after which the caller does not want it any more; None where it did not say.
    """

    results: "asyncio.Future[Results]"
    encode: Callable[[Results], Encoded]
    limit_s: float | None = None


class Endpoint(Protocol):
    """Has the rows of a body scored."""

    def submit(self, body: bytes, scope: Scope) -> Submitted | ScorerError:
        """Decode, validate and submit the body of an admitted request; returns or raises the error that refuses it."""

    def count_response(self, status: int) -> None:
        """Count one response."""
