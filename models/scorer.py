"""ONNX Runtime around the graphs of a model: arrays in, probabilities and decisions out."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from msgspec import Struct
from numpy.typing import NDArray

from models.deciding import Decision, DecisionRule, decide
from models.encoding import Encoder
from models.schema import Schema

WARM_UP_ROWS = (1, 2, 64, 1024)  # batch sizes run once before the service is ready


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
        self.rule = DecisionRule(schema)
        self._threshold = self.rule.threshold if self.rule.is_plain else None

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
        threshold = self._threshold
        if threshold is not None:
            return [(probability, decide(probability, threshold)) for probability in probabilities]
        return list(zip(probabilities, self.rule.of_rows(probabilities, rows), strict=True))

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
