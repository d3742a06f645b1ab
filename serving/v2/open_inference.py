"""The Open Inference Protocol as a whole: the inference, its REST routes and its gRPC server.

Owns putting these together, and when they start and stop.
"""

import asyncio
from collections.abc import Callable

from bentoml.exceptions import BentoMLException
from starlette.routing import Route

from configs.service import ServiceConfig
from configs.source import ConfigError
from models.artifact import Artifact
from serving.access.authenticator import Authenticator
from serving.access.grpc_access import GrpcAccess
from serving.batching import Batcher
from serving.listening import listening, settle_addresses
from serving.v2.grpc_server import GrpcServer, read_certificates
from serving.v2.inference import Inference
from serving.v2.messages import Messages
from serving.v2.rest import InferEndpoint, RestRoutes
from serving.v2.shared_port import SharedPort


class OpenInference:
    """REST and gRPC of one process.

    Args:
        artifact: the model that is served.
        batcher: scores rows.
        settings: of the service.
        authenticator: decides on keys.
    """

    def __init__(
        self, artifact: Artifact, batcher: Batcher, settings: ServiceConfig, authenticator: Authenticator
    ) -> None:
        self._settings = settings
        self._inference = Inference(artifact, batcher, settings.max_rows, settings.timeout_s)
        self._access = GrpcAccess(authenticator, settings)
        self._rest = RestRoutes(self._inference, settings.max_body_bytes)
        self._port: SharedPort | None = None
        self._server: GrpcServer | None = None
        self._stopping: asyncio.Task[None] | None = None

    def prepare(self) -> None:
        """In the process that starts the workers: reserve gRPC's port, and check that everything is there.

        Raises:
            BentoMLException: something is missing; `bentoml serve` prints it and ends.
        """
        try:
            Messages()
            read_certificates(self._settings)
            self._port = SharedPort(settle_addresses(self._settings, listening()), self._settings.grpc_port)
            self._port.reserve()
        except ConfigError as mistake:
            raise BentoMLException(str(mistake)) from None

    def routes(self) -> list[Route]:
        """Under `/v2`."""
        return self._rest.routes()

    def endpoints(self) -> dict[bytes, InferEndpoint]:
        """Inference over REST, by its paths."""
        return self._rest.endpoints()

    async def start(self, ready: Callable[[], bool]) -> None:
        """In a worker: answer from now on; `ready` returns whether rows can be scored."""
        self._inference.open(ready)
        if self._settings.grpc_port:
            self._server = GrpcServer(self._inference, self._settings, self._access)
            await self._server.start()

    def stop_at_once(self) -> None:
        """In a worker that nobody waits for any more: free the port now, whatever is still answered elsewhere."""
        if self._server:
            self._stopping = asyncio.create_task(self._server.stop(self._settings.grace_s, drain_s=0))

    def begin_to_stop(self, grace_s: float) -> None:
        """In a worker: take no more calls; those that run have `grace_s` seconds."""
        if self._server and self._stopping is None:
            self._stopping = asyncio.create_task(self._server.stop(grace_s))

    async def stop(self, grace_s: float) -> None:
        """In a worker: stop gRPC without a failed call, unless one takes longer."""
        self.begin_to_stop(grace_s)
        if self._stopping:
            await self._stopping
