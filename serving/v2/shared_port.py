"""The port that the workers of one service share, and no other service.

SO_REUSEPORT lets every process of one user listen on a port, so two services would silently take each other's calls.
The process that starts the workers therefore binds the port alone first, and then lets its workers in.
"""

import socket
from typing import Any

from configs.service import SERVICE_YAML
from configs.source import ConfigError


class SharedPort:
    """`host:port`, reserved from `reserve` to `release` or the end of the process; port 0 reserves nothing.

    Args:
        host: where to listen.
        port: on which port.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._held: socket.socket | None = None

    def reserve(self) -> None:
        """Reserve the port for processes of the same user that ask with SO_REUSEPORT; raises `ConfigError`."""
        if not self._port:
            return
        try:
            family, _, _, _, address = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)[0]
            try:
                self._held = _bound(family, address, reuse=False)
            except OSError:  # closing connections of a service that has ended may still hold it
                self._held = _bound(family, address, reuse=True)
        except OSError as error:
            problem = f"gRPC cannot listen on {self._host}:{self._port} ({error.strerror})"
            remedy = "choose another there or by SCORER_GRPC_PORT (make serve GRPC_PORT=…); 0 serves no gRPC"
            raise ConfigError(SERVICE_YAML, "grpc_port", problem, remedy) from None

    def release(self) -> None:
        """Free the port, once the workers have ended."""
        if self._held:
            self._held.close()


def _bound(family: int, address: Any, *, reuse: bool) -> socket.socket:
    """A socket that is bound and never listens, so no connection reaches it."""
    held = socket.socket(family, socket.SOCK_STREAM)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
        held.bind(address)  # without SO_REUSEPORT: fails where anybody else listens
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except OSError:
        held.close()
        raise
    return held
