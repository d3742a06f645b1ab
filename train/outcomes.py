"""The outcomes of a table: in which rows the event happened, in which it did not, and which rows count for neither.

Owns the reading of the target column. An outcome that is neither the event nor known as a non-event stops the pipeline:
`YES` beside `yes` would otherwise count as its opposite, and nobody would be told. Leaves the other columns to
`train.check`.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.dataset import Target
from models.spelling import difference, nearest
from train.errors import Faults, TableError
from train.tables.parquet_file import text_of
from train.tables.reader import TableChunk

MAX_LINES = 5  # per value in a message
MAX_VALUES = 20  # values that a message lists


class Outcomes:
    """Collects the target column chunk by chunk.

    Args:
        target: the column, its event, and what the other values mean.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._codes: dict[str, int] = {}
        self._rows = [np.zeros(0, dtype=np.int64)]
        self._first: dict[str, list[str]] = {}  # where each value is found first
        self._counts: dict[str, int] = {}

    def add(self, chunk: TableChunk, faults: Faults) -> None:
        """Take in the rows of a chunk; a missing outcome is a fault, unless such rows are excluded."""
        texts = [text_of(cell) for cell in chunk.columns[self._target.column]]
        column, excluded = self._target.column, "" in self._target.exclude
        for line, text in zip(chunk.lines, texts, strict=True):
            self._counts[text] = self._counts.get(text, 0) + 1
            first = self._first.setdefault(text, [])
            if len(first) < MAX_LINES:
                first.append(f"{chunk.where}{line}")
            if text == "" and not excluded:
                faults.add(f"{chunk.where}line {line}, column {column!r}: the outcome is missing")
        codes = [self._codes.setdefault(text, len(self._codes)) for text in texts]
        self._rows.append(np.array(codes, dtype=np.int64))

    def settle(self, path: Path) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Whether the event happened `[rows]`, 0 or 1, and which rows count `[rows]`.

        Raises `TableError` for a value that is neither.
        """
        target = self._target
        if not self._counts:
            raise TableError(path, ["has a header and no rows"])
        if target.event not in self._counts:
            raise TableError(path, [self._no_event()])
        if strays := self._strays():
            raise TableError(path, self._stray_faults(strays))
        codes = np.concatenate(self._rows)
        happened = (codes == self._codes[target.event]).astype(np.int64)
        return happened, ~np.isin(codes, [self._codes[value] for value in target.exclude if value in self._codes])

    def _no_event(self) -> str:
        event = self._target.event
        near = nearest(event, self._counts)
        known = ", ".join(repr(value) for value in sorted(self._counts)[:5])
        problem = f"column {self._target.column!r} never takes the event {event!r}, only {known}"
        if near is not None:
            problem += f"; {near!r} differs from it in {difference(near, event)}"
        return f"{problem}; fix target.event"

    def _strays(self) -> list[str]:
        """The values that are neither the event, nor known as a non-event, nor excluded; the most common first."""
        target = self._target
        others = [value for value in self._counts if value and value not in (target.event, *target.exclude)]
        if target.non_event:
            strays = [value for value in others if value not in target.non_event]
        else:  # one other value is plain, unless it is the event spelled otherwise
            strays = others if len(others) > 1 or nearest(target.event, others) is not None else []
        return sorted(strays, key=lambda value: -self._counts[value])

    def _stray_faults(self, strays: list[str]) -> list[str]:
        target = self._target
        looks_like = {value: near for value in strays if (near := self._original(value, strays)) is not None}
        named = ", ".join(map(repr, target.non_event))
        values = f"{len(strays):,} {'values' if len(strays) > 1 else 'value'}"
        problem = f"column {target.column!r} takes {values} beside the event {target.event!r}"
        if named:
            problem += f" and {named}, which target.non_event lists"
        elif len(strays) > 1:
            problem += ", and target.non_event does not say which mean that it did not happen"
        else:
            problem += ", which looks like it"
        plain = [value for value in strays if value not in looks_like]
        faults = []
        for value in strays[:MAX_VALUES]:
            where = ", ".join(self._first[value])
            more = ", …" if self._counts[value] > MAX_LINES else ""
            spelled = ""
            if value in looks_like:
                near = looks_like[value]
                spelled = f"; it differs from {near!r} in {difference(value, near)}"
            faults.append(f"{value!r} in {self._counts[value]:,} rows, lines {where}{more}{spelled}")
        if len(strays) > MAX_VALUES:
            faults.append(f"and {len(strays) - MAX_VALUES:,} other values")
        remedies = ["spell alike what means the same"] if looks_like else []
        listed = ", ".join(_yaml(value) for value in (*target.non_event, *plain)[:MAX_VALUES])
        if plain or not looks_like:
            remedies.append(f"name what means that the event did not happen, as in non_event: [{listed}] under target")
        remedies.append("name the values of rows to leave out in exclude")
        return [f"{problem}:", *faults, "in the dataset file or the table, " + "; or ".join(remedies)]

    def _original(self, value: str, strays: list[str]) -> str | None:
        """The value that this one looks like: the event, a non-event, or a more common one."""
        known = (self._target.event, *self._target.non_event)
        commoner = [other for other in strays if self._counts[other] > self._counts[value]]
        return nearest(value, known) or nearest(value, commoner)


def enough_of_each(path: Path, target: Target, happened: NDArray[np.int64], min_rows: int) -> None:
    """Raise `TableError` where one of the outcomes has fewer than `min_rows` of the rows that count."""
    events, rows = int(happened.sum()), len(happened)
    if events == rows:
        raise TableError(path, [f"column {target.column!r} is always {target.event!r}; training needs both outcomes"])
    if min(events, rows - events) < min_rows:
        counts = f"{events} rows with the event and {rows - events} without"
        raise TableError(path, [f"{counts}; at least {min_rows} of each are needed"])


def _yaml(value: Any) -> str:
    """A text as an element of a list in YAML."""
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
