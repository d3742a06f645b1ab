"""The model in a reference: the artifact's graph, fed with raw records, without the project's own serving code.

Owns the call of ONNX Runtime and the response. Leaves decoding and validation to each reference.
"""

import os
import uuid
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnxruntime

from benchmarks.references.rows import ARTIFACT, field
from configs.dataset import Dataset

MISSING_TEXT = ""  # a missing categorical value at the graph's input


class Model:
    """The artifact in `folder`, ready to score rows of `benchmarks.references.rows`."""

    def __init__(self, folder: Path) -> None:
        self.dataset = msgspec.json.decode((folder / "dataset.json").read_bytes(), type=Dataset)
        self.tag = f"{self.dataset.name}:{folder.name}"
        if self.dataset.threshold is None or self.dataset.refer:
            raise SystemExit(f"{self.tag}: the references decide by one threshold; take a model of German Credit")
        self._threshold = self.dataset.threshold
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # as in the service
        path = str(folder / "model.onnx")
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        inputs = [(index, feature) for index, feature in enumerate(self.dataset.features) if not feature.protected]
        # The first feature is fetched twice, so that the result is a tuple even for a single input.
        self._values = attrgetter(*(field(index) for index, _ in [*inputs, inputs[0]]))
        self._inputs = [
            (feature.name, object if feature.type == "categorical" else np.float32, feature.nullable)
            for _, feature in inputs
        ]

    @classmethod
    def from_environment(cls) -> "Model":
        """The artifact that `BENCHMARK_ARTIFACT` names."""
        return cls(Path(os.environ[ARTIFACT]))

    def probabilities(self, rows: Sequence[Any]) -> list[float]:
        """Probability of the event for each row."""
        columns: list[Sequence[Any]] = list(zip(*map(self._values, rows), strict=True))
        feed = {}
        for (name, kind, nullable), column in zip(self._inputs, columns[:-1], strict=True):
            values = column
            if nullable and None in column:
                missing = MISSING_TEXT if kind is object else np.nan
                values = [missing if value is None else value for value in column]
            feed[name] = np.array(values, kind).reshape(-1, 1)
        result: list[float] = self._session.run(["probability"], feed)[0].tolist()
        return result

    def predict(self, rows: Sequence[Any]) -> list[dict[str, Any]]:
        """The response for each row, with a generated id where the request has none."""
        return [
            {
                "application_id": row.application_id or str(uuid.uuid4()),
                "probability": probability,
                "decision": "decline" if probability >= self._threshold else "approve",
                "model": self.tag,
            }
            for row, probability in zip(rows, self.probabilities(rows), strict=True)
        ]
