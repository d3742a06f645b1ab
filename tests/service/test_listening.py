"""Where the service listens: gRPC where HTTP does, and with keys only where nobody on the way can read them."""

import json

import psutil
import pytest

from tests.conftest import Server, apart
from tests.service.certificates import Authority
from tests.service.conftest import refused_start
from tests.service.test_keys import FILE
from tests.service.test_tls import trusting


@pytest.fixture
def with_keys(trained, tmp_path):
    """The environment of a service that asks for keys."""
    (tmp_path / "keys.yaml").write_text(FILE)
    return apart(trained, tmp_path) | {"SCORER_KEYS_FILE": str(tmp_path / "keys.yaml")}


def listening(server):
    """The addresses of all sockets of a service that listen, by port."""
    found = {}
    process = psutil.Process(server.process.pid)
    for each in (process, *process.children(recursive=True)):
        for connection in each.net_connections("tcp"):
            if connection.status == "LISTEN":
                address = connection.laddr.ip.removeprefix("::ffff:")  # gRPC opens sockets of IPv6 for IPv4, too
                found.setdefault(connection.laddr.port, set()).add(address.replace("::", "0.0.0.0"))
    return found


def ports(server):
    return server.port, int(server.grpc.rpartition(":")[2])


def said_at_start(environment, *options):
    """What a service says that does not start."""
    done = refused_start(environment, *options)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout + done.stderr


def test_with_keys_and_a_host_of_loopback_nothing_listens_elsewhere(with_keys, tmp_path):
    server = Server(with_keys, tmp_path / "serve.log", workers=2)
    try:
        assert listening(server) == {port: {"127.0.0.1"} for port in ports(server)}
    finally:
        server.stop()


@pytest.mark.parametrize("by", ["command line", "environment", "configuration"])
def test_grpc_follows_http_however_its_host_is_given(trained, tmp_path, by):
    environment, options = apart(trained, tmp_path), ()
    if by == "command line":
        options = ("--host", "0.0.0.0")
    elif by == "environment":
        environment |= {"BENTOML_HOST": "0.0.0.0"}
    else:
        (tmp_path / "bentoml.yaml").write_text(
            json.dumps({"services": {"credit_scorer": {"http": {"host": "0.0.0.0"}}}})
        )
        environment |= {"BENTOML_CONFIG": str(tmp_path / "bentoml.yaml")}
    server = Server(environment, tmp_path / "serve.log", options=options)
    try:
        assert listening(server) == {port: {"0.0.0.0"} for port in ports(server)}
    finally:
        server.stop()


def test_keys_in_plain_text_over_a_network_are_refused_with_the_remedies(with_keys, tmp_path):
    for options in ((), ("--host", "0.0.0.0")):
        said = said_at_start(with_keys, *options)
        assert "keys_without_tls: HTTP would listen on 0.0.0.0 without TLS" in said
        for remedy in ("--host 127.0.0.1", "--ssl-certfile", "SCORER_KEYS_WITHOUT_TLS=true"):
            assert remedy in said
    authority = Authority(tmp_path, "ours")
    pair = authority.issue("server", server=True)
    files = ("--ssl-certfile", str(pair.certificate), "--ssl-keyfile", str(pair.key))
    plain_grpc = (
        (with_keys | {"SCORER_GRPC_PORT": "3001", "SCORER_GRPC_HOST": "0.0.0.0"}, ("--host", "127.0.0.1")),
        (with_keys | {"SCORER_GRPC_PORT": "3001"}, ("--host", "0.0.0.0", *files)),
    )
    for environment, options in plain_grpc:
        said = said_at_start(environment, *options)
        assert "keys_without_tls: gRPC would listen on 0.0.0.0 without TLS" in said
        for remedy in ("grpc_host: 127.0.0.1", "grpc_certificate", "SCORER_KEYS_WITHOUT_TLS=true"):
            assert remedy in said


def test_keys_over_a_network_are_served_by_tls_and_where_it_is_said_that_a_proxy_speaks_it(with_keys, tmp_path):
    authority = Authority(tmp_path, "ours")
    pair = authority.issue("server", server=True)
    files = ("--ssl-certfile", str(pair.certificate), "--ssl-keyfile", str(pair.key))
    by_tls = {"SCORER_GRPC_CERTIFICATE": str(pair.certificate), "SCORER_GRPC_KEY": str(pair.key)}
    for environment, options, tls in (
        (with_keys | by_tls, ("--host", "0.0.0.0", *files), trusting(authority)),
        (with_keys | {"SCORER_KEYS_WITHOUT_TLS": "true"}, (), None),
    ):
        server = Server(environment, tmp_path / "serve.log", options=options, tls=tls)
        try:
            assert listening(server) == {port: {"0.0.0.0"} for port in ports(server)}
        finally:
            server.stop()
