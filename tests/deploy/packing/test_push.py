"""Pushing to a registry: Debian's, over HTTP on loopback, with a small image in the place of ours."""

import base64
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import time
import urllib.request

import pytest

from deploy.packing.image.build import BASE_LABEL, COMMIT_LABEL, INPUT_LABELS, MODEL_LABEL, TIME_LABEL
from deploy.packing.registry.attachments import tag_of
from signatures.keys import private_key, sign
from tests.conftest import free_port
from tests.deploy.packing.conftest import packing

pytestmark = pytest.mark.shipping

# Of a build that was another day, of another commit.
LABELS = {COMMIT_LABEL: "5ca1ab1e", TIME_LABEL: "2001-02-03T04:05:06+00:00", BASE_LABEL: "debian:12"}
LABELS |= {name: f"{number:064x}" for number, name in enumerate(INPUT_LABELS.values())}

REGISTRY = """
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """Host and port of a registry."""
    home, port = tmp_path_factory.mktemp("registry"), free_port()
    (home / "config.yml").write_text(REGISTRY.format(folder=home / "images", port=port))
    log = (home / "log").open("w")
    process = subprocess.Popen(["docker-registry", "serve", str(home / "config.yml")], stdout=log, stderr=log)
    deadline = time.monotonic() + 20
    while True:
        assert process.poll() is None, (home / "log").read_text()
        assert time.monotonic() < deadline
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=2).close()
            break
        time.sleep(0.1)
    yield f"127.0.0.1:{port}"
    process.send_signal(signal.SIGTERM)
    process.wait(20)
    log.close()


@pytest.fixture(scope="module")
def image(trained, tmp_path_factory):
    """The name of an image of a few bytes with our labels; the folder in which its bento was built."""
    home = tmp_path_factory.mktemp("image")
    done = packing("bento", trained.tag, environment=trained.environment, cwd=home)
    version = done.stdout.strip().partition(":")[2]
    (home / "context").mkdir()
    (home / "context/file").write_text(str(home))
    name = f"localhost/packing-test-{os.getpid()}:{version}"
    labels = [f"--label={name}={value}" for name, value in (LABELS | {MODEL_LABEL: trained.tag}).items()]
    (home / "context/Dockerfile").write_text("FROM scratch\nCOPY file /file\n")
    build = ["buildah", "build", "--quiet", "--format=docker", "--isolation=chroot", *labels, f"--tag={name}"]
    subprocess.run([*build, str(home / "context")], check=True, capture_output=True)
    yield name, home
    subprocess.run(["buildah", "rmi", name], check=True, capture_output=True)


def blob(registry, repository, tag):
    """The one layer of an attachment, and its annotations."""
    accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    url = f"http://{registry}/v2/{repository}"
    with urllib.request.urlopen(urllib.request.Request(f"{url}/manifests/{tag}", headers=accept)) as answer:
        (layer,) = json.load(answer)["layers"]
    with urllib.request.urlopen(f"{url}/blobs/{layer['digest']}") as answer:
        return answer.read(), layer


@pytest.fixture(scope="module")
def pushed(registry, image, trained, key):
    """The image in the registry, signed: its reference, repository and digest."""
    name, home = image
    options = ["--registry", f"{registry}/credit", "--engine", "buildah", "--key", key.private]
    done = packing("push", name, *options, environment=trained.environment, cwd=home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().startswith(f"{registry}/credit/")
    reference, _, digest = done.stdout.strip().partition("@")
    return reference, reference.removeprefix(f"{registry}/").rpartition(":")[0], digest


def test_what_is_pushed_can_be_pulled_and_its_digest_is_the_registry_s(pushed, tmp_path):
    reference, _, digest = pushed
    pull = ["skopeo", "copy", "--quiet", "--src-tls-verify=false", f"docker://{reference}", f"dir:{tmp_path}/pulled"]
    subprocess.run(pull, check=True, capture_output=True)
    content = (tmp_path / "pulled/manifest.json").read_bytes()
    assert hashlib.sha256(content).hexdigest() == digest.removeprefix("sha256:")


def test_its_signature_is_cosign_s_and_openssl_verifies_it(pushed, registry, key, tmp_path):
    _, repository, digest = pushed
    payload, layer = blob(registry, repository, tag_of(digest, "sig"))
    assert layer["mediaType"] == "application/vnd.dev.cosign.simplesigning.v1+json"
    critical = json.loads(payload)["critical"]
    assert critical["image"] == {"docker-manifest-digest": digest}
    assert critical["identity"] == {"docker-reference": f"{registry}/{repository}"}
    (tmp_path / "payload").write_bytes(payload)
    signature = base64.b64decode(layer["annotations"]["dev.cosignproject.cosign/signature"])
    (tmp_path / "signature").write_bytes(signature)
    verify = ["openssl", "dgst", "-sha256", "-verify", key.public, "-signature", tmp_path / "signature"]
    subprocess.run([*verify, tmp_path / "payload"], check=True, capture_output=True)


def test_its_signature_lies_in_two_files_too(pushed, image, key, tmp_path):
    _, home = image
    digest = pushed[2].replace(":", "-")
    folder = home / "var/image/signatures"
    (tmp_path / "signature").write_bytes(base64.b64decode((folder / f"{digest}.sig").read_text()))
    verify = ["openssl", "dgst", "-sha256", "-verify", key.public, "-signature", tmp_path / "signature"]
    subprocess.run([*verify, folder / f"{digest}.payload.json"], check=True, capture_output=True)


def test_a_bill_of_materials_and_a_signed_provenance_lie_beside_it(pushed, registry, trained):
    _, repository, digest = pushed
    sbom, layer = blob(registry, repository, tag_of(digest, "sbom"))
    assert layer["mediaType"] == "application/vnd.cyclonedx+json"
    assert json.loads(sbom)["bomFormat"] == "CycloneDX"
    envelope, _ = blob(registry, repository, tag_of(digest, "att"))
    statement = json.loads(base64.b64decode(json.loads(envelope)["payload"]))
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert statement["subject"] == [
        {"name": f"{registry}/{repository}", "digest": {"sha256": digest.removeprefix("sha256:")}}
    ]
    definition = statement["predicate"]["buildDefinition"]
    assert definition["externalParameters"] == {"model": trained.tag, "commit": "5ca1ab1e"}
    assert definition["internalParameters"] == {"sourceDateEpoch": 981173106}
    resolved = {one.pop("name"): one for one in definition["resolvedDependencies"]}
    assert resolved["source"] == {"digest": {"gitCommit": "5ca1ab1e"}}
    assert resolved["base"] == {"uri": "debian:12"}
    for name, label in INPUT_LABELS.items():
        assert resolved[name] == {"digest": {"sha256": LABELS[label]}}


def test_it_is_verified_by_its_key_and_by_no_other(pushed, trained, key, another_key, tmp_path):
    reference, _, digest = pushed

    def verify(what, by):
        return packing("verify", "--key", by.public, what, environment=trained.environment, cwd=tmp_path)

    assert verify(reference, key).stdout == f"{reference} {digest}\n"
    printed = f"{reference}@{digest}"  # as the push prints it
    assert verify(printed, key).stdout == f"{printed} {digest}\n"
    done = verify(reference, another_key)
    assert (done.returncode, done.stdout) == (1, "")
    assert "is not signed by the key" in done.stderr


def test_another_image_under_that_tag_is_not_verified(pushed, registry, trained, key, tmp_path):
    _, repository, digest = pushed
    (tmp_path / "context").mkdir()
    (tmp_path / "context/Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /another\n")
    name = f"localhost/packing-other-{os.getpid()}"
    build = ["buildah", "build", "--quiet", "--format=docker", "--isolation=chroot", f"--tag={name}"]
    subprocess.run([*build, str(tmp_path / "context")], check=True, capture_output=True)
    other = f"{registry}/{repository}:other"
    subprocess.run(
        ["buildah", "push", "--quiet", "--tls-verify=false", name, f"docker://{other}"], check=True, capture_output=True
    )
    subprocess.run(["buildah", "rmi", name], check=True, capture_output=True)

    def verify():
        done = packing("verify", "--key", key.public, other, environment=trained.environment, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (1, "")
        return done.stderr

    assert "is not signed (no sha256-" in verify()
    inspect = ["skopeo", "inspect", "--tls-verify=false", "--format={{.Digest}}", f"docker://{other}"]
    theirs = subprocess.run(inspect, check=True, capture_output=True, text=True).stdout.strip()
    copy = ["skopeo", "copy", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false"]
    place = f"docker://{registry}/{repository}"
    subprocess.run([*copy, f"{place}:{tag_of(digest, 'sig')}", f"{place}:{tag_of(theirs, 'sig')}"], check=True)
    assert "has the signature of another image" in verify()


def test_an_image_with_several_signatures_is_verified_by_each_of_their_keys(
    pushed, registry, trained, key, another_key, tmp_path
):
    """As cosign writes them: a layer for each."""
    reference, repository, digest = pushed
    place = f"docker://{registry}/{repository}:{tag_of(digest, 'sig')}"
    folder = tmp_path / "attached"
    subprocess.run(["skopeo", "copy", "--quiet", "--src-tls-verify=false", place, f"dir:{folder}"], check=True)
    before = (folder / "manifest.json").read_bytes()
    manifest = json.loads(before)
    content = (folder / manifest["layers"][0]["digest"].removeprefix("sha256:")).read_bytes()
    signed = base64.b64encode(sign(private_key(another_key.private), content)).decode()
    broken = manifest["layers"][0] | {"annotations": {"dev.cosignproject.cosign/signature": "?"}}
    theirs = manifest["layers"][0] | {"annotations": {"dev.cosignproject.cosign/signature": signed}}
    (folder / "manifest.json").write_text(json.dumps(manifest | {"layers": [broken, *manifest["layers"], theirs]}))
    subprocess.run(["skopeo", "copy", "--quiet", "--dest-tls-verify=false", f"dir:{folder}", place], check=True)
    for one in (key, another_key):
        done = packing("verify", "--key", one.public, reference, environment=trained.environment, cwd=tmp_path)
        assert done.stdout == f"{reference} {digest}\n", done.stderr
    (folder / "manifest.json").write_bytes(before)
    subprocess.run(["skopeo", "copy", "--quiet", "--dest-tls-verify=false", f"dir:{folder}", place], check=True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--registry", "127.0.0.1:1/credit"], "connection refused"),
        (["--registry", ""], "give host and path"),
        (["--registry", "http://127.0.0.1:5000"], "give host and path"),
        (["--registry", "127.0.0.1:1/credit", "--key", "no.pem"], "no.pem: no such file; make one: openssl"),
        (
            ["--registry", "127.0.0.1:1/credit", "--engine", "lorry"],
            "no such engine; give one of docker, podman, buildah",
        ),
    ],
)
def test_what_cannot_be_pushed_is_said_with_the_remedy(image, trained, options, said):
    name, home = image
    done = packing("push", name, "--engine", "buildah", *options, environment=trained.environment, cwd=home)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [["push", "--registry", "127.0.0.1:1"], ["run"]])
def test_an_image_that_is_not_there_is_named_with_the_remedy(trained, command, tmp_path):
    verb, *options = command
    done = packing(verb, "no-such:0", *options, "--engine=buildah", environment=trained.environment, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "buildah has no image no-such:0; build it: make image" in done.stderr


def test_without_any_engine_the_message_says_what_to_install(trained, tmp_path):
    environment = trained.environment | {"PATH": str(tmp_path)}
    done = packing("image", "credit_scorer:0", environment=environment, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "apt-get install buildah debootstrap skopeo" in done.stderr.replace("\n", " ")


def test_the_bento_is_described_too(image, trained):
    _, home = image
    (archive,) = (home / "var/bentos").glob("*.tar.gz")
    (beside,) = (home / "var/bentos").glob("*.provenance.json")
    (subject,) = json.loads(beside.read_bytes())["subject"]
    assert subject == {"name": archive.name, "digest": {"sha256": hashlib.sha256(archive.read_bytes()).hexdigest()}}
    tag = archive.name.removesuffix(".tar.gz").replace("-", ":")
    done = packing("sbom", tag, environment=trained.environment, cwd=home)
    assert done.returncode == 0, done.stderr
    described = json.loads((home / done.stdout.strip()).read_bytes())
    names = {one["name"] for one in described["components"]}
    assert {"onnxruntime", "bentoml", "msgspec"} <= names
    assert "torch" not in names
