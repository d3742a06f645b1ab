"""Where the records of a CSV file end: what cuts it into parts that can be read by themselves.

Owns the scan, in arrays: a line feed ends a record unless it is between quotes, so what counts is whether an even or an
odd number of quotes precede it. Leaves cells to Arrow's reader. Blank lines are no records.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from batch.errors import BatchError
from batch.tables.pieces import Piece

QUOTE, FEED, RETURN = ord('"'), ord("\n"), ord("\r")
MOST_PART_BYTES = 64 << 20  # a part of a CSV file is read as a whole


def pieces(blocks: Iterator[bytes], start: int, separator: str, most: int, name: str) -> Iterator[Piece]:
    r"""The records of a file after its header, `most` per piece or fewer.

    Args:
        blocks: what follows the header.
        start: where that is, bytes.
        separator: between cells.
        most: records per piece.
        name: of the file, for errors.

    >>> list(pieces(iter([b'1,"a', b'\nb"\n\n2,c\r\n3,d']), 4, ",", 2, "x.csv"))
    [Piece(start=4, stop=18, rows=2, skip=0), Piece(start=18, stop=21, rows=1, skip=0)]
    """
    scan = _Scan(separator, name)
    begin, offset, records = start, start, 0
    for block in blocks:
        ends, filled = scan.ends(block)
        counts = np.cumsum(filled)  # records up to each end
        done = 0  # of `counts`, already in a piece
        while True:
            by_rows = np.searchsorted(counts, done + most - records)
            at = int(min(by_rows, np.searchsorted(ends, begin + MOST_PART_BYTES - offset)))
            if at >= len(ends):
                break
            stop = offset + int(ends[at])
            yield Piece(begin, stop, records + int(counts[at]) - done)
            begin, records, done = stop, 0, int(counts[at])
        records += (int(counts[-1]) if len(counts) else 0) - done
        offset += len(block)
    records += scan.finish()
    if records:
        yield Piece(begin, offset, records)


class _Scan:
    """The state between blocks."""

    def __init__(self, separator: str, name: str) -> None:
        self._opening = np.array([ord(separator), FEED, RETURN, QUOTE], dtype=np.uint8)
        self._name = name
        self._quotes = self._done = 0  # quotes, and records, so far
        self._last = FEED  # the byte before this block
        self._length = 0  # bytes since the last end of a record, without line ends

    def ends(self, block: bytes) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The offsets after each record of the next block, and which of them are no blank lines."""
        data = np.frombuffer(block, dtype=np.uint8)
        feeds = np.flatnonzero(data == FEED)
        quotes = np.flatnonzero(data == QUOTE)
        if len(quotes) or self._quotes & 1:
            self._check(data, quotes)
            inside = (np.searchsorted(quotes, feeds) + self._quotes) & 1
            feeds = feeds[inside == 0]
            self._quotes += len(quotes)
        ends = feeds + 1
        before = data[np.maximum(feeds - 1, 0)] == RETURN
        before[feeds == 0] = self._last == RETURN
        lengths = np.diff(ends, prepend=-self._length) - 1 - before
        if len(data):
            self._length = len(data) - int(ends[-1]) if len(ends) else self._length + len(data)
            self._last = int(data[-1])
        filled: NDArray[np.bool_] = lengths > 0
        self._done += int(filled.sum())
        return ends, filled

    def finish(self) -> int:
        """The records after the last line feed: one or none."""
        if self._quotes & 1:
            problem = f"a quoted cell that starts after record {self._done} does not end"
            raise BatchError(f"{self._name}: {problem}; fix the quotes there")
        return int(self._length - (self._last == RETURN) > 0)

    def _check(self, data: NDArray[np.uint8], quotes: NDArray[np.int64]) -> None:
        """A quote that opens stands at the start of a cell: else nobody knows what is inside."""
        opening = quotes[self._quotes & 1 :: 2]
        before = data[np.maximum(opening - 1, 0)]
        before[opening == 0] = self._last
        stray = opening[~np.isin(before, self._opening)]
        if len(stray):
            record = self._done + int((data[: stray[0]] == FEED).sum())
            problem = f"a quote within a cell that does not begin with one, near record {record}"
            raise BatchError(f"{self._name}: {problem}; put the cell into quotes, and double those inside")
