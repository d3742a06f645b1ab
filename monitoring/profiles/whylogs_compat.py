"""The only door to whylogs 1.6.4, which nobody maintains any more.

Owns: what its import needs, and the names that are used of it. Leaves to others: everything it is used for.

- NumPy 2 has removed `np.unicode_`, which whylogs looks at once (`core/datatypes.py`).
- It reports its use over the network unless WHYLOGS_NO_ANALYTICS is set, to whatever value, when it is imported.
- It imports pandas, scipy and scikit-learn where it finds them, and nothing used here needs them. Held back
  while it is imported: the profiler of a development environment then starts in 2.5 s, not 12, and on the
  same paths as the deployed one, which has none of them.
"""

# mypy: disable-error-code="import-untyped"

import os
import sys

import numpy as np

_HELD_BACK = [name for name in ("pandas", "scipy", "sklearn") if name not in sys.modules]

if not hasattr(np, "unicode_"):
    np.unicode_ = np.str_  # type: ignore[attr-defined]  # noqa: NPY201
os.environ.setdefault("WHYLOGS_NO_ANALYTICS", "1")
sys.modules.update(dict.fromkeys(_HELD_BACK))  # type: ignore[arg-type]  # None there is "no such module"
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
    from whylogs.core.view import ColumnProfileView
    from whylogs.core.view.dataset_profile_view import WHYLOGS_MAGIC_HEADER_BYTES
finally:
    for _name in _HELD_BACK:
        del sys.modules[_name]

__all__ = [
    "WHYLOGS_MAGIC_HEADER_BYTES",
    "ChunkHeader",
    "ChunkMessage",
    "ChunkOffsets",
    "ColumnProfile",
    "ColumnProfileView",
    "ColumnSchema",
    "DatasetProfileHeader",
    "DatasetProfileView",
    "DatasetProperties",
    "DatasetSegmentHeader",
    "MetricConfig",
    "PreprocessedColumn",
    "StandardResolver",
]
