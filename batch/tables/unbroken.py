"""A file as Arrow's CSV reader can read it in blocks: UTF-8, and no block ends between the two bytes of a line end.

Owns both. Arrow leaves out a line feed at the start of a block where the block before ended with a carriage return,
within quotes too, where it belongs to the cell (its `CSVBufferIterator`).
"""

import codecs
from typing import Any

RETURN = b"\r"


class Unbroken:
    """Reads a file of another encoding as UTF-8, with blocks that do not end with a carriage return.

    Args:
        file: to read from, in bytes.
        encoding: of it, as `codecs.lookup` names it.
    """

    closed = False

    def __init__(self, file: Any, encoding: str) -> None:
        self._file, self._held = file, b""
        self._decode = None if encoding == "utf-8" else codecs.getincrementaldecoder(encoding)().decode

    def read(self, size: int) -> bytes:
        r"""Up to `size` bytes; none at the end.

        >>> import io
        >>> file = Unbroken(io.BytesIO(b"ab\r\ncd\r"), "utf-8")
        >>> [file.read(3) for _ in range(5)]
        [b'ab', b'\r\nc', b'd', b'\r', b'']
        """
        while len(self._held) < size and (read := bytes(self._file.read(size - len(self._held)))):
            self._held += read if self._decode is None else self._decode(read).encode()
        taken = self._held[:size]
        if taken.endswith(RETURN) and len(taken) > 1:
            taken = taken[:-1]
        self._held = self._held[len(taken) :]
        return taken

    def readable(self) -> bool:
        """Whether it can be read."""
        return True

    def close(self) -> None:
        """Leave the file to whoever opened it."""
