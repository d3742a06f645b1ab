"""Where the service listens, and that keys do not cross a network in plain text.

Owns: the address and the TLS of HTTP, which BentoML knows by its command line or its configuration; that gRPC follows
that address; and the refusal to start. Leaves to others: what listens (BentoML, `serving.v2`).

BentoML tells a service neither, so this reads its command line through click, and private parts of its configuration.
`tests/service/test_listening.py` fails when these change.
"""

import os

import click
from msgspec import Struct

from configs.service import SERVICE_YAML, ServiceConfig
from configs.source import ConfigError
from serving.access.middleware import is_loopback

GRPC_HOST = "SCORER_GRPC_HOST"  # as which the workers, who have no command line of ours, read it
BEHIND_A_PROXY = "keys_without_tls: true (SCORER_KEYS_WITHOUT_TLS=true) where a proxy in front speaks TLS"


class Listening(Struct, frozen=True):
    """Where HTTP is to listen, and whether by TLS."""

    host: str
    tls: bool


def listening() -> Listening:
    """What `bentoml serve` was told; for the process that starts the workers."""
    from bentoml._internal.configuration.containers import BentoMLContainer

    context = click.get_current_context(silent=True)
    told = context.params if context else {}
    certificate = told.get("ssl_certfile") or BentoMLContainer.ssl.certfile.get()
    return Listening(str(told.get("host") or BentoMLContainer.http.host.get()), bool(certificate))


def settle_addresses(settings: ServiceConfig, http: Listening) -> str:
    """Have gRPC listen where HTTP does, unless a setting says where; returns where.

    Raises:
        ConfigError: keys would be sent in plain text over a network.
    """
    grpc_host = settings.grpc_host or http.host
    if settings.keys_file and not settings.keys_without_tls:
        if not (http.tls or is_local(http.host)):
            remedies = f"--host 127.0.0.1, --ssl-certfile and --ssl-keyfile, or {BEHIND_A_PROXY}"
            raise _plain("HTTP", http.host, remedies)
        if settings.grpc_port and not (settings.grpc_certificate or is_local(grpc_host)):
            remedies = (
                f"grpc_host: 127.0.0.1, grpc_certificate and grpc_key, grpc_port: 0 for no gRPC, or {BEHIND_A_PROXY}"
            )
            raise _plain("gRPC", grpc_host, remedies)
    os.environ[GRPC_HOST] = grpc_host
    return grpc_host


def is_local(host: str) -> bool:
    """Whether only this machine reaches what listens there.

    >>> is_local("127.0.0.1"), is_local("::1"), is_local("localhost"), is_local("0.0.0.0")
    (True, True, True, False)
    """
    return host == "localhost" or is_loopback(host)


def _plain(protocol: str, host: str, remedies: str) -> ConfigError:
    problem = f"{protocol} would listen on {host} without TLS, and everybody on the way could read the keys"
    return ConfigError(SERVICE_YAML, "keys_without_tls", problem, f"give one of: {remedies}")
