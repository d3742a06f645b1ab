"""ONNX Runtime around the graphs of a model: arrays in, probabilities and decisions out."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime
from msgspec import Struct
from numpy.typing import NDArray

from models.encoding import Encoder
from models.schema import Schema

Decision = Literal["approve", "decline"]
APPROVE: Decision = "approve"
DECLINE: Decision = "decline"
WARM_UP_ROWS = (1, 2, 64, 1024)  # batch sizes run once before the service is ready


def decide(probability: float, threshold: float) -> Decision:
    """Decline at or above the threshold.

    >>> decide(0.2, 1 / 6), decide(0.1, 1 / 6)
    ('decline', 'approve')
    """
    return DECLINE if probability >= threshold else APPROVE


class Scorer:
    """Runs the graph of one model.

    Args:
        model: the file `model.onnx`, or its bytes.
        schema: the compiled dataset that the model was trained on.
    """

    def __init__(self, model: Path | bytes, schema: Schema) -> None:
        options = onnxruntime.SessionOptions()
        # One thread per worker: workers scale over cores, and spinning threads would take the profiler's core.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors
        source = model if isinstance(model, bytes) else str(model)
        self._session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        self.schema = schema
        self.threshold = schema.dataset.threshold

    @property
    def inputs(self) -> dict[str, str]:
        """Name and ONNX type of each input of the graph."""
        return {value.name: value.type for value in self._session.get_inputs()}

    def probabilities(self, feed: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Probability of the event, shape `[batch]`, for inputs of shape `[batch, 1]`."""
        result: NDArray[np.float32] = self._session.run(["probability"], dict(feed))[0]
        return result

    def feed(self, rows: Sequence[Struct]) -> Mapping[str, NDArray[Any]]:
        """The inputs of the graph for `rows`."""
        return self.schema.feed(rows)

    def score(self, rows: Sequence[Struct]) -> list[tuple[float, Decision]]:
        """Probability and decision of each applicant, in order."""
        probabilities = self.probabilities(self.feed(rows)).tolist()
        return [(probability, decide(probability, self.threshold)) for probability in probabilities]

    def warm_up(self, row: Struct) -> None:
        """Run the sizes for which ONNX Runtime allocates memory, so that no request waits for that."""
        for size in WARM_UP_ROWS:
            self.score([row] * size)


class EncodedScorer(Scorer):
    """Runs the network alone, on codes instead of text: the same bits in less time.

    Args:
        model: the file `encoded.onnx`, or its bytes.
        schema: the compiled dataset that the model was trained on.
    """

    def __init__(self, model: Path | bytes, schema: Schema) -> None:
        super().__init__(model, schema)
        encoder = Encoder(schema)
        encode: dict[str, Callable[[Sequence[Struct]], NDArray[Any]]]
        encode = {"codes": encoder.codes, "numbers": encoder.numbers}
        self._encode = [(name, encode[name]) for name in self.inputs]  # a network may use one kind only

    def feed(self, rows: Sequence[Struct]) -> Mapping[str, NDArray[Any]]:
        """Codes and numbers of `rows`."""
        return {name: encode(rows) for name, encode in self._encode}
