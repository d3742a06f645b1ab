"""Profiles of what a run scores: one per part, merged to one of the table, a window of its own in monitoring.

Owns: which columns are counted, and merging. Leaves to others: counting (`monitoring.profiles.column_counts`), where
windows of batch runs are kept and compared (`monitoring.profiles.batch_windows`).
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from batch.rows.scorer import DECISIONS, Scored
from configs.dataset import ANSWERED
from configs.feature import Feature
from models.encoding import category_to_code
from models.schema import MISSING_TEXT, Schema
from monitoring.profiles.column_counts import ColumnCounts
from monitoring.profiles.whylogs_compat import DatasetProfileView, serialize

PROBABILITY, DECISION = ANSWERED


class PartProfile:
    """Counts the rows of one part.

    Args:
        schema: of the model.
        model: `<name>:<version>`.
        started_ms: when the run was started, Unix time: the time of its rows.
    """

    def __init__(self, schema: Schema, model: str, started_ms: int) -> None:
        self._features = schema.dataset.features
        self._counts = ColumnCounts(model, time_of(started_ms))
        self._codes: dict[str, NDArray[np.int64]] = {}
        self._decisions = np.zeros(len(DECISIONS), dtype=np.int64)
        self._rows = 0

    def add(self, scored: Scored) -> None:
        """Count the rows of a batch that were scored."""
        if not len(scored.decisions):
            return
        self._rows += len(scored.decisions)
        self._decisions += np.bincount(scored.decisions, minlength=len(DECISIONS))
        self._counts.add_numbers(PROBABILITY, scored.scores.column(PROBABILITY).to_numpy())
        for feature in self._features:
            values = scored.columns.get(feature.name)
            if values is None:
                continue
            if feature.type == "categorical":
                found = np.bincount(values, minlength=len(feature.categories) + 2)
                self._codes[feature.name] = self._codes.get(feature.name, 0) + found
            else:
                self._counts.add_numbers(feature.name, values)

    def content(self) -> bytes:
        """The profile as a whylogs binary; empty where no row was scored. Nothing can be added afterwards."""
        if not self._rows:
            return b""
        for feature in self._features:
            if feature.name in self._codes:
                self._counts.add_texts(feature.name, _texts(feature, self._codes[feature.name]))
        decisions: Mapping[str | None, Any] = dict(zip(DECISIONS, self._decisions.tolist(), strict=True))
        self._counts.add_texts(DECISION, decisions)
        return serialize(self._counts.view())


def merged(contents: Iterable[bytes]) -> bytes:
    """The profile of several parts; empty where all of them are."""
    whole: DatasetProfileView | None = None
    for content in filter(None, contents):
        view = DatasetProfileView.deserialize(content)
        whole = view if whole is None else whole.merge(view)
    return serialize(whole) if whole is not None else b""


def time_of(started_ms: int) -> datetime:
    """The time of the rows of a run, whole seconds.

    >>> time_of(1_700_000_000_123).isoformat()
    '2023-11-14T22:13:20+00:00'
    """
    return datetime.fromtimestamp(started_ms // 1000, UTC)


def _texts(feature: Feature, counts: NDArray[np.int64]) -> dict[str | None, int]:
    """Rows by category, and by None where it is missing."""
    return {
        text if text != MISSING_TEXT else None: int(counts[code]) for text, code in category_to_code(feature).items()
    }
