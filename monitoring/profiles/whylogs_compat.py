"""The only module that imports whylogs 1.6.4, which is no longer maintained, or uses a private part of it.

Owns: importing it, counting values without its type guessing, and the bytes of a profile. Leaves to others: which
values are counted (profile).

Its import needs three things:

- NumPy 2 removed `np.unicode_`, which whylogs still uses (`core/datatypes.py`).
- whylogs reports its use over the network unless WHYLOGS_NO_ANALYTICS is set, to any value, when it is imported.
- whylogs imports pandas, scipy and scikit-learn where they are installed, and nothing used here needs them. Hiding them
  during the import starts the profiler of a development environment in 2.5 s instead of 12, and on the same paths as
  the deployed one, where none of them is installed.

Three of its parts are private or replaced; `tests/monitoring/profiles/test_whylogs_compat.py` fails when one changes:

- `ColumnProfile._process_extracted_column`, because the public `track` needs pandas.
- `DatasetProfileView._do_write`, which `serialize` follows, because its bytes differ from process to process.
- `MetricComponent.from_protobuf`, which makes a class for each of the 340 parts of a profile that it reads: with one
  class per kind of part, 21 columns are read in 4 ms instead of 15.
"""

# mypy: disable-error-code="import-untyped"

import io
import os
import sys
from datetime import datetime
from typing import Any

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
    from whylogs.core.metrics.metric_components import MetricComponent
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
    from whylogs.core.view import ColumnProfileView
    from whylogs.core.view.dataset_profile_view import WHYLOGS_MAGIC_HEADER_BYTES
finally:
    for _name in _HIDDEN:
        del sys.modules[_name]

__all__ = [
    "ColumnProfile",
    "ColumnProfileView",
    "ColumnSchema",
    "DatasetProfileView",
    "MetricConfig",
    "PreprocessedColumn",
    "StandardResolver",
    "count_values",
    "serialize",
]


_read_component = MetricComponent.from_protobuf.__func__
_kinds: dict[tuple[str, int], type[MetricComponent]] = {}  # of parts, the class that whylogs made of the first one


def _component(cls: type[MetricComponent], msg: Any, registries: Any = None) -> MetricComponent:
    """Read a part of a metric as whylogs does, in the class of the parts of its kind."""
    kind = _kinds.get((msg.WhichOneof("value"), msg.type_id)) if registries is None else None
    if kind is None:
        component = _read_component(cls, msg, registries)
        if registries is None:
            _kinds[msg.WhichOneof("value"), msg.type_id] = type(component)
        return component
    component = kind(value=None)
    component.set(component._deserializer(msg=msg))  # noqa: SLF001 - see the top of the file
    return component


MetricComponent.from_protobuf = classmethod(_component)


def count_values(column: ColumnProfile, values: PreprocessedColumn) -> None:
    """Add values that are already sorted by type to a column."""
    column._process_extracted_column(values)  # noqa: SLF001 - see the top of the file


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
