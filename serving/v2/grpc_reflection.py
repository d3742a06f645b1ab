"""Server reflection: what services there are, for those who may read what else describes the service.

Owns who may ask, and for what. Leaves the messages to `messages`.
"""

from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection import aio as reflection_aio

from serving.access.grpc_access import GrpcAccess
from serving.faults import error_from
from serving.request_ids import begin
from serving.v2.grpc_call import GrpcCall, Handler
from serving.v2.grpc_calls import GrpcCalls
from serving.v2.grpc_health import HEALTH
from serving.v2.messages import SERVICE, Messages

REFLECTION = "grpc.reflection.v1alpha.ServerReflection"
REFLECTION_V1 = "grpc.reflection.v1.ServerReflection"  # the same messages, by the name that newer clients try first


class Reflection:
    """The reflection of one worker.

    Args:
        messages: the protocol's, whose pool is added to.
        access: decides who may call.
        calls: end a call that is refused.
    """

    def __init__(self, messages: Messages, access: GrpcAccess, calls: GrpcCalls) -> None:
        for module in (health_pb2, reflection_pb2):
            messages.pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
        self._servicer = reflection_aio.ReflectionServicer([SERVICE, HEALTH, REFLECTION], pool=messages.pool)
        self._access = access
        self._calls = calls

    def handlers(self) -> dict[str, Handler]:
        """The handlers by the path of the call."""
        return {f"/{name}/ServerReflectionInfo": self._describe for name in (REFLECTION, REFLECTION_V1)}

    async def _describe(self, call: GrpcCall) -> None:
        begin({}, None)
        try:
            self._access.authorize(call, "read")
        except Exception as exception:  # noqa: BLE001 - logged there
            await self._calls.refuse(call, error_from(exception, "answering gRPC reflection"))
        requests = call.messages(reflection_pb2.ServerReflectionRequest)
        async for answer in self._servicer.ServerReflectionInfo(requests, call):
            await call.write(answer)
