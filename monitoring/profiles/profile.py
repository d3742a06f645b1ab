"""From rows and columns to whylogs profiles.

Owns: which columns a row has, and how values are counted. Leaves to others: which rows belong to one profile (windows),
files and commits (checkpoint), the private parts of whylogs and the bytes of a profile (whylogs_compat).

Texts are counted as whylogs strings and numbers as floats; null, absent and NaN values add to the null count. Columns
reach whylogs sorted by type, because its own type guessing needs pandas: 21 columns cost 3 us per row.
"""

import functools
import operator
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.profiles import whylogs_compat as why
from monitoring.records.lines import LoggedBatch

_NOT_COLUMNS = frozenset({"application_id"})  # identifies one applicant, so its distribution means nothing
_RESOLVER = why.StandardResolver()
_TEXT, _NUMBER, _NULL = (
    why.ColumnSchema(dtype=kind, cfg=why.MetricConfig(), resolver=_RESOLVER) for kind in (str, float, type(None))
)


def to_columns(batches: Sequence[LoggedBatch]) -> dict[str, Sequence[Any]]:
    """Return the columns of some batches: every feature that was sent, the probability and the decision.

    >>> from monitoring.records.lines import SentRow
    >>> time = datetime(2026, 11, 21, tzinfo=UTC)
    >>> fields, rows = ["age", "application_id"], [SentRow("salt", "r-1", [3, "x"])]
    >>> one = LoggedBatch(0, time, "m:1", "", [("http", "a-key", 0.5, "approve")], fields, rows)
    >>> to_columns([one, LoggedBatch(1, time, "m:1", "", [("v2", "a-key", 0.1, "decline")], [], [SentRow("erased")])])
    {'age': [3, None], 'probability': (0.5, 0.1), 'decision': ('approve', 'decline')}
    """
    _, _, probabilities, decisions = zip(*(decided for batch in batches for decided in batch.decided), strict=True)
    columns: dict[str, Sequence[Any]] = {}
    fields = batches[0].fields
    if all(batch.fields == fields for batch in batches):  # an erased row has no values
        columns.update(zip(fields, zip_longest(*(row.values for batch in batches for row in batch.rows)), strict=False))
    else:
        applicants = [dict(zip(batch.fields, row.values, strict=False)) for batch in batches for row in batch.rows]
        for name in sorted(set().union(*applicants)):
            columns[name] = [applicant.get(name) for applicant in applicants]
    for name in _NOT_COLUMNS & columns.keys():
        del columns[name]
    return columns | {"probability": probabilities, "decision": decisions}


class Profile:
    """Builds one whylogs profile.

    Args:
        model: `<name>:<version>`, stored in the profile's metadata.
        time: of the data, such as the start of a window; whylogs keeps milliseconds.
        created: creation time of the profile; the current time by default, which makes the bytes depend on the clock.
    """

    def __init__(self, model: str, time: datetime, created: datetime | None = None) -> None:
        self._metadata = {"model": model}
        self._time = time
        self._created = created or datetime.now(UTC)
        self._columns: dict[tuple[str, int], why.ColumnProfile] = {}

    def add(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """Count one frame; a column may mix types, and each frame may have other columns."""
        for name, values in columns.items():
            texts, others = _split(values)
            floats = np.array(others, dtype=np.float64)  # None becomes NaN; strings would be parsed, hence the split
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
        """Return what has been counted so far, to merge, read or serialize."""
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
        """Count values of one type; the types of a column are counted separately and merged in `view`."""
        key = (name, id(kind))
        if key not in self._columns:
            self._columns[key] = why.ColumnProfile(name, kind, cache_size=1)
        why.count_values(self._columns[key], values)


def _split(values: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    """The texts among some values, and the others.

    >>> _split(("a", 1, None)), _split((1, 2))
    ((['a'], [1, None]), ((), (1, 2)))
    """
    kinds = set(map(type, values))
    if str not in kinds:
        return (), values
    if len(kinds) == 1:
        return list(values), ()
    return [value for value in values if type(value) is str], [value for value in values if type(value) is not str]


def pad_with_nulls(view: why.DatasetProfileView) -> why.DatasetProfileView:
    """Pad every column with nulls to the row count of the longest: a frame without a column had no value in it."""
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
    """Profile a whole table, such as the reference that the windows of a model are compared to.

    Args:
        columns: name to `[rows]` floats, integers or strings, arrays or lists; None and NaN are null.
        model: `<name>:<version>`.
        time: of the data, also used as the creation time, so that the bytes do not depend on the clock.
    """
    profile = Profile(model, time, created=time)
    lists = {name: values.tolist() if isinstance(values, np.ndarray) else values for name, values in columns.items()}
    profile.add(lists)
    return profile.view()
