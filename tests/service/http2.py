"""A client of HTTP/2 that stops wherever a test wants it to: libraries always send whole messages."""

import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY = 0, 1, 3, 4, 7
ACK = END_STREAM = 1
END_HEADERS = 4
MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE = 3, 4


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def header(name: str, value: str) -> bytes:
    """One header in HPACK's plainest form: literal, never indexed, not compressed."""
    assert max(len(name), len(value)) < 127
    return b"\x10" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


class Http2:
    """One connection; `settings` are those of the server, by number."""

    def __init__(self, port: int) -> None:
        self.settings: dict[int, int] = {}
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._received = b""
        self._next = 1
        self.send(PREFACE + frame(SETTINGS, 0, 0))
        while not self.settings:
            kind, _, _, payload = self.receive()
            if kind == SETTINGS and payload:
                self.settings = dict(struct.iter_unpack(">HI", payload))
        self.send(frame(SETTINGS, ACK, 0))

    def __enter__(self) -> "Http2":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def begin(self, call: str, declared: int = 0, sent: bytes = b"", **metadata: str) -> int:
        """Call and send `sent` of a message of `declared` bytes; without these, not even its length. The stream."""
        stream, self._next = self._next, self._next + 2
        lines = {":method": "POST", ":scheme": "http", ":path": call, ":authority": "x", "te": "trailers"}
        lines |= {"content-type": "application/grpc"} | {name.replace("_", "-"): v for name, v in metadata.items()}
        self.send(frame(HEADERS, END_HEADERS, stream, b"".join(header(*line) for line in lines.items())))
        if declared:
            self.send(frame(DATA, 0, stream, b"\0" + struct.pack(">I", declared) + sent))
        return stream

    def receive(self) -> tuple[int, int, int, bytes]:
        """The next frame: kind, flags, stream and payload."""
        head = self._take(9)
        length = int.from_bytes(head[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        return kind, flags, stream, self._take(length)

    def ended(self, stream: int) -> bool:
        """Wait for the server to end a stream; False when it ends the connection."""
        while True:
            kind, flags, of, _ = self.receive()
            if kind == GOAWAY:
                return False
            if of == stream and (kind == RST_STREAM or (kind in (DATA, HEADERS) and flags & END_STREAM)):
                return True

    def _take(self, length: int) -> bytes:
        while len(self._received) < length:
            part = self._socket.recv(65536)
            assert part, "the server hung up"
            self._received += part
        taken, self._received = self._received[:length], self._received[length:]
        return taken
