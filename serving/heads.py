"""A bound on the head of a request, which uvicorn does not have with httptools: request line and headers.

Without it a caller that sends headers and never ends them takes all memory, and needs no key for that, as nobody can
be asked for one before the head is whole. BentoML passes uvicorn neither a limit nor a protocol of ours, so the method
that takes bytes from the socket is wrapped; `tests/service/test_heads.py` fails should uvicorn change under it.
"""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 65_536  # that of uvicorn with h11; nginx takes 32 KiB, browsers send some 2

_BODY = b'{"error":{"code":"too_large","message":"the head of the request is over %d bytes"}}' % MAX_HEAD_BYTES
_ANSWER = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(_BODY), _BODY)
)


def bound_heads() -> None:
    """From here on connections whose head goes on beyond the bound, after as many reads as it takes, are closed.

    A head that comes whole in one read, of up to 256 KiB, passes; there is nothing left to protect by then.
    """
    if getattr(HttpToolsProtocol.data_received, "bounded", False):
        return
    received = HttpToolsProtocol.data_received

    def data_received(self: Any, data: bytes) -> None:
        received(self, data)
        scope = self.scope
        if scope is not None and "path" not in scope:  # it is written when the head is whole
            scope["head_bytes"] = scope.get("head_bytes", 0) + len(data)
            if scope["head_bytes"] > MAX_HEAD_BYTES and not self.transport.is_closing():
                self.transport.write(_ANSWER)
                self.transport.close()

    data_received.bounded = True  # type: ignore[attr-defined]
    HttpToolsProtocol.data_received = data_received  # type: ignore[method-assign]
