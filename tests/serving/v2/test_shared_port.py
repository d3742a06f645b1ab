"""The gRPC port belongs to one service, though its workers share it."""

import socket

import pytest

from configs.source import ConfigError
from serving.v2.shared_port import SharedPort
from tests.conftest import free_port

HOST = "127.0.0.1"


@pytest.fixture
def taken():
    """`taken(port)`: the port, for one service."""
    ports = []

    def take(port, host=HOST):
        ports.append(SharedPort(host, port))
        ports[-1].reserve()

    yield take
    for port in ports:
        port.release()


def listener(port):
    """A socket as a worker opens it."""
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    found.bind((HOST, port))
    found.listen()
    return found


def test_workers_share_the_port_and_another_service_is_refused(taken):
    port = free_port()
    taken(port)
    with listener(port), listener(port), pytest.raises(ConfigError, match="SCORER_GRPC_PORT"):
        taken(port)


def test_another_service_is_refused_before_the_first_has_workers(taken):
    port = free_port()
    taken(port)
    with pytest.raises(ConfigError, match=f"{HOST}:{port}"):
        taken(port)


def test_a_port_on_which_somebody_else_listens_is_refused(taken):
    with listener(free_port()) as somebody, pytest.raises(ConfigError, match="in use"):
        taken(somebody.getsockname()[1])


def test_connections_that_a_service_has_left_behind_are_no_hindrance(taken):
    with listener(free_port()) as old:
        port = old.getsockname()[1]
        with socket.create_connection((HOST, port)) as client:
            served, _ = old.accept()
            served.close()  # the first to close is the one that waits
            client.recv(1)
    taken(port)


def test_a_host_that_is_not_ours_is_named(taken):
    with pytest.raises(ConfigError, match=r"gRPC cannot listen on 192\.0\.2\.1:3001"):
        taken(3001, "192.0.2.1")


def test_port_zero_reserves_nothing(taken):
    taken(0, "192.0.2.1")
