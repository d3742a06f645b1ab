"""A limit on the head of a request, and on trailers, which uvicorn does not have with httptools.

Without it a client that sends headers without end takes all memory, and needs no key for that, as the key is in the
head. BentoML passes uvicorn neither a limit nor a protocol class of ours, so this module wraps the method that takes
bytes from the socket, `HttpToolsProtocol.data_received`, and reads the protocol's `scope` and `cycle`;
`tests/service/test_header_limit.py` fails when uvicorn changes them. A request that arrives in one read pays 0.2 us.
"""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 65_536  # the limit of uvicorn with h11; nginx has 32 KiB, browsers send some 2
MAX_UNREAD_BYTES = 16 << 20  # of a body that was answered already; its sender may read that before the connection ends

_BODY = b'{"error":{"code":"too_large","message":"the head of the request is over %d bytes"}}' % MAX_HEAD_BYTES
_RESPONSE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(_BODY), _BODY)
)


def install_header_limit() -> None:
    """From here on close connections that keep sending bytes which belong to no body.

    A head that arrives whole in one read, of up to 256 KiB, passes: there is nothing left to protect by then.
    """
    if getattr(HttpToolsProtocol.data_received, "limits_headers", False):
        return
    original = HttpToolsProtocol.data_received

    def data_received(self: Any, data: bytes) -> None:
        cycle = self.cycle
        before = len(cycle.body) if cycle else 0
        original(self, data)
        scope, now = self.scope, self.cycle
        if scope is None or ("path" in scope and not now.more_body):  # the request is whole
            return
        head_is_whole = "path" in scope  # which uvicorn sets then
        if head_is_whole and len(now.body) > (before if now is cycle else 0):
            scope["idle_bytes"] = 0
            return
        answered = head_is_whole and now.response_complete
        scope["idle_bytes"] = scope.get("idle_bytes", 0) + len(data)
        if scope["idle_bytes"] > (MAX_UNREAD_BYTES if answered else MAX_HEAD_BYTES):
            _close(self, respond=not head_is_whole or not now.response_started)

    data_received.limits_headers = True  # type: ignore[attr-defined]
    HttpToolsProtocol.data_received = data_received  # type: ignore[method-assign]


def _close(protocol: Any, respond: bool) -> None:
    transport = protocol.transport
    if not transport.is_closing():
        if respond:
            transport.write(_RESPONSE)
        transport.close()
