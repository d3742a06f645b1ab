"""Access over gRPC: where a call carries a key, and that without keys only this machine may call.

Leaves to others: whether a key is valid (`serving.access.authenticator`), which call needs which permission
(`serving.v2.grpc_calls`).
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from configs.api_keys import Permission
from configs.service import ServiceConfig
from serving.access.authenticator import Authenticator
from serving.access.denials import AccessDenied, WrongKey
from serving.access.middleware import LOCAL_ONLY, PROXY_HEADERS, is_loopback
from serving.calls import ANYONE, NEIGHBOUR, Caller, certificate_caller

BEARER = "bearer "
PROXY_METADATA = frozenset(name.decode() for name in PROXY_HEADERS)


class GrpcAccess:
    """Refuses callers that may not call.

    Args:
        authenticator: decides on keys.
        settings: of the service.
    """

    def __init__(self, authenticator: Authenticator, settings: ServiceConfig) -> None:
        self._authenticator = authenticator
        # A client certificate of the configured CA identifies its caller as well as a key does.
        self._by_certificate = bool(settings.grpc_client_ca)
        self._open_to_network = settings.open_to_network

    def authorize(self, call: Any, permission: Permission) -> Caller:
        """Return who calls, if the caller has the permission; raises `Rejected`: 401, 403 or 429."""
        if self._authenticator.requires_keys:
            try:
                return self._authenticator.authorize(presented_key(dict(call.invocation_metadata())), permission)
            except WrongKey as wrong:
                wrong.hold_s = self._authenticator.wrong_keys.hold_s(host_of(call.peer()), wrong.reason)
                raise
        if self._by_certificate:
            return certificate_caller(certificate_name(call.auth_context()))
        if self._open_to_network:
            return ANYONE
        if not is_neighbour(call):
            raise AccessDenied(403, LOCAL_ONLY)
        return NEIGHBOUR


def is_neighbour(call: Any) -> bool:
    """Whether a call comes from this machine, and no proxy says that it passed it on."""
    metadata = call.invocation_metadata()
    return is_loopback(host_of(call.peer())) and PROXY_METADATA.isdisjoint(name for name, _ in metadata)


def certificate_name(properties: Mapping[str, Sequence[bytes]]) -> str:
    """The name in a client certificate: its common name, or else its first alternative name.

    >>> certificate_name({"x509_common_name": [b"batch"], "x509_subject_alternative_name": [b"spiffe://bank/batch"]})
    'batch'
    >>> certificate_name({"x509_common_name": [b""], "x509_subject_alternative_name": [b"spiffe://bank/batch"]})
    'spiffe://bank/batch'
    """
    for name in ("x509_common_name", "x509_subject_alternative_name"):
        for found in properties.get(name, ()):
            if found:
                return found.decode("utf-8", "replace")
    return ""


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
