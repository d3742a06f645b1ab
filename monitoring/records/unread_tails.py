"""What a searching process has read beyond the filters: the newest part of the log, each row of it decoded once.

Owns: how much is remembered. Leaves to others: the filters (id_filter), the search (lookup).

Only hashes of ids are kept, 64 bytes each. A filter that has caught up makes the memory of its segment void, so there
is one of `TAIL_BYTES` per open segment (id_indexing). Where nobody makes filters, memory is bounded, and what does not
fit is read anew by each search.
"""

import time
from pathlib import Path

from configs.dataset import RESERVED
from monitoring.records.log_keys import LogKeys
from monitoring.records.segments import read, size_bytes

MAX_REMEMBERED = 200_000  # ids, in all segments together: 13 MB


class _Tail:
    """The ids of a segment between two offsets."""

    def __init__(self, start: int) -> None:
        self.start = self.end = start
        self.hashes: set[int] = set()


class UnreadTails:
    """The remembered tails of one process; for one thread.

    Args:
        keys: of the log.
    """

    def __init__(self, keys: LogKeys) -> None:
        self._keys = keys
        self._tails: dict[str, _Tail] = {}
        self.decoded_rows = 0

    def may_hold(self, segment: Path, start: int, application_id: str, deadline_s: float) -> bool:
        """Return whether a segment may hold an id after byte `start`; False is certain.

        Raises:
            KeyMissing: the segment is encrypted with another key.
            TimeoutError: the deadline, by `time.monotonic`, has passed.
        """
        tail = self._tails.get(segment.name)
        if tail is None or tail.start != start or tail.end > size_bytes(segment):
            tail = self._tails[segment.name] = _Tail(start)
        room = MAX_REMEMBERED - sum(len(other.hashes) for other in self._tails.values())
        if room <= 0:
            return True
        for batch, end in read(segment, tail.end, self._keys):
            if time.monotonic() > deadline_s:
                raise TimeoutError
            tail.hashes.update(hash(one) for row in batch.rows if (one := row.applicant.get(RESERVED)))
            tail.end = end
            self.decoded_rows += len(batch.rows)
            room -= len(batch.rows)
            if room <= 0:
                return True
        return hash(application_id) in tail.hashes

    def keep(self, names: set[str]) -> None:
        """Forget every segment but those of these names."""
        for name in self._tails.keys() - names:
            del self._tails[name]
