"""What the connections of a worker need, and putting our protocol in the place of uvicorn's.

Owns which requests of which routes may take the fast path at all, and that uvicorn is left alone where its protocol has
changed; `tests/serving/http/test_protocol.py` fails then.
"""

import logging
from collections.abc import Mapping

import uvicorn.config
from msgspec import Struct
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from configs.service import ServiceConfig
from serving.access.middleware import AccessPolicy
from serving.http.bentoml_stack import seeing_every_request
from serving.http.connection import Limits
from serving.http.endpoint import Endpoint
from serving.http.known_heads import KnownHeads
from serving.http.protocol import ScorerProtocol

# The parts of uvicorn's protocol that ours overrides or calls.
USED = (
    "_start_asgi_task connection_lost connection_made data_received on_body on_headers_complete on_message_begin "
    "on_message_complete on_response_complete pause_writing resume_writing shutdown"
)
logger = logging.getLogger("bentoml.scorer")


class ConnectionSettings(Struct, frozen=True):
    """What the connections of a worker need.

    Attributes:
        endpoints: of the fast path, by the bytes of their URL path; may be empty.
        access: decides who may call.
        max_body_bytes: the largest body.
        limits: of every connection.
    """

    endpoints: Mapping[bytes, Endpoint]
    access: AccessPolicy
    max_body_bytes: int
    limits: Limits

    def apply(self, app: Starlette) -> None:
        """Apply the settings to this worker; without a fast path if BentoML's stack must see every request."""
        app.router.redirect_slashes = False  # behind TLS, clients would follow to http:// with their bodies
        paths = [path.decode() for path in self.endpoints]
        seeing = seeing_every_request(app.user_middleware, paths[0], self.limits.timeout_s) if paths else []
        if seeing:
            logger.warning(
                "no fast path, as BentoML's configuration has %s: fewer requests per second", ", ".join(seeing)
            )
        ScorerProtocol.limits = self.limits
        ScorerProtocol.access, ScorerProtocol.max_body_bytes = self.access, self.max_body_bytes
        ScorerProtocol.endpoints = {} if seeing else self.endpoints
        ScorerProtocol.heads = KnownHeads()


def connection_settings(
    settings: ServiceConfig, endpoints: Mapping[bytes, Endpoint], access: AccessPolicy
) -> ConnectionSettings:
    """What follows from the settings of the service."""
    limits = Limits(settings.timeout_s, settings.keep_alive_s, settings.max_connections_per_address)
    return ConnectionSettings(endpoints if settings.uses_fast_path else {}, access, settings.max_body_bytes, limits)


def register() -> bool:
    """Have uvicorn use `ScorerProtocol` from here on; returns False, and logs it, where its protocol has changed."""
    if not all(callable(getattr(HttpToolsProtocol, name, None)) for name in USED.split()):
        logger.warning("uvicorn's HTTP protocol has changed: no fast path, no limits on heads and slow requests")
        return False
    uvicorn.config.HTTP_PROTOCOLS["auto"] = f"{ScorerProtocol.__module__}:{ScorerProtocol.__name__}"
    return True
