"""The columns of an archive: their names and types, and the table of some lines of a segment.

Owns: which column a value is in. Leaves to others: files (archive), and what an erased row is (commitments).

A feature is a column of doubles if all its values in the segment are numbers, otherwise of texts; a feature without any
value has no column. A column has the name of its feature, with `applicant.` before it where that name is one of ours:
`column_of`. The first row of each line has the whole line in the column `line`, from which all others can be made
again: they are for reading, and it is what proves them.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from monitoring.records.lines import Batch, Row, decode_batch

_EARLIER_LEADING = {
    "time": pa.timestamp("us", "UTC"),
    "model": pa.string(),
    "protocol": pa.string(),
    "application_id": pa.string(),
    "probability": pa.float64(),
    "decision": pa.string(),
}
LEADING = _EARLIER_LEADING | {"caller": pa.string(), "request_id": pa.string()}
_EARLIER_TRAILING = {
    "segment": pa.string(),
    "sequence": pa.int64(),
}  # the origin of the row: file, number there
TRAILING = _EARLIER_TRAILING | {"line": pa.string()}
_EARLIER_OURS = frozenset((*_EARLIER_LEADING, *_EARLIER_TRAILING))
_OURS = frozenset((*LEADING, *TRAILING))
_PREFIX = "applicant."
FORMAT, HEAD, SEAL = b"credit_scorer.format", b"credit_scorer.head", b"credit_scorer.seal"  # of the file's metadata


def ours(schema: Any) -> frozenset[str]:
    """The columns of an archive that are not features; those of an earlier version are fewer."""
    return _OURS if FORMAT in (schema.metadata or {}) else _EARLIER_OURS


def schema_of(features: dict[str, Any], head: bytes, seal: bytes) -> Any:
    """The schema of a new archive: its features with their types, and the head and the seal of its segment."""
    columns = LEADING | {column_of(feature): kind for feature, kind in features.items()} | TRAILING
    return pa.schema(columns, metadata={FORMAT: b"2", HEAD: head, SEAL: seal})


def column_of(feature: str) -> str:
    """The column of a feature. Only names that end up as one of ours get a prefix, so no two features share a column.

    >>> column_of("income"), column_of("applicant.income"), column_of("time"), column_of("applicant.time")
    ('income', 'applicant.income', 'applicant.time', 'applicant.applicant.time')
    """
    return f"{_PREFIX}{feature}" if _ends_as_ours(feature) else feature


def feature_of(column: str, ours: frozenset[str] = _OURS) -> str:
    """The feature whose column this is: `column_of` backwards.

    >>> feature_of("applicant.income"), feature_of("applicant.applicant.time")
    ('applicant.income', 'applicant.time')
    """
    return column.removeprefix(_PREFIX) if _ends_as_ours(column, ours) else column


def _ends_as_ours(name: str, ours: frozenset[str] = _OURS) -> bool:
    """Whether nothing but the name of one of our columns is left without the prefixes."""
    while name.startswith(_PREFIX):
        name = name.removeprefix(_PREFIX)
    return name in ours


def features_of(batches: Iterable[Batch]) -> dict[str, Any]:
    """Return the features that have values and the type of each column, in order of appearance."""
    kinds: dict[str, set[type]] = {}
    for batch in batches:
        for row in batch.rows:
            for name, value in row.applicant.items():
                if value is not None and name != "application_id":
                    kinds.setdefault(name, set()).add(type(value))
    return {name: pa.float64() if types <= {int, float} else pa.string() for name, types in kinds.items()}


def table_of(payloads: Sequence[bytes], segment: str, schema: Any) -> Any:
    """The table of the rows of some lines, given as JSON."""
    group: list[tuple[Batch, int, Row, bytes | None]] = []
    for payload in payloads:
        logged = decode_batch(payload)
        if logged is None:
            raise ValueError("is not a line of rows")
        batch = logged.to_batch()
        line = [payload, *[None] * (len(batch.rows) - 1)]
        group += [(batch, batch.sequence + at, row, line[at]) for at, row in enumerate(batch.rows)]
    applicants = [row.applicant for _, _, row, _ in group]
    columns: dict[str, list[Any]] = {
        "time": [batch.time for batch, *_ in group],
        "model": [batch.model for batch, *_ in group],
        "protocol": [row.protocol for _, _, row, _ in group],
        "application_id": [applicant.get("application_id") for applicant in applicants],
        "probability": [row.probability for _, _, row, _ in group],
        "decision": [row.decision for _, _, row, _ in group],
        "caller": [row.caller or None for _, _, row, _ in group],
        "request_id": [row.request_id or None for _, _, row, _ in group],
        "segment": [segment] * len(group),
        "sequence": [number for _, number, _, _ in group],
        "line": [None if line is None else line.decode() for *_, line in group],
    }
    for field in schema:
        if field.name not in columns:
            name = feature_of(field.name)
            cast: Callable[[Any], Any] = float if field.type == pa.float64() else _text
            values = (applicant.get(name) for applicant in applicants)
            columns[field.name] = [None if value is None else cast(value) for value in values]
    arrays = [pa.array(columns[field.name], type=field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
