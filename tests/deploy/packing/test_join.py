"""`.ci/join`: the image for several processors, which is the one deployed, is described and signed like its parts."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.packing.errors import PackingError
from deploy.packing.provenance import PREDICATE
from deploy.packing.registry.attachments import attached, skopeo
from deploy.packing.registry.push import Pushed, attach_provenance, attach_sbom, digest_of, sign_image, verify_image
from signatures.keys import private_key
from tests.conftest import ROOT
from tests.deploy.packing import test_push

pytestmark = pytest.mark.shipping
registry = test_push.registry
VERSION = "1"
PLAIN = ["tls-verify=false"]


def layout(folder: Path, arch: str) -> Path:
    """An OCI layout of an image without layers, for one kind of processor."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)

    def put(content: dict) -> dict:
        encoded = json.dumps(content).encode()
        digest = hashlib.sha256(encoded).hexdigest()
        (blobs / digest).write_bytes(encoded)
        return {"digest": f"sha256:{digest}", "size": len(encoded)}

    config = put({"architecture": arch, "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": []}})
    kind = "application/vnd.oci.image"
    manifest = {"schemaVersion": 2, "mediaType": f"{kind}.manifest.v1+json", "layers": []}
    manifest["config"] = {"mediaType": f"{kind}.config.v1+json"} | config
    entry = {"mediaType": f"{kind}.manifest.v1+json", "annotations": {"org.opencontainers.image.ref.name": "it"}}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry | put(manifest)]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return folder


def push(place: str, folder: Path, arch: str, key: Path, model: str = "scorer:a", about: str = "") -> Pushed:
    """An image below `<place>/<arch>`, described and signed as `make image-push` does."""
    name = f"{place}/{arch}/credit-scorer"
    skopeo(
        ["copy", "--quiet", "--dest-tls-verify=false", f"oci:{layout(folder, arch)}:it", f"docker://{name}:{VERSION}"]
    )
    image = Pushed(name, VERSION, digest_of(f"{name}:{VERSION}"))
    component = {"type": "container", "name": "credit-scorer", "bom-ref": "image"}
    bom = {"specVersion": "1.6", "metadata": {"component": component}, "components": [{"name": "bash", "bom-ref": "b"}]}
    attach_sbom(image, json.dumps(bom).encode())
    parameters = {"model": model, "commit": "5ca1ab1e"}
    build = {"externalParameters": parameters, "resolvedDependencies": [{"name": "data"}]}
    subject = {"name": name, "digest": {"sha256": about or image.digest.removeprefix("sha256:")}}
    statement = {"predicateType": PREDICATE, "subject": [subject], "predicate": {"buildDefinition": build}}
    attach_provenance(image, json.dumps(statement).encode(), private_key(key))
    sign_image(image, private_key(key), folder / "signatures")
    return image


@pytest.fixture
def checkout(tmp_path, key):
    """What `.ci/join` needs of a checkout, with the key of the release."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    shutil.copytree(ROOT / ".ci", folder / ".ci", ignore=shutil.ignore_patterns("node"))
    for name in (".venv", "Makefile", "requirements", "serving", "deploy", "signatures", "configs", "models"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "var/ci").mkdir(parents=True)
    shutil.copy(key.private, folder / "var/ci/signing.pem")
    shutil.copy(key.public, folder / "var/ci/signing.pub.pem")
    return folder


def join(checkout: Path, place: str, arches: str = "amd64 arm64") -> subprocess.CompletedProcess[str]:
    own = {"REGISTRY": place, "ARCHES": arches, "VERSION": VERSION, "GITHUB_OUTPUT": str(checkout / "output")}
    return subprocess.run(
        [checkout / ".ci/join"], env=os.environ | own, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture
def place(registry, request):
    """A path of its own in the registry."""
    return f"{registry}/{hashlib.sha256(request.node.name.encode()).hexdigest()[:8]}"


def test_the_list_that_is_deployed_is_signed_and_described_like_its_images(checkout, place, tmp_path, key):
    images = {arch: push(place, tmp_path / arch, arch, key.private) for arch in ("amd64", "arm64")}
    for _ in range(2):  # a workflow that is run again ends well
        done = join(checkout, place)
        assert done.returncode == 0, done.stderr
    name = f"{place}/credit-scorer"
    digest = verify_image(f"{name}:{VERSION}", key.public)
    assert done.stdout.splitlines()[-1] == f"{name}:{VERSION}@{digest}"
    assert f"digest={digest}\nrepository={name}\n" in (checkout / "output").read_text()
    assert digest not in {image.digest for image in images.values()}
    for image in images.values():
        assert verify_image(f"{name}@{image.digest}", key.public) == image.digest

    bom = json.loads(attached(name, digest, "sbom", PLAIN)[0][0])
    assert [image["bom-ref"] for image in bom["components"]] == ["amd64/image", "arm64/image"]
    assert bom["components"][1]["components"] == [{"name": "bash", "bom-ref": "arm64/b"}]
    envelope = json.loads(attached(name, digest, "att", PLAIN)[0][0])
    statement = json.loads(base64.b64decode(envelope["payload"]))
    assert statement["subject"] == [{"name": name, "digest": {"sha256": digest.removeprefix("sha256:")}}]
    inputs = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert [one["name"] for one in inputs] == ["amd64", "arm64", "data"]
    assert inputs[0]["digest"]["sha256"] == images["amd64"].digest.removeprefix("sha256:")


def test_images_that_another_key_has_signed_are_not_joined_into_one_that_ours_has(
    checkout, place, tmp_path, key, another_key
):
    push(place, tmp_path / "ours", "amd64", key.private)
    push(place, tmp_path / "theirs", "arm64", another_key.private)
    done = join(checkout, place)
    assert done.returncode == 1
    assert f"{place}/arm64/credit-scorer:1 is not signed by the key" in done.stderr
    with pytest.raises(PackingError, match="unknown"):
        digest_of(f"{place}/credit-scorer:{VERSION}")
    # A key that was made for one job tells nothing of what another job has signed.
    (checkout / "var/ci/signing.temporary").touch()
    assert join(checkout, place).returncode == 0


def test_images_of_two_models_are_not_one_image(checkout, place, tmp_path, key):
    push(place, tmp_path / "amd64", "amd64", key.private, "scorer:a")
    push(place, tmp_path / "arm64", "arm64", key.private, "scorer:b")
    done = join(checkout, place)
    assert done.returncode == 1
    assert "joins images of different models (scorer:a, scorer:b)" in done.stderr


def test_the_signed_provenance_of_another_image_is_not_taken(checkout, place, tmp_path, key):
    push(place, tmp_path / "amd64", "amd64", key.private)
    push(place, tmp_path / "arm64", "arm64", key.private, about="0" * 64)
    done = join(checkout, place)
    assert done.returncode == 1
    assert "as its provenance is about something else" in done.stderr


def test_nothing_is_joined_without_a_key(checkout, place):
    (checkout / "var/ci/signing.pem").unlink()
    done = join(checkout, place)
    assert (done.returncode, "nothing to sign with" in done.stderr) == (1, True)
