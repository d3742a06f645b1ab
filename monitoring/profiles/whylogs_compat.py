"""The only module that imports whylogs 1.6.4, which is no longer maintained, or uses a private part of it.

Owns: importing it, counting values without its type guessing, the bytes of a profile, and reading the counts and
sketches of one without all that whylogs makes around them. Leaves to others: which
values are counted (profile).

Its import needs three things:

- NumPy 2 removed `np.unicode_`, which whylogs still uses (`core/datatypes.py`).
- whylogs reports its use over the network unless WHYLOGS_NO_ANALYTICS is set, to any value, when it is imported.
- whylogs imports pandas, scipy and scikit-learn where they are installed, and nothing used here needs them. Hiding them
  during the import starts the profiler of a development environment in 2.5 s instead of 12, and on the same paths as
  the deployed one, where none of them is installed.

Three of its parts are private, and `tests/monitoring/profiles/test_whylogs_compat.py` fails when one changes:

- `ColumnProfile._process_extracted_column`, because the public `track` needs pandas.
- `DatasetProfileView._do_write`, which `serialize` follows, because its bytes differ from process to process.
- `DatasetProfileView._do_read`, which `read_sketches` follows, because it makes a class for each part of each metric:
  20 ms of processor time for a file of 22 columns, instead of 1.
"""

# mypy: disable-error-code="import-untyped"

import io
import os
import sys
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

_HIDDEN = [name for name in ("pandas", "scipy", "sklearn") if name not in sys.modules]

if not hasattr(np, "unicode_"):
    np.unicode_ = np.str_  # type: ignore[attr-defined]  # noqa: NPY201
os.environ.setdefault("WHYLOGS_NO_ANALYTICS", "1")
sys.modules.update(dict.fromkeys(_HIDDEN))  # type: ignore[arg-type]  # None raises ModuleNotFoundError on import
try:
    from whylogs.core import DatasetProfileView
    from whylogs.core.column_profile import ColumnProfile
    from whylogs.core.metrics import MetricConfig
    from whylogs.core.preprocessing import PreprocessedColumn
    from whylogs.core.proto import (
        ChunkHeader,
        ChunkMessage,
        ChunkOffsets,
        DatasetProfileHeader,
        DatasetProperties,
        DatasetSegmentHeader,
    )
    from whylogs.core.resolvers import StandardResolver
    from whylogs.core.schema import ColumnSchema
    from whylogs.core.utils.protobuf_utils import read_delimited_protobuf
    from whylogs.core.view import ColumnProfileView
    from whylogs.core.view.dataset_profile_view import WHYLOGS_MAGIC_HEADER_BYTES
    from whylogs_sketching import frequent_strings_sketch, kll_doubles_sketch
finally:
    for _name in _HIDDEN:
        del sys.modules[_name]

__all__ = [
    "ColumnProfile",
    "ColumnProfileView",
    "ColumnSchema",
    "ColumnSketch",
    "DatasetProfileView",
    "MetricConfig",
    "PreprocessedColumn",
    "StandardResolver",
    "count_values",
    "read_sketches",
    "serialize",
    "sketch_of",
]


class ColumnSketch(NamedTuple):
    """What a profile counts of one column.

    Attributes:
        rows: all of them.
        nulls: rows without a value.
        numbers: quantile sketch (KLL) of the numbers; None if there is none.
        texts: sketch of frequent texts; None if there is none.
    """

    rows: int
    nulls: int
    numbers: Any
    texts: Any


def count_values(column: ColumnProfile, values: PreprocessedColumn) -> None:
    """Add values that are already sorted by type to a column."""
    column._process_extracted_column(values)  # noqa: SLF001 - see the top of the file


def sketch_of(column: ColumnProfileView) -> ColumnSketch:
    """Return what a view counts of one column."""
    counts, numbers, texts = (column.get_metric(name) for name in ("counts", "distribution", "frequent_items"))
    return ColumnSketch(
        int(counts.n.value),
        int(counts.null.value),
        None if numbers is None or numbers.kll.value.is_empty() else numbers.kll.value,
        None if texts is None else texts.frequent_strings.value,
    )


