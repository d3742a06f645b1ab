"""TLS and mTLS by BentoML's own options, with real certificates."""

import contextlib
import ssl

import httpx
import pytest

from tests.conftest import Server, apart
from tests.service.certificates import Authority


@pytest.fixture(scope="module")
def authorities(tmp_path_factory):
    """Ours, and one that nobody here trusts."""
    folder = tmp_path_factory.mktemp("certificates")
    return Authority(folder, "ours"), Authority(folder, "foreign")


@contextlib.contextmanager
def serving(trained, home, authority, context, *options):
    """A service with a certificate of `authority`; `context` is what the test waits for it with."""
    pair = authority.issue("server", server=True)
    files = ("--ssl-certfile", str(pair.certificate), "--ssl-keyfile", str(pair.key))
    options = ("--host", "127.0.0.1", *files, *options)
    server = Server(apart(trained, home), home / "serve.log", options=options, tls=context)
    try:
        yield server
    finally:
        server.stop()


def trusting(authority, pair=None) -> ssl.SSLContext:
    """What a client brings that trusts `authority` alone, and shows the certificate of `pair`."""
    context = ssl.create_default_context(cafile=str(authority.file))
    if pair:
        context.load_cert_chain(pair.certificate, pair.key)
    return context


def score(server, context, applicant):
    with httpx.Client(base_url=server.url, verify=context) as client:
        return client.post("/predict", json={"applicants": [applicant]})


def test_a_client_that_trusts_the_authority_gets_a_score_by_tls(trained, tmp_path, authorities, german_applicants):
    ours, foreign = authorities
    with serving(trained, tmp_path, ours, trusting(ours)) as server:
        answer = score(server, trusting(ours), german_applicants[0])
        assert answer.status_code == 200
        assert 0 < answer.json()[0]["probability"] < 1
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            score(server, trusting(foreign), german_applicants[0])
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(server.url.replace("https", "http") + "/livez")

        old = trusting(ours)
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(httpx.ConnectError):
            score(server, old, german_applicants[0])

        with httpx.Client(base_url=server.url, verify=trusting(ours)) as client:
            assert client.get("/").headers["strict-transport-security"] == "max-age=31536000"
            assert "strict-transport-security" not in client.get("/model").headers, "it is for browsers"


def test_under_mtls_a_client_needs_a_certificate_of_the_authority(trained, tmp_path, authorities, german_applicants):
    ours, foreign = authorities
    known = trusting(ours, ours.issue("client", server=False))
    required = ("--ssl-ca-certs", str(ours.file), "--ssl-cert-reqs", "2")
    with serving(trained, tmp_path, ours, known, *required) as server:
        assert score(server, known, german_applicants[0]).status_code == 200
        for stranger in (None, foreign.issue("stranger", server=False)):
            with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError, httpx.ConnectError)):
                score(server, trusting(ours, stranger), german_applicants[0])
