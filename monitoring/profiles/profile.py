"""Rows and columns into whylogs profiles.

Owns: which columns a row has, how values are counted, what a profile's bytes are. Leaves to others: which rows
belong to one profile (windows), files and commits (checkpoint).

Strings become whylogs strings, numbers floats, and null, absent or NaN adds to the null count. Columns go into
whylogs already sorted by kind, past its own guessing, which would need pandas: 21 columns cost 3 us a row.
"""

import functools
import operator
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.profiles import whylogs_compat as why
from monitoring.records.lines import Row

_NOT_COLUMNS = frozenset({"application_id"})  # names one applicant, so it says nothing of a window
_RESOLVER = why.StandardResolver()
_TEXT, _NUMBER, _NULL = (
    why.ColumnSchema(dtype=kind, cfg=why.MetricConfig(), resolver=_RESOLVER) for kind in (str, float, type(None))
)


def to_columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Turn rows into columns: every feature that was sent, and what was answered.

    >>> to_columns([Row("http", 0.5, "approve", {"age": 3, "application_id": "x"}), Row("v2", 0.1, "decline", {})])
    {'age': [3, None], 'probability': [0.5, 0.1], 'decision': ['approve', 'decline']}
    """
    applicants = [row.applicant for row in rows]
    names = sorted(set().union(*applicants) - _NOT_COLUMNS)
    columns = {name: [applicant.get(name) for applicant in applicants] for name in names}
    columns["probability"] = [row.probability for row in rows]
    columns["decision"] = [row.decision for row in rows]
    return columns


class Profile:
    """A whylogs profile being filled.

    Args:
        model: `<name>:<version>`, put into the profile's metadata.
        time: of the data, as a window's start; kept by whylogs in milliseconds.
        created: when the profile was begun; now unless the bytes must not depend on it.
    """

    def __init__(self, model: str, time: datetime, created: datetime | None = None) -> None:
        self._metadata = {"model": model}
        self._time = time
        self._created = created or datetime.now(UTC)
        self._columns: dict[tuple[str, int], why.ColumnProfile] = {}

    def add(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """Count one frame; its columns may be of mixed kinds, and differ from those of the last."""
        for name, values in columns.items():
            texts = [value for value in values if type(value) is str]
            others = [value for value in values if type(value) is not str] if len(texts) < len(values) else []
            floats = np.array(others, dtype=np.float64)  # None becomes NaN; strings, which would be parsed, are out
            floats = floats[~np.isnan(floats)]
            if texts:
                text = why.PreprocessedColumn()
                text.list.strings, text.len = texts, len(texts)
                self._count(name, _TEXT, text)
            if len(floats):
                number = why.PreprocessedColumn()
                number.numpy.floats, number.len = floats, len(floats)
                self._count(name, _NUMBER, number)
            if len(others) > len(floats):
                null = why.PreprocessedColumn()
                null.null_count = null.len = len(others) - len(floats)
                self._count(name, _NULL, null)

    def view(self) -> why.DatasetProfileView:
        """Give what has been counted, for merging, reading or serializing."""
        kinds: dict[str, list[why.ColumnProfileView]] = {}
        for (name, _), column in self._columns.items():
            kinds.setdefault(name, []).append(column.view())
        return why.DatasetProfileView(
            columns={name: functools.reduce(operator.add, views) for name, views in kinds.items()},
            dataset_timestamp=self._time,
            creation_timestamp=self._created,
            metadata=dict(self._metadata),
        )

    def _count(self, name: str, kind: why.ColumnSchema, values: why.PreprocessedColumn) -> None:
        """Count values of one kind; the kinds of a column are counted apart, and put together in `view`."""
        key = (name, id(kind))
        if key not in self._columns:
            self._columns[key] = why.ColumnProfile(name, kind, cache_size=1)
        why.count_values(self._columns[key], values)


def pad_with_nulls(view: why.DatasetProfileView) -> why.DatasetProfileView:
    """Give every column as many rows as the longest; where a frame had no such column, its rows had none either."""
    rows = {name: column.get_metric("counts").n.value for name, column in view.get_columns().items()}
    nulls = Profile("", view.dataset_timestamp)
    for name, number in rows.items():
        nulls.add({name: [None] * (max(rows.values()) - number)})
    columns = nulls.view().get_columns()
    return why.DatasetProfileView(
        columns={
            name: column + columns[name] if name in columns else column for name, column in view.get_columns().items()
        },
        dataset_timestamp=view.dataset_timestamp,
        creation_timestamp=view.creation_timestamp,
        metadata=view.metadata,
    )


def profile_columns(
    columns: Mapping[str, Sequence[Any] | NDArray[Any]], model: str, time: datetime
) -> why.DatasetProfileView:
    """Profile a whole table, such as the reference that the windows of a model are compared with.

    Args:
        columns: name to `[rows]` floats, integers or strings, arrays or lists; None and NaN are null.
        model: `<name>:<version>`.
        time: of the data; the profile's creation time too, so that it does not depend on the clock.
    """
    profile = Profile(model, time, created=time)
    lists = {name: values.tolist() if isinstance(values, np.ndarray) else values for name, values in columns.items()}
    profile.add(lists)
    return profile.view()