def read_sketches(content: bytes) -> dict[str, ColumnSketch]:
    """Return what a serialized profile counts of each column: `sketch_of` its view, without making the view.

    Follows `DatasetProfileView._do_read` of whylogs 1.6.4.

    Raises:
        ValueError: it is no profile, or ends early.
    """
    if not content.startswith(WHYLOGS_MAGIC_HEADER_BYTES):
        raise ValueError("does not begin as a whylogs profile does")
    try:
        return _read_sketches(content)
    except Exception as error:
        raise ValueError(f"is no whylogs profile ({type(error).__name__}: {error})") from error


def _read_sketches(content: bytes) -> dict[str, ColumnSketch]:
    file, read = io.BytesIO(content[len(WHYLOGS_MAGIC_HEADER_BYTES) :]), {}
    read_delimited_protobuf(file, DatasetSegmentHeader)
    header = read_delimited_protobuf(file, DatasetProfileHeader)
    start, end = file.tell(), file.seek(0, io.SEEK_END)
    if header.length != end - start:
        raise ValueError(f"it has {end - start} bytes of columns instead of {header.length}")
    for name, place in header.column_offsets.items():
        parts: dict[str, Any] = {}
        for offset in place.offsets:
            file.seek(start + offset)
            chunk = ChunkMessage()
            chunk.ParseFromString(file.read(read_delimited_protobuf(file, ChunkHeader).length))
            parts |= {header.indexed_metric_paths[path]: part for path, part in chunk.metric_components.items()}
        numbers, texts = parts.get("distribution/kll"), parts.get("frequent_items/frequent_strings")
        sketch = None if numbers is None else kll_doubles_sketch.deserialize(numbers.kll.sketch)
        read[name] = ColumnSketch(
            parts["counts/n"].n,
            parts["counts/null"].n,
            None if sketch is None or sketch.is_empty() else sketch,
            None if texts is None else frequent_strings_sketch.deserialize(texts.frequent_items.sketch),
        )
    return read


def serialize(view: DatasetProfileView) -> bytes:
    """Serialize a profile as whylogs does, except that equal views give equal bytes.

    Follows `DatasetProfileView._do_write` of whylogs 1.6.4, where the order of maps differs from process to process.
    """
    columns = {name: column.to_protobuf().metric_components for name, column in sorted(view.get_columns().items())}
    paths = sorted({path for components in columns.values() for path in components})
    chunks, offsets = io.BytesIO(), {}
    for name, components in columns.items():
        offsets[name] = ChunkOffsets(offsets=[chunks.tell()])
        chunk = ChunkMessage(metric_components={paths.index(path): part for path, part in components.items()})
        content = chunk.SerializeToString(deterministic=True)
        _write_delimited(chunks, ChunkHeader(type=ChunkHeader.ChunkType.COLUMN, length=len(content)))
        chunks.write(content)
    properties = DatasetProperties(
        dataset_timestamp=_milliseconds(view.dataset_timestamp),
        creation_timestamp=_milliseconds(view.creation_timestamp),
        metadata=view.metadata,
    )
    file = io.BytesIO()
    file.write(WHYLOGS_MAGIC_HEADER_BYTES)
    _write_delimited(file, DatasetSegmentHeader(has_segments=False))
    header = DatasetProfileHeader(
        column_offsets=offsets,
        properties=properties,
        length=chunks.tell(),
        indexed_metric_paths=dict(enumerate(paths)),
    )
    _write_delimited(file, header)
    return file.getvalue() + chunks.getvalue()


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def _write_delimited(file: io.BytesIO, message: Any) -> None:
    """Write a protobuf message after its length, a varint."""
    content = message.SerializeToString(deterministic=True)
    length = len(content)
    while length > 0x7F:
        file.write(bytes([length & 0x7F | 0x80]))
        length >>= 7
    file.write(bytes([length]) + content)
