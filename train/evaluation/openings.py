"""How many models have been measured on the same test rows: each further one makes the best of them look too good.

Owns `openings.jsonl` beside the workspaces of a dataset. A model is its graph: the same one measured again tells
nothing new. The same data is the same outcomes in the same order, whatever columns are derived for them and however
they are split, as who shops for a split has seen the rows too. What was measured elsewhere, or before `var/` was
emptied, is not known here.
"""

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from train.exclusive import exclusively

FILE = "openings.jsonl"


class Opening(Struct, frozen=True):
    """One model that was measured on the test rows."""

    outcomes: str  # SHA-256 of the outcomes of the whole table
    model: str  # SHA-256 of the graph, or what else was measured
    named: str  # the model file
    at: str  # ISO 8601, UTC


def record(folder: Path, target: NDArray[np.int64], model: str, named: str) -> int:
    """Record that a model is measured on a test part of these outcomes; gives its place among all that were, from 1.

    Args:
        folder: of the dataset's workspaces.
        target: the outcomes of the whole table, `[rows]`.
        model: SHA-256 of its graph.
        named: its model file.
    """
    outcomes = sha256(np.packbits(target.astype(np.bool_)).tobytes() + str(len(target)).encode()).hexdigest()
    with exclusively(folder):
        file = folder / FILE
        lines = file.read_bytes().splitlines() if file.exists() else []
        before = [opening.model for line in lines if (opening := _read(line)) and opening.outcomes == outcomes]
        if model in before:
            return before.index(model) + 1
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        with file.open("ab") as end:
            if lines and not file.read_bytes().endswith(b"\n"):  # of one that was killed while it wrote
                end.write(b"\n")
            end.write(msgspec.json.encode(Opening(outcomes, model, named, now)) + b"\n")
        return len(before) + 1


def _read(line: bytes) -> Opening | None:
    try:
        return msgspec.json.decode(line, type=Opening)
    except msgspec.DecodeError:
        return None
