"""The Open Inference Protocol without its transports: the served model, and scoring a request.

REST and gRPC differ only in how they read and write. Owns what both say of the model, and how both have rows scored.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from configs.feature import Feature
from models.artifact import Artifact
from models.errors import Rejected
from models.validation import shown
from serving.batching import Batcher
from serving.calls import Call
from serving.rows import Receiver
from serving.v2.tensors import TensorDecoder

NAME, VERSION = "credit-scorer", "0.1.0"  # as in pyproject.toml, which a bento does not carry
EXTENSIONS = ["binary_tensor_data", "model_configuration", "statistics", "model_repository"]  # by Triton's names
MAX_TIMEOUT_US = 2**63  # gRPC's parameters are no larger
TIMEOUT = "timeout"  # parameter of a request: microseconds after which its caller does not want the answer any more


class Inference:
    """One model, by the Open Inference Protocol.

    Attributes:
        platform: what it runs on.

    Args:
        artifact: the model.
        batcher: scores rows.
        max_rows: the most rows of one request.
        timeout_s: seconds after which a request fails.
    """

    platform = "onnxruntime_onnx"

    def __init__(self, artifact: Artifact, batcher: Batcher, max_rows: int, timeout_s: float) -> None:
        self.name, self.version = artifact.manifest.name, artifact.manifest.version
        self.decoder = TensorDecoder(artifact.schema, max_rows)
        self._batcher = batcher
        self.timeout_s = timeout_s
        self._ready: Callable[[], bool] = lambda: False

    def open(self, ready: Callable[[], bool]) -> None:
        """Begin to answer; `ready` returns whether the service can score now."""
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

    def submit(self, receiver: Receiver, rows: Sequence[Struct], call: Call, until_s: float | None = None) -> float:
        """Have rows scored; the seconds after which nobody wants the results any more.

        Args:
            receiver: gets a result for each row, in order, perhaps before this returns.
            rows: valid ones.
            call: their request.
            until_s: when the caller stops waiting, by `time.perf_counter`, if that is before the service gives up.

        Raises:
            TimeoutError: the time is over, and nothing is scored.
        """
        limit_s = self.timeout_s
        if until_s is not None:
            limit_s = min(until_s - time.perf_counter(), limit_s)
        if limit_s <= 0:
            raise TimeoutError
        self._batcher.submit_to(receiver, rows, call)
        return limit_s

    def describe_server(self) -> dict[str, Any]:
        """Server metadata."""
        return {"name": NAME, "version": VERSION, "extensions": EXTENSIONS}

    def describe_model(self) -> dict[str, Any]:
        """Model metadata: an input for each feature, protected ones too."""
        return {
            "name": self.name,
            "versions": [self.version],
            "platform": self.platform,
            "inputs": [
                _described(feature.name, datatype_of(feature)) for feature in self.decoder.schema.dataset.features
            ],
            "outputs": [_described(name, datatype) for name, datatype in self.decoder.outputs.items()],
        }


def _described(name: str, datatype: str) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [-1]}


def datatype_of(feature: Feature) -> str:
    """The datatype that can represent every value of a feature: integers have no NaN for a missing one."""
    if feature.type == "categorical":
        return "BYTES"
    return "INT64" if feature.type == "integer" and not feature.nullable else "FP64"


def timeout_s(timeout_us: Any) -> float | None:
    """The parameter `timeout` in seconds; None where it is absent or makes no sense.

    >>> timeout_s(250_000), timeout_s(0), timeout_s("soon"), timeout_s(10**400)
    (0.25, None, None, None)
    """
    return timeout_us / 1e6 if type(timeout_us) is int and 0 < timeout_us < MAX_TIMEOUT_US else None
