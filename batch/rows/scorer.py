"""The one pure function of batch scoring: a record batch of Arrow in, scores and refused rows out.

Owns the order: decode and validate each column, look at what is not surely valid row by row, one array of codes and
one of numbers, ONNX Runtime, decide. The graph, its threads, the rules, their messages and the thresholds are those of
the service, so a row has the same probability, bit for bit, and is refused with the same words. Reads and writes no
file, and keeps nothing between calls.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import UNSET, Struct, convert
from numpy.typing import NDArray

from batch.rows.applicants import Applicants
from batch.rows.cells import id_of, shown_text
from batch.rows.columns import plain, reader_of
from batch.rows.ids import ids_of
from batch.rows.reasons import TYPE as REASONS
from batch.rows.reasons import ReasonsColumn
from configs.dataset import RESERVED
from models.artifact import Artifact
from models.deciding import APPROVE, DECLINE, REFER, referred
from models.encoding import category_to_code
from models.points import Points
from models.schema import MAX_ID_LENGTH, MISSING_TEXT
from models.spelling import Suggestions
from models.validation import row_faults, shown

CALL_ROWS = 512  # rows per call of ONNX Runtime: beyond, what lies between its nodes no longer fits the cache
REPEATED = pa.dictionary(pa.int8(), pa.string())  # a column of few texts
DECISIONS = (APPROVE, DECLINE, REFER)
REFUSED_SCHEMA = pa.schema({"row": pa.int64(), "field": pa.string(), "value": pa.string(), "message": pa.string()})


class Refusal(NamedTuple):
    """One fault of one row; `field` is None where the row as a whole is at fault."""

    row: int
    field: str | None
    value: str | None
    message: str


class Scored(NamedTuple):
    """What becomes of a batch.

    Attributes:
        scores: a row for each that was scored, in order: `BatchScorer.schema`.
        refusals: every fault of every other row, in order.
        columns: of the rows that were scored, by feature: codes of categories, or numbers with NaN where missing.
        decisions: of the same rows, as places in `DECISIONS`.
    """

    scores: pa.RecordBatch
    refusals: list[Refusal]
    columns: dict[str, NDArray[Any]]
    decisions: NDArray[np.int64]


class BatchScorer:
    """Scores record batches.

    Args:
        artifact: the model.
        run: 32 hexadecimal digits from which ids are made.
        started_ms: Unix time in those ids.
        explain: whether scores have the reasons for what is not approved.

    Attributes:
        schema: of the scores.
    """

    def __init__(self, artifact: Artifact, run: str, started_ms: int, explain: bool = False) -> None:
        schema = artifact.schema
        self._schema, self._tag = schema, artifact.tag
        self._run, self._started_ms = run, started_ms
        self._scorer = artifact.encoded_scorer()
        self._applicants = Applicants(schema)
        self._dialect = self._applicants.dialect
        self._readers = {feature.name: reader_of(feature, self._dialect) for feature in schema.dataset.features}
        codes = ("codes", [feature.name for feature in schema.categorical], np.int64)
        numbers = ("numbers", [feature.name for feature in schema.numeric], np.float32)
        self._inputs = [one for one in (codes, numbers) if one[0] in self._scorer.inputs]
        self._points = Points(schema.dataset.score) if schema.dataset.score else None
        fields = {"row": pa.int64(), RESERVED: pa.string(), "probability": pa.float64(), "decision": REPEATED}
        fields |= {"model": REPEATED} | ({"score": pa.int64()} if self._points else {})
        self._reasons = ReasonsColumn(artifact) if explain else None
        self.schema = pa.schema(fields | ({"reasons": REASONS} if explain else {}))

    def score(self, batch: pa.RecordBatch, numbers: NDArray[np.int64]) -> Scored:
        """Score the rows of a batch, whose numbers in the table are `numbers`, `[rows]`, ascending.

        Columns that are no feature and not `application_id` are ignored.
        """
        if batch.num_rows == 0:
            return Scored(pa.RecordBatch.from_pylist([], self.schema), [], {}, np.zeros(0, dtype=np.int64))
        batch = plain(batch, self._schema.names)
        columns, valid = self._read(batch)
        ids, without = self._ids(batch, valid)
        refusals = self._look(batch, numbers, columns, valid) if not valid.all() else []
        kept = None
        if not valid.all():
            kept = np.flatnonzero(valid)
            columns = {name: values[kept] for name, values in columns.items()}
            numbers, ids = numbers[kept], ids.take(pa.array(kept)) if ids is not None else None
        if len(numbers) and without:
            ids = self._made(ids, numbers)
        probabilities = self._probabilities(columns, len(numbers))
        decisions = self._decide(probabilities, columns)
        made = [
            pa.array(numbers),
            ids if ids is not None else pa.array([], pa.string()),
            pa.array(probabilities),
            pa.DictionaryArray.from_arrays(pa.array(decisions.astype(np.int8)), pa.array(DECISIONS)),
            pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(numbers), dtype=np.int8)), pa.array([self._tag])),
        ]
        if self._points is not None:
            made.append(pa.array(self._points.scores(probabilities), pa.int64()))
        if self._reasons is not None:
            scored = batch if kept is None else batch.take(pa.array(kept))
            approved = decisions == DECISIONS.index(APPROVE)
            made.append(self._reasons.of(self._unless(approved, scored)))
        return Scored(pa.record_batch(made, schema=self.schema), refusals, columns, decisions)

    def _read(self, batch: pa.RecordBatch) -> tuple[dict[str, NDArray[Any]], NDArray[np.bool_]]:
        """The columns as arrays, those that the table lacks as missing, and which rows are surely valid."""
        valid = np.ones(batch.num_rows, dtype=np.bool_)
        columns: dict[str, NDArray[Any]] = {}
        for feature in self._schema.dataset.features:
            place = batch.schema.get_field_index(feature.name)
            if place >= 0:
                columns[feature.name], allowed = self._readers[feature.name].read(batch.column(place))
                valid &= allowed
            elif not feature.protected:  # nullable, else the table would not have been taken
                nothing = pa.nulls(batch.num_rows, pa.string() if feature.type == "categorical" else pa.float64())
                columns[feature.name], _ = self._readers[feature.name].read(nothing)
        return columns, valid

    def _ids(self, batch: pa.RecordBatch, valid: NDArray[np.bool_]) -> tuple[pa.StringArray | None, bool]:
        """The ids, null where there is none, and whether some have to be made; one that is none is not `valid`."""
        place = batch.schema.get_field_index(RESERVED)
        if place < 0:
            return None, True
        column = batch.column(place)
        if not pa.types.is_string(column.type):
            cells = [id_of(cell, self._dialect) for cell in column.to_pylist()]
            valid &= np.array([not isinstance(cell, bytes) for cell in cells], dtype=np.bool_)
            column = pa.array([cell if isinstance(cell, str) else None for cell in cells], pa.string())
        for null in self._dialect.nulls:
            column = pc.if_else(pc.equal(column, null), pa.scalar(None, pa.string()), column)
        short = pc.fill_null(pc.less_equal(pc.utf8_length(column), MAX_ID_LENGTH), True)
        valid &= short.to_numpy(zero_copy_only=False)
        return column, column.null_count > 0

    def _made(self, ids: pa.StringArray | None, numbers: NDArray[np.int64]) -> pa.StringArray:
        """The ids with those made that are missing."""
        first = int(numbers[0])
        made = ids_of(self._run, self._started_ms, first, int(numbers[-1]) - first + 1)
        if len(made) != len(numbers):
            made = made.take(pa.array(numbers - first))
        return made if ids is None else pc.coalesce(ids, made)

    def _look(
        self, batch: pa.RecordBatch, numbers: NDArray[np.int64], columns: dict[str, NDArray[Any]], valid: NDArray[Any]
    ) -> list[Refusal]:
        """Look at the rows that are not surely valid, one by one; put those that are into `columns` and `valid`."""
        places = np.flatnonzero(~valid)
        refusals: list[Refusal] = []
        suggestions = Suggestions(self._schema.names)
        for place, cells in zip(places.tolist(), batch.take(pa.array(places)).to_pylist(), strict=True):
            applicant = self._applicants.values(cells)
            faults = row_faults(self._schema, place, applicant, suggestions)
            for fault in faults:
                value = shown(shown_text(cells.get(fault.field)))
                refusals.append(Refusal(int(numbers[place]), fault.field, value, fault.message))
            if not faults:
                self._put(columns, place, convert(applicant, self._schema.row))
                valid[place] = True
        return refusals

    def _unless(self, left_out: NDArray[np.bool_], batch: pa.RecordBatch) -> Iterator[Struct | None]:
        """The rows of a batch as rows of the schema, None for those that are left out."""
        asked = batch.take(pa.array(np.flatnonzero(~left_out))).to_pylist()
        rows = (self._applicants.row(cells) for cells in asked)
        return (None if out else next(rows) for out in left_out.tolist())

    def _put(self, columns: dict[str, NDArray[Any]], place: int, row: Struct) -> None:
        """Put a row of the schema into the columns."""
        values = self._schema.values_of(self._schema.dataset.features)(row)
        for feature, value in zip(self._schema.dataset.features, values, strict=True):
            if feature.name in columns:
                given = value is not None and value is not UNSET
                if feature.type == "categorical":
                    columns[feature.name][place] = category_to_code(feature)[value if given else MISSING_TEXT]
                else:
                    columns[feature.name][place] = value if given else np.nan

    def _probabilities(self, columns: dict[str, NDArray[Any]], rows: int) -> NDArray[np.float64]:
        """Probabilities of the event, as the doubles that answers hold, `[rows]`."""
        blocks = {}  # a column after the other: to write row by row is slower than to turn a few rows at a time
        for name, features, kind in self._inputs:
            blocks[name] = np.empty((len(features), rows), dtype=kind)
            for index, feature in enumerate(features):
                blocks[name][index] = columns[feature]
        found = np.empty(rows, dtype=np.float64)
        for start in range(0, rows, CALL_ROWS):
            part = slice(start, start + CALL_ROWS)
            feed = {name: np.ascontiguousarray(block[:, part].T) for name, block in blocks.items()}
            found[part] = self._scorer.probabilities(feed)
        return found

    def _decide(self, probabilities: NDArray[np.float64], columns: dict[str, NDArray[Any]]) -> NDArray[np.int64]:
        """Each decision, as its place in `DECISIONS`, `[rows]`."""
        rule = self._scorer.rule
        decisions = (probabilities >= rule.thresholds(columns)).astype(np.int64)
        decisions[referred(probabilities, rule.refer)] = DECISIONS.index(REFER)
        return decisions
