"""The gate before the calls of gRPC: where a call carries a key, and that without keys only this machine may call.

Leaves to others: whether a key is good (`serving.access`), which call needs what (`serving.v2.grpc_calls`).
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from configs.api_keys import Permission
from configs.service import ServiceConfig
from serving.access import AccessDenied, Authenticator
from serving.access.middleware import LOCAL_ONLY, is_loopback

BEARER = "bearer "


class GrpcAccess:
    """Refuses who may not call.

    Args:
        authenticator: decides on keys.
        settings: of the service.
    """

    def __init__(self, authenticator: Authenticator, settings: ServiceConfig) -> None:
        self._gatekeeper = authenticator
        # Who has a certificate of the CA that was named is no stranger.
        welcome = authenticator.requires_keys or settings.open_to_network or bool(settings.grpc_client_ca)
        self._local_only = not welcome

    def admit(self, context: Any, permission: Permission) -> None:
        """Return if the caller has the permission; raises `Rejected`: 401, 403 or 429."""
        if self._gatekeeper.requires_keys:
            self._gatekeeper.admit(presented_key(dict(context.invocation_metadata() or ())), permission)
        elif self._local_only and not is_loopback(host_of(context.peer())):
            raise AccessDenied(403, LOCAL_ONLY)


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
    """The address in what gRPC calls a peer.

    >>> host_of("ipv4:127.0.0.1:50051"), host_of("ipv6:%5B::1%5D:50051")
    ('127.0.0.1', '::1')
    """
    return unquote(peer).partition(":")[2].rpartition(":")[0].strip("[]")
