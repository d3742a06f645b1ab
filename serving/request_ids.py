"""The id of the current request, for log lines and error responses.

An id that the caller sends, in `X-Request-Id` or as the `id` of a gRPC call, is used as it is. Otherwise one is
generated when it is first needed, so a request that is never mentioned costs nothing.
"""

import re
import uuid
from contextvars import ContextVar

from starlette.types import Scope

HEADER = b"x-request-id"

# In the scope, where ASGI lets extensions keep their own.
_SENT, _GENERATED = "credit_scorer.sent_id", "credit_scorer.generated_id"
_scope: ContextVar[Scope | None] = ContextVar("scope", default=None)
_usable = re.compile(rb"[!-~](?:[ -~]{0,62}[!-~])?").fullmatch


def begin(scope: Scope, sent: bytes | None) -> bytes | None:
    """Begin the request of `scope` in this context; returns the id that its caller sent, if it is usable.

    Usable are 1 to 64 printable ASCII characters, without a space at either end.
    """
    _scope.set(scope)
    if sent is None or not _usable(sent):
        return None
    scope[_SENT] = sent.decode("ascii")
    return sent


def end() -> None:
    """End the request of this context, where others follow in the same one."""
    _scope.set(None)


def request_id() -> str | None:
    """The id of the request of this context, generated if need be; None outside of requests."""
    scope = _scope.get()
    return None if scope is None else _id_of(scope)


def generated_id_header(scope: Scope) -> list[tuple[bytes, bytes]]:
    """The header of an error response whose caller sent no id; an id that was sent is echoed on every response."""
    return [] if _SENT in scope else [(HEADER, _id_of(scope).encode())]


def _id_of(scope: Scope) -> str:
    found: str | None = scope.get(_SENT) or scope.get(_GENERATED)
    if found is None:
        found = scope[_GENERATED] = uuid.uuid4().hex
    return found
