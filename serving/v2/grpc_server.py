"""The gRPC server of a worker: its port, TLS, keepalive, health and reflection.

Owns starting, and stopping without a failed call. Leaves the calls themselves to `serving.v2.grpc_calls`.
"""

import asyncio
import logging
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection import aio as reflection_aio

from configs.service import SERVICE_YAML, ServiceConfig
from configs.source import ConfigError
from serving.access.grpc_access import GrpcAccess
from serving.v2.grpc_calls import GrpcCalls
from serving.v2.inference import Inference
from serving.v2.messages import SERVICE, Messages

HEALTH = "grpc.health.v1.Health"
REFLECTION = "grpc.reflection.v1alpha.ServerReflection"
REFLECTION_V1 = "grpc.reflection.v1.ServerReflection"  # the same messages, by the name that newer clients try first
READINESS_INTERVAL_S = 1.0  # between two checks of readiness, for those who watch the health service
# In these seconds a new call gets UNAVAILABLE, and its client tries elsewhere. Later ones are CANCELLED.
DRAIN_S = 0.5
# A client that vanished is noticed after 80 s. Clients may ping every second, idle or not.
KEEPALIVE = (
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
)
# Calls that the loop has not taken yet. By default gRPC drops some beyond 1,000 and all beyond 3,000, with CANCELLED;
# the loop answers calls over the limit with UNAVAILABLE, and when to try again.
MAX_PENDING_CALLS = 20_000
logger = logging.getLogger("bentoml.scorer")


class GrpcServer:
    """The gRPC server of one worker.

    Args:
        inference: the served model.
        settings: where and how.
        access: decides who may call.
    """

    def __init__(self, inference: Inference, settings: ServiceConfig, access: GrpcAccess) -> None:
        self._access = access
        self._inference = inference
        self._settings = settings
        self._health: Any = health_aio.HealthServicer()
        self._server: Any = None
        self._calls: GrpcCalls | None = None
        self._readiness_task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen, and answer from now on."""
        settings = self._settings
        messages = Messages()
        limits = (
            ("grpc.max_receive_message_length", settings.max_body_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.server.max_pending_requests", MAX_PENDING_CALLS),
            ("grpc.server.max_pending_requests_hard_limit", MAX_PENDING_CALLS),
            ("grpc.so_reuseport", 1),  # the workers of this service; SharedPort keeps others out
        )
        self._server = grpc.aio.server(options=(*KEEPALIVE, *limits))
        self._calls = GrpcCalls(self._inference, messages, self._access)
        self._server.add_registered_method_handlers(SERVICE, self._calls.handlers())
        self._add_reflection(messages)
        await self._report()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        host = f"[{settings.grpc_address}]" if ":" in settings.grpc_address else settings.grpc_address  # IPv6
        address = f"{host}:{settings.grpc_port}"
        certificates = read_certificates(settings)
        if certificates is None:
            self._server.add_insecure_port(address)
        else:
            key, chain, client_ca = certificates
            credentials = grpc.ssl_server_credentials([(key, chain)], client_ca, require_client_auth=bool(client_ca))
            self._server.add_secure_port(address, credentials)
        await self._server.start()
        self._readiness_task = asyncio.create_task(self._watch_readiness())
        logger.info("serving gRPC on %s", address)

    async def stop(self, grace_s: float, drain_s: float = DRAIN_S) -> None:
        """Report NOT_SERVING, refuse new calls for `drain_s` seconds, and let running ones finish in `grace_s`."""
        if self._server is None or self._calls is None or self._readiness_task is None:
            return
        self._readiness_task.cancel()
        await self._health.enter_graceful_shutdown()
        self._calls.shut_down()
        await asyncio.sleep(drain_s)
        await self._server.stop(max(grace_s - drain_s, 0))

    def _add_reflection(self, messages: Messages) -> None:
        for module in (health_pb2, reflection_pb2):
            messages.pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
        servicer = reflection_aio.ReflectionServicer([SERVICE, HEALTH, REFLECTION], pool=messages.pool)
        handler = grpc.stream_stream_rpc_method_handler(
            servicer.ServerReflectionInfo,
            request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
            response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
        )
        for name in (REFLECTION, REFLECTION_V1):
            self._server.add_registered_method_handlers(name, {"ServerReflectionInfo": handler})

    async def _report(self) -> None:
        serving = health_pb2.HealthCheckResponse.SERVING
        status = serving if await self._inference.ready() else health_pb2.HealthCheckResponse.NOT_SERVING
        for service in ("", SERVICE):
            await self._health.set(service, status)

    async def _watch_readiness(self) -> None:
        while True:
            await asyncio.sleep(READINESS_INTERVAL_S)
            await self._report()


def read_certificates(settings: ServiceConfig) -> tuple[bytes, bytes, bytes | None] | None:
    """Key, certificate chain and, for mutual TLS, the clients' CA; None without TLS. Raises `ConfigError`."""
    if bool(settings.grpc_certificate) != bool(settings.grpc_key) or (
        settings.grpc_client_ca and not settings.grpc_certificate
    ):
        problem = "TLS needs a certificate and its key"
        raise ConfigError(SERVICE_YAML, "grpc_certificate", problem, "give grpc_certificate and grpc_key, or neither")
    if not settings.grpc_certificate:
        return None
    found = []
    for name in ("grpc_key", "grpc_certificate", "grpc_client_ca"):
        path = getattr(settings, name)
        try:
            found.append(Path(path).read_bytes() if path else None)
        except OSError as error:
            problem = f"{path} cannot be read ({error.strerror})"
            raise ConfigError(SERVICE_YAML, name, problem, "name a PEM file, from the working directory") from None
    key, chain, client_ca = found
    return key or b"", chain or b"", client_ca
