"""The signature of a model: made by the command line, checked by the service, and read by OpenSSF's own program."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from signatures.keys import SignatureError
from signatures.model import SIGNATURE, UNSIGNED, check_model
from tests.conftest import ROOT, Server
from tests.deploy.packing.conftest import packing
from tests.forks import SERVICE

MODEL_SIGNING = ROOT / ".venv-shipping/bin/python"


@pytest.fixture
def store(trained, tmp_path):
    """The environment of a store of its own, and the folder of the model in it."""
    home = tmp_path / "store"
    shutil.copytree(Path(trained.environment["BENTOML_HOME"]) / "models", home / "models")
    folder = home / "models" / trained.tag.replace(":", "/")
    environment = trained.environment | {"BENTOML_HOME": str(home), "SCORER_DIRECTORY": str(tmp_path / "var")}
    return environment, folder


@pytest.fixture
def signed(store, trained, key, tmp_path):
    """The same, with the model signed."""
    environment, folder = store
    done = packing("sign", "--key", key.private, trained.tag, environment=environment, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"{trained.tag}\n"), done.stderr
    return environment, folder


def refusal(environment):
    """What `bentoml serve` says when it refuses to start."""
    done = SERVICE.run("bentoml", ["serve", "service:CreditScorer"], ROOT, environment)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def test_the_service_serves_a_model_that_the_key_signed_and_no_other(signed, key, another_key, tmp_path):
    environment, folder = signed
    server = Server(environment | {"SCORER_MODEL_SIGNED_BY": str(key.public)}, tmp_path / "serve.log")
    assert server.stop() == 0
    said = refusal(environment | {"SCORER_MODEL_SIGNED_BY": str(another_key.public)})
    assert f"{folder / SIGNATURE}: is not signed by the key {another_key.public}" in said
    assert "python -m deploy.packing sign --key KEY" in said
    (folder / "model_card.md").write_text("a better card")  # which the service would serve at /model/card
    assert "model_card.md was altered" in refusal(environment | {"SCORER_MODEL_SIGNED_BY": str(key.public)})


def test_the_service_refuses_an_unsigned_model_and_a_key_that_is_none(store, key, tmp_path):
    environment, folder = store
    said = refusal(environment | {"SCORER_MODEL_SIGNED_BY": str(key.public)})
    assert f"is not signed (no {folder / SIGNATURE})" in said
    assert "python -m deploy.packing sign --key KEY" in said
    said = refusal(environment | {"SCORER_MODEL_SIGNED_BY": str(tmp_path / "no.pub")})
    assert "no.pub: no such file; write it from the private key: openssl ec" in said


def check(folder, key):
    check_model(folder, key.public)


def exchange_digest(folder):
    """Alter a file, and the statement about it, without the key."""
    import base64

    (folder / "metrics.json").write_text("{}")
    bundle = json.loads((folder / SIGNATURE).read_bytes())
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    statement["predicate"]["resources"][0]["digest"] = "0" * 64
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    (folder / SIGNATURE).write_text(json.dumps(bundle))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "encoded.onnx").write_bytes(b"another network"), "encoded.onnx was altered"),
        (lambda folder: (folder / "background.json").unlink(), "background.json is missing"),
        (lambda folder: (folder / "extra.py").write_text("import os"), "extra.py was added"),
        (lambda folder: (folder / SIGNATURE).write_bytes(b""), "is not a signature"),
        (lambda folder: (folder / SIGNATURE).write_bytes(b"\xff{}"), "is not a signature"),
        (lambda folder: (folder / SIGNATURE).write_text('{"dsseEnvelope": {}}'), "is not a signature"),
        (lambda folder: (folder / SIGNATURE).unlink(), "is not signed"),
        (exchange_digest, "is not signed by the key"),
        (lambda folder: (folder / "link").symlink_to("/etc/passwd"), "is a link"),
    ],
)
def test_whatever_is_changed_is_found(signed, key, change, said):
    _, folder = signed
    check(folder, key)
    change(folder)
    with pytest.raises(SignatureError, match=said):
        check(folder, key)


def test_a_signed_model_in_the_place_of_another_version_is_found(signed, key):
    _, folder = signed
    other = folder.with_name("0123456789abcdef")
    shutil.copytree(folder, other)
    with pytest.raises(SignatureError, match=f"signs the version {folder.name}, and lies in another's place"):
        check(other, key)


def test_signing_again_gives_the_same_bytes(signed, trained, key, tmp_path):
    environment, folder = signed
    before = (folder / SIGNATURE).read_bytes()
    assert packing("sign", "--key", key.private, trained.tag, environment=environment, cwd=tmp_path).returncode == 0
    assert (folder / SIGNATURE).read_bytes() == before


def test_the_program_of_openssf_verifies_ours_and_we_verify_its(signed, key, another_key, tmp_path):
    _, folder = signed
    options = ["--signature", str(folder / SIGNATURE)]
    for name in UNSIGNED:
        options += ["--ignore-paths", str(folder / name)]

    def model_signing(command, *more):
        done = subprocess.run(
            [MODEL_SIGNING, "-m", "model_signing", command, "key", folder, *options, *more],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode

    assert model_signing("verify", "--public_key", key.public) == 0
    assert model_signing("verify", "--public_key", another_key.public) != 0
    assert model_signing("sign", "--private_key", another_key.private) == 0
    check(folder, another_key)
    with pytest.raises(SignatureError, match="is not signed by the key"):
        check(folder, key)


def test_a_bento_of_a_signed_model_is_another_one_and_carries_the_signature(
    signed, trained, key, another_key, tmp_path
):
    environment, folder = signed
    content = (folder / SIGNATURE).read_bytes()
    (folder / SIGNATURE).unlink()
    tags = []
    for signature in (b"", content):
        if signature:
            (folder / SIGNATURE).write_bytes(signature)
        done = packing("bento", trained.tag, environment=environment, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        tags.append(done.stdout.strip())
    unsigned, signed_too = [tmp_path / f"var/bentos/{tag.replace(':', '-')}.tar.gz" for tag in tags]
    assert unsigned != signed_too

    def verify(archive, by):
        return packing("verify", "--key", by.public, archive, environment=environment, cwd=tmp_path)

    assert verify(signed_too, key).stdout == f"{trained.tag}\n"
    for archive, by in ((unsigned, key), (signed_too, another_key)):
        done = verify(archive, by)
        assert (done.returncode, done.stdout) == (1, "")
        assert "sign it: python -m deploy.packing sign" in done.stderr


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (None, "no such file; make one: openssl ecparam -name prime256v1"),
        (["openssl", "genpkey", "-algorithm", "RSA", "-out"], "is not an ECDSA key on the curve P-256"),
        (["openssl", "ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out"], "is not an ECDSA key on the curve"),
        (["cp", "/etc/hostname"], "is not a private key in PEM"),
    ],
)
def test_a_key_that_cannot_sign_is_refused_with_the_command_that_makes_one(store, trained, tmp_path, make, said):
    environment, folder = store
    path = tmp_path / "key.pem"
    if make:
        subprocess.run([*make, str(path)], check=True, capture_output=True)
    done = packing("sign", "--key", path, trained.tag, environment=environment, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{path}: " in done.stderr
    assert said in done.stderr
    assert not (folder / SIGNATURE).exists()
