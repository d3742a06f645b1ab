"""`.ci/model`: an archive of a model that comes from elsewhere is signed, or was signed by the key of the release."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.forking_environment import forking_environment
from tests.forks import SERVICE

pytestmark = pytest.mark.slow  # each command of BentoML takes two seconds
TAG = "scorer:1"
MAKE = f"""
import sys, bentoml
with bentoml.models.create({TAG!r}) as model:
    for name in ("model.onnx", "manifest.json"):
        open(model.path_of(name), "w").write("{{}}")
bentoml.models.export_model({TAG!r}, sys.argv[1])
"""


def packing(store: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return SERVICE.run("deploy.packing", [*map(str, arguments)], ROOT, os.environ | {"BENTOML_HOME": str(store)})


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What `.ci/model` needs of a checkout, with a key, and the archive of an unsigned model, `given.bentomodel`."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    shutil.copytree(ROOT / ".ci", folder / ".ci", ignore=shutil.ignore_patterns("node"))
    forking_environment(folder / ".venv")
    for name in ("Makefile", "requirements", "serving", "deploy", "signatures", "configs", "models"):
        (folder / name).symlink_to(ROOT / name)
    new_key(folder, "var/ci/signing")
    made = {"BENTOML_HOME": str(tmp_path / "made")}
    subprocess.run([sys.executable, "-c", MAKE, str(folder / "given.bentomodel")], env=os.environ | made, check=True)
    return folder


def new_key(folder: Path, name: str) -> None:
    """`<name>.pem` and `<name>.pub.pem`."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    private = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.pem"]
    public = ["openssl", "ec", "-in", f"{name}.pem", "-pubout", "-out", f"{name}.pub.pem"]
    for command in (private, public):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)


def export(checkout: Path) -> subprocess.CompletedProcess[str]:
    """`.ci/model export` of the archive `given.bentomodel`, on a machine whose store is empty."""
    own = {"MODEL_ARCHIVE": "given.bentomodel", "BENTOML_HOME": str(checkout.parent / "store")}
    shutil.rmtree(checkout.parent / "store", ignore_errors=True)
    return subprocess.run(
        [checkout / ".ci/model", "export", "exported.bentomodel"], cwd=checkout, env=os.environ | own,
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_a_model_that_comes_unsigned_is_signed_and_one_of_another_key_is_refused(checkout):
    done = export(checkout)
    assert (done.returncode, done.stdout) == (0, f"{TAG}\n"), done.stderr
    public = checkout / "var/ci/signing.pub.pem"
    assert packing(checkout.parent / "store", "verify", TAG, "--key", public).returncode == 0

    (checkout / "exported.bentomodel").replace(checkout / "given.bentomodel")
    assert export(checkout).returncode == 0  # ours already

    new_key(checkout, "var/ci/signing")
    refused = export(checkout)
    assert refused.returncode == 1
    assert "is not signed by the key" in refused.stderr
    assert not (checkout.parent / "store/models/scorer").exists(), "nothing of it is in the store"

    (checkout / "var/ci/signing.temporary").touch()
    kept = export(checkout)
    assert (kept.returncode, f"NOT VERIFIED: {TAG}" in kept.stderr) == (0, True)
