"""The id of the current request, for log lines and error responses.

An id that the caller sends, in `X-Request-Id` or as the `id` of a gRPC call, is used as it is. Otherwise one is
generated when it is first needed: 16 random digits of this worker, then the number of the id, which takes 0.3 us where
a UUID takes 2. So the id of a row, of a log line and of an error response is the same.
"""

import re
import secrets
from contextvars import ContextVar
from itertools import count

from starlette.types import Scope

HEADER = b"x-request-id"

# In the scope, where ASGI lets extensions keep their own.
_SENT, _GENERATED = "credit_scorer.sent_id", "credit_scorer.generated_id"
_scope: ContextVar[Scope | None] = ContextVar("scope", default=None)
_worker = secrets.token_hex(8)  # workers are started, not forked, so each has its own
_number = count().__next__
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
    return None if scope is None else id_of(scope)


def generated_id_header(scope: Scope) -> list[tuple[bytes, bytes]]:
    """The header of an error response whose caller sent no id; an id that was sent is echoed on every response."""
    return [] if _SENT in scope else [(HEADER, id_of(scope).encode())]


def id_of(scope: Scope) -> str:
    """The id of the request of `scope`, generated if need be."""
    found: str | None = scope.get(_SENT) or scope.get(_GENERATED)
    if found is None:
        found = scope[_GENERATED] = f"{_worker}{_number():016x}"
    return found


def prefer(scope: Scope, sent: str | None) -> None:
    """Take the id that a body brings, if it is usable and no header has brought one."""
    if sent and _SENT not in scope and _usable(sent.encode("utf-8", "replace")):
        scope[_GENERATED] = sent  # not echoed: the body of the response has it
