"""Decisions with their outcomes.

Owns which decision an outcome belongs to: the newest on its applicant. Leaves to others: reading decisions (decisions),
the names of outcomes (`monitoring.records.outcomes`).
"""

from collections.abc import Sequence

import numpy as np

from monitoring.performance.decisions import NO_HASH, Decisions
from monitoring.performance.measures import Doubles


def events_of(decisions: Decisions, names: Sequence[str], events: Sequence[bool]) -> Doubles:
    """The outcome of each row, `[rows]`: 1, 0, or NaN; of several rows of an applicant the newest has it.

    Args:
        decisions: of the log.
        names: of outcomes in the store.
        events: whether the event happened, for each of the names.
    """
    rows = decisions.rows
    found = np.full(len(rows.time_s), np.nan)
    if not names:
        return found
    hashes = np.fromiter(map(hash, names), dtype=np.int64, count=len(names))
    order = np.argsort(hashes)
    hashes, happened = hashes[order], np.array(events, dtype=np.float64)[order]
    for asked in rows.applicants[::-1]:  # the name by the first key is the one that counts
        place = np.minimum(np.searchsorted(hashes, asked), len(hashes) - 1)
        matches = (hashes[place] == asked) & (asked != NO_HASH)
        found[matches] = happened[place[matches]]
    known = np.flatnonzero(~np.isnan(found))
    newest = known[np.lexsort((rows.time_s[known], rows.applicants[0][known]))]
    same = rows.applicants[0][newest]
    found[newest[:-1][same[:-1] == same[1:]]] = np.nan
    return found
