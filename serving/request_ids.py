"""The id of the request that is being answered, for log lines and error answers.

One that the caller brings, in `X-Request-Id` or as the `id` of a call over gRPC, is used as it is; without it one is
made when somebody asks, so that a request of which nothing is told costs nothing.
"""

import re
import uuid
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any

HEADER = b"x-request-id"

# In the scope, where ASGI lets extensions keep what is theirs.
_BROUGHT, _MADE = "credit_scorer.brought_id", "credit_scorer.made_id"
_scope: ContextVar[MutableMapping[str, Any] | None] = ContextVar("scope", default=None)
_usable = re.compile(rb"[!-~](?:[ -~]{0,62}[!-~])?").fullmatch


def begin(scope: MutableMapping[str, Any], brought: bytes | None) -> bytes | None:
    """From here on this task answers the request of `scope`; gives the id that its caller brought, if it is usable.

    Usable are 1 to 64 printable ASCII characters, without a space at either end.
    """
    _scope.set(scope)
    if brought is None or not _usable(brought):
        return None
    scope[_BROUGHT] = brought.decode("ascii")
    return brought


def request_id() -> str | None:
    """The id of the request that this task answers, made now if need be; None outside of requests."""
    scope = _scope.get()
    if scope is None:
        return None
    found: str | None = scope.get(_BROUGHT) or scope.get(_MADE)
    if found is None:
        found = scope[_MADE] = uuid.uuid4().hex
    return found


def unasked() -> list[tuple[bytes, bytes]]:
    """The header of an error answer whose caller brought no id; one that was brought is echoed on every answer."""
    scope = _scope.get()
    made = None if scope is None or _BROUGHT in scope else request_id()
    return [(HEADER, made.encode())] if made else []
