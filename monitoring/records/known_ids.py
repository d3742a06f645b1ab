"""Which of many applicants have a decision in the log.

Owns: the question for thousands of ids at once. Leaves to others: the filters of ids (id_filter), what they do not
cover yet (unread_tails), the decision itself (lookup).

Answers from the filters alone, 10 ms per file and 10,000 ids, so an id without a decision is taken for a known one with
a chance of the rows of the log / 2^32: one in 4,000 for a million rows. An archive whose filter is missing, which is so
between an erasure and the next search, is taken to hold every id: nobody is told that a decision does not exist because
of that.
"""

from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path

from monitoring.records.cipher import KeyMissing
from monitoring.records.id_filter import IdFilter, filter_path, fingerprints, read_filter
from monitoring.records.log_keys import NO_KEYS, LogKeys
from monitoring.records.segments import archives, segments, size_bytes
from monitoring.records.unread_tails import UnreadTails


class KnownIds:
    """Asks one log again and again; for one thread.

    Args:
        directory: that holds the records.
        keys: of the log; segments whose key is missing are passed over.
    """

    def __init__(self, directory: Path, keys: LogKeys = NO_KEYS) -> None:
        self._directory, self._keys = directory, keys
        self._filters: dict[str, IdFilter] = {}
        self._tails = UnreadTails(keys)

    def without_decision(self, application_ids: Sequence[str], deadline_s: float = float("inf")) -> list[str]:
        """Return those ids that have no decision, in order, each once.

        Args:
            application_ids: to look for.
            deadline_s: time by `time.monotonic` at which the search is aborted.

        Raises:
            TimeoutError: the deadline has passed.
        """
        before, self._filters = self._filters, {}
        left = dict.fromkeys(application_ids)
        logged = segments(self._directory)
        self._tails.keep({segment.name for segment in logged})
        for file in (*reversed(logged), *reversed(archives(self._directory))):  # outcomes are of the newest, if early
            if not left:
                break
            known = read_filter(filter_path(self._directory, file), self._keys, before.get(file.stem))
            if known is not None:
                self._filters[file.stem] = known
            for one in self._found(file, known, list(left), deadline_s):
                del left[one]
        return list(left)

    def _found(self, file: Path, known: IdFilter | None, asked: Sequence[str], deadline_s: float) -> list[str]:
        """Those ids that a file may hold."""
        if file.suffix == ".parquet":
            return _covered(known, asked) if known is not None and known.head.complete else list(asked)
        if known is not None and known.head.covered > size_bytes(file):
            known = None  # of another file of this name
        found = _covered(known, asked) if known is not None else []
        start = known.head.covered if known is not None else 0
        try:
            rest = set(asked).difference(found)
            return found + [one for one in rest if self._tails.may_hold(file, start, one, deadline_s)]
        except KeyMissing:
            return found


def _covered(known: IdFilter, asked: Sequence[str]) -> list[str]:
    """Those ids whose fingerprint is in a filter; all of them if it has been replaced meanwhile."""
    try:
        kept = known.fingerprints()
    except (OSError, TypeError):
        return list(asked)
    wanted = memoryview(fingerprints(asked, known.secret)).cast("I")
    return [
        one
        for one, number in zip(asked, wanted, strict=True)
        if (place := bisect_left(kept, number)) < len(kept) and kept[place] == number
    ]
