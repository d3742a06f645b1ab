"""Access over gRPC: where a call carries a key, and that without keys only this machine may call.

Leaves to others: whether a key is valid (`serving.access.authenticator`), which call needs which permission
(`serving.v2.grpc_calls`).
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from configs.api_keys import Permission
from configs.service import ServiceConfig
from serving.access.authenticator import AccessDenied, Authenticator
from serving.access.middleware import LOCAL_ONLY, is_loopback

BEARER = "bearer "


class GrpcAccess:
    """Refuses callers that may not call.

    Args:
        authenticator: decides on keys.
        settings: of the service.
    """

    def __init__(self, authenticator: Authenticator, settings: ServiceConfig) -> None:
        self._authenticator = authenticator
        # A client certificate of the configured CA identifies its caller as well as a key does.
        identified = authenticator.requires_keys or bool(settings.grpc_client_ca)
        self._local_only = not (identified or settings.open_to_network)

    def authorize(self, context: Any, permission: Permission) -> None:
        """Return if the caller has the permission; raises `Rejected`: 401, 403 or 429."""
        if self._authenticator.requires_keys:
            self._authenticator.authorize(presented_key(dict(context.invocation_metadata() or ())), permission)
        elif self._local_only and not all(map(is_loopback, callers(context))):
            raise AccessDenied(403, LOCAL_ONLY)


def callers(context: Any) -> list[str]:
    """The addresses that a call came by: the peer's, and those that proxies name in `x-forwarded-for`."""
    metadata = context.invocation_metadata() or ()
    forwarded = [part.strip() for name, value in metadata if name == "x-forwarded-for" for part in value.split(",")]
    return [host_of(context.peer()), *forwarded]


def presented_key(metadata: Mapping[str, str]) -> str | None:
    """The key in `authorization: Bearer …` or `x-api-key: …`.

    >>> presented_key({"authorization": "Bearer abc"}), presented_key({"x-api-key": "def"}), presented_key({})
    ('abc', 'def', None)
    """
    authorization = metadata.get("authorization", "")
    if authorization[: len(BEARER)].lower() == BEARER:
        return authorization[len(BEARER) :].strip()
    return metadata.get("x-api-key")


def host_of(peer: str) -> str:
    """The address in the string by which gRPC names a peer.

    >>> host_of("ipv4:127.0.0.1:50051"), host_of("ipv6:%5B::1%5D:50051")
    ('127.0.0.1', '::1')
    """
    return unquote(peer).partition(":")[2].rpartition(":")[0].strip("[]")
