"""Heads of requests on the fast path that were parsed before: the same bytes are the same request.

Owns which heads are remembered, and what of them. Leaves to others: parsing, and whether a request is admitted
(`serving.http.protocol`).

A client on a kept connection sends the same head again and again, but for the length of its body: some dozens of heads
per client. Parsing one, with a callback per header, and taking it apart took a third of the time of a small request. A
head with an id of its own, or one that closes the connection, does not come twice and is not remembered.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from starlette.types import Scope

from serving.http.body import headers_of
from serving.http.endpoint import Endpoint
from serving.request_ids import HEADER

MAX_HEADS = 1024  # per worker; a hundred clients with bodies of ten lengths
MAX_BYTES = 2048  # of a remembered head
END = b"\r\n\r\n"
OF_CONNECTION = ("client", "server", "scheme")  # parts of the scope


class KnownHead(Struct, frozen=True, gc=False):
    """What a head says.

    Attributes:
        endpoint: answers the request.
        url: of the request.
        scope: but for what belongs to the connection.
        body_bytes: that follow.
    """

    endpoint: Endpoint
    url: bytes
    scope: Mapping[str, Any]
    body_bytes: int

    def scope_of(self, connection: Any) -> Scope:
        """The scope of a request with this head on a connection of uvicorn."""
        scope = self.scope.copy()  # type: ignore[attr-defined]
        scope["client"], scope["server"], scope["scheme"] = connection.client, connection.server, connection.scheme
        return scope  # type: ignore[no-any-return]


class KnownHeads:
    """The heads that one worker remembers."""

    def __init__(self) -> None:
        self._heads: dict[bytes, KnownHead] = {}
        self.get = self._heads.get  # by the bytes of the head, its empty line included

    def remember(self, head: bytes, endpoint: Endpoint, url: bytes, scope: Scope) -> None:
        """Remember a head that was just parsed, if its bytes alone say where it ends and what it means.

        Args:
            head: from the first byte of the request to the first empty line.
            endpoint: answers the request.
            url: as it was parsed.
            scope: of the request, which was admitted; nothing but its head and its caller are in it yet.
        """
        headers = headers_of(scope)
        if len(head) > MAX_BYTES or HEADER in headers or not ends_where_parsed(head, scope["headers"]):
            return
        if len(self._heads) >= MAX_HEADS:
            self._heads.clear()  # cheaper than knowing which is old: those in use are back with their next request
        kept = {name: value for name, value in scope.items() if name not in OF_CONNECTION}
        self._heads[head] = KnownHead(endpoint, url, kept, int(headers[b"content-length"]))


def ends_where_parsed(head: bytes, headers: Sequence[tuple[bytes, bytes]]) -> bool:
    r"""Whether the parser found the same end: one header per line, and no line that ends or begins in another way.

    >>> ends_where_parsed(b"POST / HTTP/1.1\r\na: 1\r\n\r\n", [(b"a", b"1")])
    True
    >>> ends_where_parsed(b"\r\n\r\n", []), ends_where_parsed(b"POST / HTTP/1.1\n\na\r\n\r\n", [])
    (False, False)
    """
    lines = head.count(b"\r\n")
    return head.startswith(b"POST ") and lines == len(headers) + 2 and lines == head.count(b"\n")
