"""What Triton's clients and perf_analyzer ask for beyond the protocol: configuration, statistics, an index of models.

Owns the answers, in the shape that REST sends; gRPC's messages have the same names. Leaves to others: metadata and
inference (`serving.v2.inference`), and the numbers themselves (`serving.metrics`).

Statistics are the numbers of `/metrics`, of all protocols and workers since the start: an inference is a row, an
execution a batch. How long computing takes is not measured, so those durations are 0.
"""

import asyncio
from typing import Any

from serving.metrics import metrics, totals
from serving.v2.inference import Inference, datatype_of

BACKEND, FILE = "onnxruntime", "model.onnx"
NS_PER_S = 1_000_000_000
TYPES = {"BYTES": "TYPE_STRING", "INT64": "TYPE_INT64", "FP64": "TYPE_FP64"}
UNMEASURED = ("compute_input", "compute_infer", "compute_output")


class Extensions:
    """The answers of one worker.

    Args:
        inference: the served model.
    """

    def __init__(self, inference: Inference) -> None:
        self._inference = inference

    def config(self) -> dict[str, Any]:
        """The model's configuration; an input may be left out where the model can do without it."""
        schema = self._inference.decoder.schema
        return {
            "name": self._inference.name,
            "platform": self._inference.platform,
            "backend": BACKEND,
            "max_batch_size": self._inference.decoder.max_rows,
            "input": [
                {**_tensor(feature.name, datatype_of(feature)), "optional": schema.optional(feature)}
                for feature in schema.dataset.features
            ],
            "output": [_tensor(name, datatype) for name, datatype in self._inference.decoder.outputs.items()],
            "default_model_filename": FILE,
            "dynamic_batching": {},
        }

    async def statistics(self) -> dict[str, Any]:
        """The statistics of the model."""
        metrics().flush()
        seen = await asyncio.to_thread(totals)
        rows, batches = int(seen["scorer_batch_rows_sum"]), int(seen["scorer_batch_rows_count"])
        queue_ns = int(seen["scorer_queue_seconds_sum"] * NS_PER_S)
        durations = {
            "success": {"count": rows, "ns": queue_ns},
            "fail": {"count": int(seen["scorer_rejected_total"]), "ns": 0},
            "queue": {"count": batches, "ns": queue_ns},
            **{name: {"count": batches, "ns": 0} for name in UNMEASURED},
            "cache_hit": {"count": 0, "ns": 0},
            "cache_miss": {"count": 0, "ns": 0},
        }
        model = {
            "name": self._inference.name,
            "version": self._inference.version,
            "last_inference": 0,
            "inference_count": rows,
            "execution_count": batches,
            "inference_stats": durations,
        }
        return {"model_stats": [model]}

    async def index(self, ready_only: bool) -> list[dict[str, str]]:
        """The models of the repository: the one that is served."""
        ready = await self._inference.ready()
        if ready_only and not ready:
            return []
        state, reason = ("READY", "") if ready else ("UNAVAILABLE", "cannot score now")
        return [{"name": self._inference.name, "version": self._inference.version, "state": state, "reason": reason}]


def _tensor(name: str, datatype: str) -> dict[str, Any]:
    """One value per row: a request may leave the second dimension out."""
    return {"name": name, "data_type": TYPES[datatype], "dims": [1], "reshape": {"shape": []}}
