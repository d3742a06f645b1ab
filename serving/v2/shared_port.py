"""The port that the workers of one service share, and no other service.

SO_REUSEPORT lets every process of one user listen on a port, so two services would take each other's calls without a
word. The process that starts the workers therefore takes the port for itself first, and then lets its workers in.
"""

import socket
from typing import Any

from configs.service import SERVICE_YAML
from configs.source import ConfigError


class SharedPort:
    """`host:port`, held from `take` to `release` or the end of the process; a port of 0 is none.

    Args:
        host: where to listen.
        port: on which port.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._held: socket.socket | None = None

    def take(self) -> None:
        """Take the port, for processes of the same user that ask for it with SO_REUSEPORT; raises `ConfigError`."""
        if not self._port:
            return
        try:
            family, _, _, _, address = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)[0]
            try:
                self._held = _bound(family, address, reuse=False)
            except OSError:  # it may be the connections of a service that has ended
                self._held = _bound(family, address, reuse=True)
        except OSError as error:
            problem = f"gRPC cannot listen on {self._host}:{self._port} ({error.strerror})"
            remedy = "choose another there or by SCORER_GRPC_PORT (make serve GRPC_PORT=…); 0 serves no gRPC"
            raise ConfigError(SERVICE_YAML, "grpc_port", problem, remedy) from None

    def release(self) -> None:
        """Let another have it, once the workers have ended."""
        if self._held:
            self._held.close()


def _bound(family: int, address: Any, *, reuse: bool) -> socket.socket:
    """A socket that is bound and never listens, so no connection comes to it."""
    held = socket.socket(family, socket.SOCK_STREAM)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
        held.bind(address)  # without SO_REUSEPORT: refused where anybody else listens
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except OSError:
        held.close()
        raise
    return held
