"""Counts the decisions of audited groups beside the profiles and in the same commit.

Owns: what is counted. Leaves to others: which groups there are (audits), keeping the counts (checkpoint). The profiler
does this in its own process, so that nothing of it is in the path of a request.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from monitoring.records.audits import group_finder, read_audits
from monitoring.records.checkpoint import GroupCount


class GroupDecisions:
    """The counts of one commit.

    Args:
        directory: that holds the records.
    """

    def __init__(self, directory: Path) -> None:
        self._counts: Counter[tuple[str, str, str, str]] = Counter()
        self._finders = cache(lambda model: _finders(directory, model))

    def add(self, model: str, columns: Mapping[str, Sequence[Any]]) -> None:
        """Count the rows of one frame; a row without the column of an audit is in none of its groups."""
        for column, find in self._finders(model).items():
            pairs = Counter(zip(columns.get(column, ()), columns["decision"], strict=False))
            for (value, decision), number in pairs.items():
                if group := find(value):
                    self._counts[model, column, group, decision] += number

    def added_to(self, before: Mapping[str, int]) -> dict[str, int]:
        """The counts so far, of `GroupCount.key`, with those of this commit."""
        total = Counter(before)
        total.update({GroupCount(*key).key: number for key, number in self._counts.items()})
        return dict(total)


def _finders(directory: Path, model: str) -> dict[str, Callable[[Any], str]]:
    return {audit.column: group_finder(audit) for audit in read_audits(directory, model)}
