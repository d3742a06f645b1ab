"""The gRPC server of a worker: its port, TLS, keepalive and limits.

Owns starting, and stopping without a failed call. Leaves the calls themselves to `serving.v2.grpc_calls`, health to
grpc_health, and reflection to grpc_reflection.
"""

import asyncio
import logging
from pathlib import Path

import grpc

from configs.service import SERVICE_YAML, ServiceConfig
from configs.source import ConfigError
from serving.access.grpc_access import GrpcAccess
from serving.v2.grpc_calls import GrpcCalls
from serving.v2.grpc_core import GrpcCore
from serving.v2.grpc_health import Health
from serving.v2.grpc_reflection import Reflection
from serving.v2.inference import Inference
from serving.v2.message_reader import MessageReader
from serving.v2.message_size import largest_message
from serving.v2.messages import Messages

READINESS_INTERVAL_S = 1.0  # between two checks of readiness, for those who watch the health service
# In these seconds a new call gets UNAVAILABLE, and its client tries elsewhere; later ones are not taken.
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
HANDSHAKE_S = 10  # for TLS and the beginning of HTTP/2
# What is taken in of calls that nobody has let in yet: 64 KiB of each, and 100 calls of a connection; a client keeps
# further ones until those have ended. With probes of the bandwidth, gRPC would take in megabytes of each.
UNADMITTED = (
    ("grpc.max_concurrent_streams", 100),
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 1 << 16),
    ("grpc.server_handshake_timeout_ms", HANDSHAKE_S * 1000),
)
READING_BYTES = 256 << 20  # that may arrive at once of the messages of admitted calls
LEAST_MESSAGES = 8  # that may, however large one is
STRANGERS = 4  # messages that may arrive at once of calls that need no permission: health, liveness and readiness
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
        self._health: Health | None = None
        self._core: GrpcCore | None = None
        self._calls: GrpcCalls | None = None
        self._readiness_task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen, and answer from now on."""
        settings, messages, decoder = self._settings, Messages(), self._inference.decoder
        max_bytes = largest_message(decoder.schema, decoder.max_rows, settings.max_body_bytes)
        limits = (
            ("grpc.max_receive_message_length", max_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.server.max_pending_requests", MAX_PENDING_CALLS),
            ("grpc.server.max_pending_requests_hard_limit", MAX_PENDING_CALLS),
            ("grpc.so_reuseport", 1),  # the workers of this service; SharedPort keeps others out
        )
        most = max(READING_BYTES // max_bytes, LEAST_MESSAGES)
        admitted = MessageReader(most, most // 2, settings.timeout_s)
        strangers = MessageReader(STRANGERS, 0, settings.timeout_s, small=True)
        self._calls = GrpcCalls(self._inference, messages, self._access, admitted, strangers)
        self._health = Health(strangers)
        await self._report()
        reflection = Reflection(messages, self._access, self._calls)
        handlers = {**self._calls.handlers(), **self._health.handlers(), **reflection.handlers()}
        self._core = GrpcCore((*KEEPALIVE, *UNADMITTED, *limits), handlers)
        host = f"[{settings.grpc_address}]" if ":" in settings.grpc_address else settings.grpc_address  # IPv6
        address = f"{host}:{settings.grpc_port}"
        certificates = read_certificates(settings)
        credentials = None
        if certificates:
            key, chain, client_ca = certificates
            credentials = grpc.ssl_server_credentials([(key, chain)], client_ca, require_client_auth=bool(client_ca))
        self._core.listen(address, credentials)
        self._core.start()
        self._readiness_task = asyncio.create_task(self._watch_readiness())
        logger.info("serving gRPC on %s", address)

    async def stop(self, grace_s: float, drain_s: float = DRAIN_S) -> None:
        """Report NOT_SERVING, refuse new calls for `drain_s` seconds, and let running ones finish in `grace_s`."""
        if self._core is None or self._health is None or self._calls is None or self._readiness_task is None:
            return
        self._readiness_task.cancel()
        await self._health.shut_down()
        self._calls.shut_down()
        await asyncio.sleep(drain_s)
        await self._core.stop(max(grace_s - drain_s, 0))

    async def _report(self) -> None:
        if self._health:
            await self._health.report(await self._inference.ready())

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
