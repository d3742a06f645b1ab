"""The six calls of the Open Inference Protocol over gRPC, and what each error is there.

Leaves to others: the port, health and reflection (grpc_server), messages and rows (grpc_codec), what is answered
(inference).
"""

import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc import StatusCode

from models.errors import RETRY_AFTER_S, Fault, ScorerError, Unready
from serving.access import AccessDenied
from serving.access.grpc_access import GrpcAccess
from serving.metrics import metrics
from serving.request_ids import begin
from serving.v2.call_coalescer import CallCoalescer
from serving.v2.grpc_codec import GrpcCodec
from serving.v2.inference import TIMEOUT, Inference, seconds, told
from serving.v2.messages import Messages
from serving.v2.tensors import malformed

STATUS = {  # of an error's HTTP status; any other is the caller's fault
    401: StatusCode.UNAUTHENTICATED,
    403: StatusCode.PERMISSION_DENIED,
    404: StatusCode.NOT_FOUND,
    413: StatusCode.RESOURCE_EXHAUSTED,
    429: StatusCode.RESOURCE_EXHAUSTED,
    500: StatusCode.INTERNAL,
    503: StatusCode.UNAVAILABLE,
    504: StatusCode.DEADLINE_EXCEEDED,
}
TO_TRY_AGAIN = (429, 503)

ENDING = Unready("the service is ending; try again")

Call = Callable[[bytes, Any], Awaitable[bytes | ScorerError]]
logger = logging.getLogger("bentoml.scorer")


class GrpcCalls:
    """The calls, for one worker.

    Args:
        inference: what is served.
        messages: the protocol's.
        gate: says who may call; liveness and readiness are told to everybody.
    """

    def __init__(self, inference: Inference, messages: Messages, gate: GrpcAccess) -> None:
        self._inference = inference
        self._messages = messages
        self._gate = gate
        self._codec = GrpcCodec(messages, inference.decoder, inference.name, inference.version)
        self._metrics = metrics()
        self._gathering = CallCoalescer()
        self._ending = False
        self._running = 0

    def end(self) -> None:
        """Let no call in from now on: each is told to try elsewhere."""
        self._ending = True

    def handlers(self) -> dict[str, Any]:
        """By the name of the call.

        Bytes come in as they are: what cannot be parsed is then the caller's fault, and no exception of gRPC's.
        """
        calls: dict[str, Call] = {
            "ServerLive": self._server_live,
            "ServerReady": self._server_ready,
            "ModelReady": self._model_ready,
            "ServerMetadata": self._server_metadata,
            "ModelMetadata": self._model_metadata,
            "ModelInfer": self._model_infer,
        }
        return {name: grpc.unary_unary_rpc_method_handler(self._told(name, call)) for name, call in calls.items()}

    def _told(self, name: str, call: Call) -> Callable[[bytes, Any], Awaitable[bytes]]:
        async def answer(body: bytes, context: Any) -> bytes:
            self._running += 1
            try:
                said = ENDING if self._ending else await call(body, context)
            except ScorerError as error:
                said = error
            except Exception:
                fault_id = uuid.uuid4().hex
                logger.exception("fault %s in gRPC call %s", fault_id, name)
                said = Fault(fault_id)
            finally:
                self._running -= 1
            if isinstance(said, ScorerError):
                self._metrics.rejected.labels(said.code).inc()
                status = STATUS.get(said.status, StatusCode.INVALID_ARGUMENT)
                await context.abort(status, told(said), pushback(said) if said.status in TO_TRY_AGAIN else ())
            return said  # type: ignore[return-value] # `abort` does not come back

        return answer

    async def _server_live(self, body: bytes, _: Any) -> bytes:
        self._parse("ServerLiveRequest", body)
        return self._bytes("ServerLiveResponse", {"live": True})

    async def _server_ready(self, body: bytes, _: Any) -> bytes:
        self._parse("ServerReadyRequest", body)
        return self._bytes("ServerReadyResponse", {"ready": await self._inference.ready()})

    async def _model_ready(self, body: bytes, _: Any) -> bytes:
        request = self._parse("ModelReadyRequest", body)
        self._inference.check(request.name, request.version)
        return self._bytes("ModelReadyResponse", {"ready": await self._inference.ready()})

    async def _server_metadata(self, body: bytes, context: Any) -> bytes:
        self._gate.admit(context, "read")
        self._parse("ServerMetadataRequest", body)
        return self._bytes("ServerMetadataResponse", self._inference.describe_server())

    async def _model_metadata(self, body: bytes, context: Any) -> bytes:
        self._gate.admit(context, "read")
        request = self._parse("ModelMetadataRequest", body)
        self._inference.check(request.name, request.version)
        return self._bytes("ModelMetadataResponse", self._inference.describe_model())

    async def _model_infer(self, body: bytes, context: Any) -> bytes | ScorerError:
        came_s, limits_s = time.perf_counter(), [context.time_remaining()]
        self._gate.admit(context, "predict")
        request = self._codec.parse(body)
        begin({}, request.id.encode())
        self._inference.check(request.model_name, request.model_version)
        names = self._codec.outputs(request)
        rows = self._codec.rows(request)
        if self._running > 1 or self._gathering.crowded:  # a lone call waits for nobody
            await self._gathering.join()
        if request.parameters and TIMEOUT in request.parameters:
            timeout = request.parameters[TIMEOUT]
            limits_s.append(seconds(timeout.int64_param or timeout.uint64_param))
        limit_s = min((limit_s for limit_s in limits_s if limit_s is not None), default=None)
        until_s = None if limit_s is None else came_s + limit_s
        predictions = await self._inference.predict(rows, "grpc", until_s)
        if isinstance(predictions, ScorerError):
            return predictions
        return self._codec.answer(request, names, predictions)

    def _parse(self, name: str, body: bytes) -> Any:
        try:
            return self._messages[name].FromString(body)
        except DecodeError:
            raise malformed(f"not a {name}: its bytes cannot be parsed") from None

    def _bytes(self, name: str, fields: dict[str, Any]) -> bytes:
        return bytes(self._messages[name](**fields).SerializeToString())


def pushback(error: ScorerError) -> tuple[tuple[str, str]]:
    """What `Retry-After` is called in gRPC.

    >>> pushback(ENDING)
    (('grpc-retry-pushback-ms', '1000'),)
    """
    headers = dict(error.headers) if isinstance(error, AccessDenied) else {}
    return (("grpc-retry-pushback-ms", str(1000 * int(headers.get(b"retry-after", RETRY_AFTER_S)))),)
