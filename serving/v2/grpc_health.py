"""The health service of gRPC (`grpc.health.v1`), which answers everybody.

Owns who is told what. Leaves to others: whether rows can be scored (`inference`), and when to ask (`grpc_server`).
"""

from typing import Any

from google.protobuf.message import DecodeError
from grpc import StatusCode
from grpc_health.v1.health import aio as health_aio
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from models.errors import ScorerError
from serving.v2.grpc_call import GrpcCall, Handler
from serving.v2.message_reader import MessageReader
from serving.v2.messages import SERVICE

HEALTH = "grpc.health.v1.Health"
MAX_WATCHERS = 1_000  # each holds some 10 KB for as long as it likes, and nobody knows who they are


class Health:
    """The health of one worker.

    Args:
        reader: reads messages.
    """

    def __init__(self, reader: MessageReader) -> None:
        self._reader = reader
        self._servicer: Any = health_aio.HealthServicer()
        self._watchers = 0

    def handlers(self) -> dict[str, Handler]:
        """The handlers by the path of the call."""
        return {f"/{HEALTH}/Check": self._check, f"/{HEALTH}/Watch": self._watch}

    async def report(self, ready: bool) -> None:
        """Tell callers and watchers from now on whether rows can be scored."""
        status = HealthCheckResponse.SERVING if ready else HealthCheckResponse.NOT_SERVING
        for service in ("", SERVICE):
            await self._servicer.set(service, status)

    async def shut_down(self) -> None:
        """Tell them that this worker ends."""
        await self._servicer.enter_graceful_shutdown()

    async def _check(self, call: GrpcCall) -> HealthCheckResponse:
        return await self._servicer.Check(await self._request(call), call)

    async def _watch(self, call: GrpcCall) -> None:
        if self._watchers >= MAX_WATCHERS:
            await call.abort(StatusCode.RESOURCE_EXHAUSTED, f"{MAX_WATCHERS} watch already; call Check instead")
        self._watchers += 1
        try:
            await self._servicer.Watch(await self._request(call), call)
        finally:
            self._watchers -= 1

    async def _request(self, call: GrpcCall) -> HealthCheckRequest:
        body = await self._reader.read(call)
        if isinstance(body, ScorerError):
            await call.abort(StatusCode.RESOURCE_EXHAUSTED, body.line())
        try:
            return HealthCheckRequest.FromString(body)
        except DecodeError:
            await call.abort(StatusCode.INVALID_ARGUMENT, "not a HealthCheckRequest: its bytes cannot be parsed")
