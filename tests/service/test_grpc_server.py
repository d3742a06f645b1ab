"""The gRPC server itself: several workers on one port, TLS, and an end at which no call fails."""

import datetime as dt
import ipaddress
import threading
import time

import grpc
import pytest
import tritonclient.grpc as triton
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tritonclient.grpc import service_pb2_grpc

from tests.conftest import apart
from tests.service.conftest import records, refused_start, until
from tests.service.test_grpc import SERVICE, typed

CALLERS = 16


class Caller(threading.Thread):
    """Asks on a connection of its own until it is told to stop or the service has gone."""

    def __init__(self, address, example, name):
        super().__init__(name=name)
        self.channel = grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
        self.example = example
        self.answered, self.asked, self.codes, self.stop = [], [], set(), threading.Event()

    def run(self):
        stub = service_pb2_grpc.GRPCInferenceServiceStub(self.channel)
        while not self.stop.is_set():
            identifier = f"private-{self.name}-{len(self.asked)}"
            self.asked.append(identifier)
            try:
                stub.ModelInfer(typed([self.example | {"application_id": identifier}]), timeout=30)
            except grpc.RpcError as error:
                self.codes.add(error.code())
                break
            self.answered.append(identifier)
        self.channel.close()


def test_workers_share_the_port_and_a_stop_under_load_fails_no_call_that_was_let_in(
    trained, serve, german_applicants, tmp_path
):
    service = serve(trained, workers=2)
    until(lambda: service.log.read_text().count("serving gRPC on") == 2, within_s=30)
    callers = [Caller(service.grpc, german_applicants[0], f"c{number}") for number in range(CALLERS)]
    for caller in callers:
        caller.start()
    deadline = time.monotonic() + 30
    while min(len(caller.answered) for caller in callers) < 20:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert service.stop() == 0
    for caller in callers:
        caller.join(30)
        assert not caller.is_alive()
    logged = set(records(tmp_path / "var"))
    answered = {identifier for caller in callers for identifier in caller.answered}
    asked = {identifier for caller in callers for identifier in caller.asked}
    assert answered == logged & asked, "scored and never answered, or the other way round"
    assert {code for caller in callers for code in caller.codes} == {StatusCode.UNAVAILABLE}
    said = service.log.read_text()
    assert "Traceback" not in said, said


def test_watchers_of_health_see_the_shutdown_coming(trained, serve):
    service = serve(trained)
    seen = []
    with grpc.insecure_channel(service.grpc) as channel:
        watched = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=SERVICE))
        seen.append(next(watched).status)
        stopping = threading.Thread(target=service.stop)
        stopping.start()
        seen.append(next(watched).status)
        watched.cancel()
        stopping.join()
    states = health_pb2.HealthCheckResponse
    assert seen == [states.SERVING, states.NOT_SERVING]


def test_a_second_service_on_the_port_names_the_setting_to_change(trained, service, tmp_path):
    done = refused_start(apart(trained, tmp_path) | {"SCORER_GRPC_PORT": service.grpc.split(":")[1]})
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    (line,) = [line for line in said.splitlines() if "gRPC cannot listen" in line]
    assert "in use" in line
    assert "SCORER_GRPC_PORT" in line


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"SCORER_GRPC_CERTIFICATE": "server.pem"}, "grpc_certificate: TLS needs a certificate and its key"),
        ({"SCORER_GRPC_CERTIFICATE": "no.pem", "SCORER_GRPC_KEY": "no.key"}, "grpc_key: no.key cannot be read"),
    ],
)
def test_a_certificate_that_is_not_there_is_named_at_start(trained, tmp_path, variables, said):
    done = refused_start(apart(trained, tmp_path) | variables)
    assert done.returncode != 0
    assert said in done.stdout + done.stderr


class Authority:
    """A CA that lives as long as its test."""

    def __init__(self, folder):
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test CA")])
        self.path = self._write("ca.pem", self._sign(self.name, self.key.public_key(), is_ca=True))

    def _sign(self, name, public_key, is_ca):
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
            )
        )
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def _write(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        return str(path)

    def issue(self, name):
        """Paths of a key and its certificate."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return self._write(f"{name}.key", private), self._write(
            f"{name}.pem", self._sign(subject, key.public_key(), is_ca=False)
        )


def test_mutual_tls_lets_in_those_with_a_certificate_and_nobody_else(trained, serve, tmp_path):
    authority = Authority(tmp_path)
    server_key, server_certificate = authority.issue("server")
    client_key, client_certificate = authority.issue("client")
    service = serve(
        trained,
        SCORER_GRPC_KEY=server_key,
        SCORER_GRPC_CERTIFICATE=server_certificate,
        SCORER_GRPC_CLIENT_CA=authority.path,
    )
    known = {"private_key": client_key, "certificate_chain": client_certificate}
    with triton.InferenceServerClient(service.grpc, ssl=True, root_certificates=authority.path, **known) as client:
        assert client.is_server_live()
    for strangers in ({"ssl": True, "root_certificates": authority.path}, {}):
        with triton.InferenceServerClient(service.grpc, **strangers) as client:
            with pytest.raises(triton.InferenceServerException) as caught:
                client.is_server_live(client_timeout=10)
            assert caught.value.status() == "StatusCode.UNAVAILABLE"
