"""What has the rows of a body scored, whichever way the body came: in the connection or through ASGI.

Owns the types. An endpoint reads a body and encodes predictions; the ways differ only in how bytes come and go.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct
from starlette.types import Scope

from models.errors import ScorerError
from serving.rows import Receiver, Results

Headers = Sequence[tuple[bytes, bytes]]
Encoded = tuple[Headers, bytes]  # the headers of a response but for its length, and its body
JSON = ((b"content-type", b"application/json"),)


class Submitted(Struct, frozen=True):
    """A request whose rows are with the batcher.

    Attributes:
        encode: makes the answer, of predictions alone.
        limit_s: seconds after which the caller does not want it any more; None where it did not say.
    """

    encode: Callable[[Results], Encoded]
    limit_s: float | None = None


class Endpoint(Protocol):
    """Has the rows of a body scored."""

    def submit(self, body: bytes, scope: Scope, receiver: Receiver) -> Submitted | ScorerError:
        """Decode, validate and submit the body of an admitted request; returns or raises the error that refuses it.

        Args:
            body: of the request.
            scope: of the request.
            receiver: gets a result for each row, in order, perhaps before this returns.
        """

    def count_response(self, status: int) -> None:
        """Count one response."""
