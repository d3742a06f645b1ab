"""Profiles of whole columns: what `monitoring.profiles.profile` counts row by row, from arrays and counts.

Owns: how a column of numbers, or the number of rows of each category, becomes what whylogs counts of it. Leaves to
others: the bytes of a profile (whylogs_compat), which rows they are (`batch`).

whylogs takes 0.3 us for each text that it counts one by one. A category is counted once here, and its sketches are told
how often: equal counts, by a method that they have for that.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.profiles import whylogs_compat as why
from monitoring.profiles.profile import Profile

_NUMBER, _NULL = (
    why.ColumnSchema(dtype=kind, cfg=why.MetricConfig(), resolver=why.StandardResolver())
    for kind in (float, type(None))
)


class ColumnCounts:
    """Builds one profile from columns.

    Args:
        model: `<name>:<version>`.
        time: of the data; also the creation time, so that the bytes do not depend on the clock.
    """

    def __init__(self, model: str, time: datetime) -> None:
        self._model, self._time = model, time
        self._numbers: dict[str, why.ColumnProfile] = {}
        self._texts: dict[str, dict[str, int]] = {}
        self._nulls: dict[str, int] = {}

    def add_numbers(self, name: str, values: NDArray[np.float64]) -> None:
        """Count numbers, `[rows]`, NaN where missing."""
        missing = np.isnan(values)
        if nulls := int(missing.sum()):
            self._nulls[name] = self._nulls.get(name, 0) + nulls
            values = values[~missing]
        if len(values):
            if name not in self._numbers:
                self._numbers[name] = why.ColumnProfile(name, _NUMBER, cache_size=1)
            counted = why.PreprocessedColumn()
            counted.numpy.floats, counted.len = values, len(values)
            why.count_values(self._numbers[name], counted)

    def add_texts(self, name: str, rows: Mapping[str | None, int]) -> None:
        """Count rows by their text, None where it is missing."""
        for text, number in rows.items():
            if number and text is None:
                self._nulls[name] = self._nulls.get(name, 0) + number
            elif number and text is not None:
                counts = self._texts.setdefault(name, {})
                counts[text] = counts.get(text, 0) + number

    def view(self) -> why.DatasetProfileView:
        """What has been counted."""
        once = Profile(self._model, self._time, created=self._time)
        once.add({name: list(counts) for name, counts in self._texts.items()})
        columns: dict[str, Any] = once.view().get_columns()
        for name, counts in self._texts.items():
            _weigh(columns[name], counts)
        columns |= {name: column.view() for name, column in self._numbers.items()}
        for name, nulls in self._nulls.items():
            missing = _missing(name, nulls)
            columns[name] = columns[name] + missing if name in columns else missing
        return why.DatasetProfileView(
            columns=columns,
            dataset_timestamp=self._time,
            creation_timestamp=self._time,
            metadata={"model": self._model},
        )


def _missing(name: str, nulls: int) -> why.ColumnProfileView:
    """A column without values."""
    column, counted = why.ColumnProfile(name, _NULL, cache_size=1), why.PreprocessedColumn()
    counted.null_count = counted.len = nulls
    why.count_values(column, counted)
    return column.view()


def _weigh(column: why.ColumnProfileView, counts: Mapping[str, int]) -> None:
    """Have a column in which each text is counted once count each as often as it is there."""
    total = sum(counts.values())
    column.get_metric("counts").n.set(total)
    column.get_metric("types").string.set(total)
    items = column.get_metric("frequent_items")
    for text, number in counts.items():
        if number > 1:
            items.frequent_strings.value.update(text[: items.max_frequent_item_size], number - 1)
