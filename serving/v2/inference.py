"""The Open Inference Protocol without its wire: which model is served, and scoring a request.

REST and gRPC differ in how they read and write only; what they say of the model and how rows are scored is here.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

from msgspec import Struct

from models.artifact import Artifact
from models.errors import Rejected, ScorerError
from models.prediction import Prediction
from models.request import shown
from serving.batching import Batcher
from serving.scoring import PendingRow
from serving.v2.tensors import OUTPUTS, TensorDecoder

NAME, VERSION = "credit-scorer", "0.1.0"  # as in pyproject.toml, which a bento does not carry
EXTENSIONS = ["binary_tensor_data"]
PLATFORM = "onnxruntime_onnx"
LONGEST_TIMEOUT_US = 2**63  # gRPC's parameters are no larger
TIMEOUT = "timeout"  # parameter of a request: microseconds after which its caller does not want the answer any more

TOLD_BYTES = 2000  # of an error in one line: clients take 8 KiB of headers, in which UTF-8 is spelled threefold


class Inference:
    """One model, by the Open Inference Protocol.

    Args:
        artifact: the model.
        batcher: where rows are scored.
        max_rows: the most rows of one request.
        timeout_s: seconds until a request is given up.
    """

    def __init__(self, artifact: Artifact, batcher: Batcher, max_rows: int, timeout_s: float) -> None:
        self.name, self.version = artifact.manifest.name, artifact.manifest.version
        self.decoder = TensorDecoder(artifact.schema, max_rows)
        self._batcher = batcher
        self.timeout_s = timeout_s
        self._ready: Callable[[], bool] = lambda: False

    def open(self, ready: Callable[[], bool]) -> None:
        """Begin to answer; `ready` tells whether the service can score now."""
        self._ready = ready

    async def ready(self) -> bool:
        """Whether rows can be scored and logged now; it may look at the disk."""
        return await asyncio.to_thread(self._ready)

    def check(self, model: str, version: str) -> None:
        """Raise `Rejected` unless this model is served; an empty version is the one there is."""
        if model != self.name:
            # In the words of Triton, which the examples of its clients look for.
            raise Rejected(404, f"Request for unknown model: {shown(model)}; this service has {self.name}")
        if version not in ("", self.version):
            raise Rejected(404, f"no version {shown(version)} of {self.name}; this service has {self.version}")

    async def predict(
        self, rows: Sequence[Struct], protocol: str, until_s: float | None = None
    ) -> Sequence[Prediction] | ScorerError:
        """A prediction for each row, in order, or what is told instead.

        Args:
            rows: valid ones.
            protocol: `v2` or `grpc`.
            until_s: when the caller stops waiting, by `time.perf_counter`, if that is before the service gives up.
        """
        now_s = time.perf_counter()
        limit_s = self.timeout_s if until_s is None else min(until_s - now_s, self.timeout_s)
        if limit_s <= 0:
            return Rejected(504, "took too long")
        try:
            async with asyncio.timeout(limit_s):
                results = await self._batcher.submit([PendingRow(row, protocol, now_s) for row in rows])
        except TimeoutError:
            return Rejected(504, "took too long")
        for result in results:
            if isinstance(result, ScorerError):
                return result
        return cast("Sequence[Prediction]", results)

    def describe_server(self) -> dict[str, Any]:
        """Server metadata."""
        return {"name": NAME, "version": VERSION, "extensions": EXTENSIONS}

    def describe_model(self) -> dict[str, Any]:
        """Model metadata: an input for each feature, protected ones too."""
        return {
            "name": self.name,
            "versions": [self.version],
            "platform": PLATFORM,
            "inputs": [_described(f.name, _datatype(f.type, f.nullable)) for f in self.decoder.schema.dataset.features],
            "outputs": [_described(name, datatype) for name, datatype in OUTPUTS.items()],
        }


def _described(name: str, datatype: str) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [-1]}


def _datatype(kind: str, nullable: bool) -> str:
    """The datatype that can spell every value of a feature: a whole number has no NaN for one that is not there."""
    if kind == "categorical":
        return "BYTES"
    return "INT64" if kind == "integer" and not nullable else "FP64"


def seconds(timeout_us: Any) -> float | None:
    """The parameter `timeout` in seconds; None where it says nothing.

    >>> seconds(250_000), seconds(0), seconds("soon"), seconds(10**400)
    (0.25, None, None, None)
    """
    return timeout_us / 1e6 if type(timeout_us) is int and 0 < timeout_us < LONGEST_TIMEOUT_US else None


def told(error: ScorerError) -> str:
    """An error in one line, with its faults as far as they fit.

    >>> from models.errors import Detail, Rejected
    >>> fault = Detail(row=0, field="x", value=-3, message="must be at least 1")
    >>> told(Rejected(422, "1 value refused", details=(fault,)))
    '1 value refused: row 0, x = -3: must be at least 1'
    """
    parts = [
        ("" if fault.row is None else f"row {fault.row}, ") + f"{fault.field} = {fault.value}: {fault.message}"
        for fault in error.details
    ]
    line = error.message + (": " + "; ".join(parts) if parts else "")
    encoded = line.encode("utf-8", "replace")
    if len(encoded) <= TOLD_BYTES:
        return line
    return encoded[:TOLD_BYTES].decode("utf-8", "ignore") + "…"
