"""The rows that a model was trained on, so that a later one can be compared with it on rows that neither saw.

Owns `seen_rows.bin`: the upper 32 bits of the fingerprint of each training row, sorted, little-endian. Four bytes tell
nobody's values; who has a whole record can ask whether it is among them, and is wrong for one in 4,000 of a million.
With `source.group` the file has as many bits of each customer too: a new row of a customer that the model has learned
from is none that it has not seen.
"""

import numpy as np
from numpy.typing import NDArray

from models import artifact
from models.artifact import Artifact
from train.evaluation.fingerprints import Prints, fingerprints
from train.tables.table import Table

Seen = NDArray[np.uint32]


def encode(training: Table) -> bytes:
    """The content of the file for a training part."""
    prints = [_short(fingerprints(training.columns, [*training.columns])), _customers(training)]
    return np.unique(np.concatenate(prints)).astype("<u4").tobytes()


def unseen(champion: Artifact, table: Table) -> NDArray[np.bool_] | None:
    """Which rows `[rows]` the champion was not trained on; None where it does not say, or has columns that are gone."""
    names = [feature.name for feature in champion.schema.dataset.features]
    content = _content(champion)
    if content is None or any(name not in table.columns for name in names):
        return None
    seen = np.frombuffer(content, dtype="<u4")
    unknown = ~np.isin(_short(fingerprints(table.columns, names)), seen)
    return unknown & ~np.isin(_customers(table), seen) if len(table.group) else unknown


def _content(champion: Artifact) -> bytes | None:
    """The file, as its manifest has it; None where a version of earlier code has none."""
    try:
        content = (champion.folder / artifact.SEEN).read_bytes()
    except FileNotFoundError:
        return None
    return content if champion.manifest.sha256.get(artifact.SEEN) == artifact.sha256(content) else None


def _customers(table: Table) -> Seen:
    return _short(table.group.view(np.uint64))


def _short(prints: Prints) -> Seen:
    return (prints >> np.uint64(32)).astype(np.uint32)
