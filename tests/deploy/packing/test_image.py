"""The container image, end to end with buildah as root: built, run as user 1034, asked over HTTP and gRPC, stopped."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import grpc
import numpy as np
import pytest
import tritonclient.grpc

from deploy.packing.image.build import FOLDER, INPUT_LABELS, MODEL_LABEL
from deploy.packing.image.run import USER
from tests.conftest import ROOT, free_port
from tests.deploy.packing.conftest import packing

pytestmark = [pytest.mark.shipping, pytest.mark.timeout(1200)]
NAME = f"localhost/image-test-{os.getpid()}"
MOST_BYTES = 450_000_000  # bytes that the image may have beyond its base, uncompressed


class Image:
    """An image built for these tests alone, and the folder it was built in."""

    def __init__(self, home: Path, environment: dict[str, str], model_tag: str) -> None:
        self.home, self.environment = home, environment
        wheels = Path(FOLDER, "context/wheels")  # which the checkout may have from an earlier build
        if (ROOT / wheels).is_dir():
            shutil.copytree(ROOT / wheels, home / wheels)
        self.bento = self.packing("bento", model_tag).stdout.strip()
        self.name = self.build()

    def packing(self, *arguments):
        done = packing(*arguments, environment=self.environment, cwd=self.home)
        assert done.returncode == 0, done.stderr
        return done

    def build(self):
        done = self.packing("image", self.bento, "--engine", "buildah", "--name", NAME)
        return done.stdout.splitlines()[-1]

    @property
    def described(self):
        return json.loads(buildah("inspect", "--type=image", self.name))


def buildah(*arguments):
    return subprocess.run(["buildah", *arguments], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def image(trained, tmp_path_factory):
    environment = {name: value for name, value in trained.environment.items() if not name.startswith("SCORER_")}
    image = Image(tmp_path_factory.mktemp("image"), environment, trained.tag)
    yield image
    buildah("rmi", "--force", image.name)


@pytest.fixture(scope="module")
def root(image):
    """The file system of the image, mounted."""
    container = buildah("from", "--pull-never", image.name)
    yield Path(buildah("mount", container))
    buildah("rm", container)


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]


class Running:
    """A service of the image on free ports."""

    def __init__(self, log):
        self.http, self.grpc, self.log = free_port(), free_port(), log
        host = "127.0.0.1"
        self.addresses = {"BENTOML_HOST": host, "BENTOML_PORT": str(self.http)}
        self.addresses |= {"SCORER_GRPC_HOST": host, "SCORER_GRPC_PORT": str(self.grpc)}

    @classmethod
    def by_command_line(cls, image, volume, log):
        """`python -m deploy.packing run`."""
        running = cls(log)
        ports = ["--port", str(running.http), "--grpc-port", str(running.grpc), "--volume", str(volume)]
        command = [sys.executable, "-m", "deploy.packing", "run", image.name, "--engine", "buildah", *ports]
        running.start(command, image.home, image.environment | {"PYTHONPATH": str(ROOT)})
        return running

    def start(self, command, cwd, environment):
        with self.log.open("w") as output:
            self.process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=output, stderr=subprocess.STDOUT)

    def get(self, path, body=None):
        url = f"http://127.0.0.1:{self.http}{path}"
        with urllib.request.urlopen(
            urllib.request.Request(url, body, {"content-type": "application/json"}), timeout=10
        ) as answer:
            return json.load(answer) if body or path == "/model" else answer.status

    def until_ready(self):
        deadline = time.monotonic() + 120
        while True:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            try:
                if self.get("/readyz") == 200:
                    return
            except OSError:
                time.sleep(0.1)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


# What docker does with --read-only, and buildah cannot: a mount namespace in which the root is read-only but for the
# volume.
READ_ONLY = """
cp /etc/hosts "$1/etc/hosts"
mount --bind "$1" "$1"
mount -o remount,ro,bind "$1"
mount --bind "$2" "$1/scorer/var"
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
exec env -i "${@:3}" /usr/sbin/chroot --userspec=1034:1034 "$1" /scorer/entrypoint.sh
"""


@pytest.fixture(scope="module")
def read_only(image, tmp_path_factory):
    """The image running on a read-only file system, and where it is mounted."""
    home = tmp_path_factory.mktemp("read_only")
    (home / "volume").mkdir()
    os.chown(home / "volume", USER, USER)
    running = Running(home / "log")
    container = buildah("from", "--pull-never", image.name)
    try:
        place = buildah("mount", container)
        variables = image.described["Docker"]["config"]["Env"] + [
            f"{name}={value}" for name, value in running.addresses.items()
        ]
        command = ["unshare", "--mount", "bash", "-euc", READ_ONLY, "-", place, str(home / "volume"), *variables]
        running.start(command, home, os.environ)
        running.until_ready()
        yield running, Path(place)
        assert running.stop() == 0, running.log.read_text()
    finally:
        running.stop()
        buildah("rm", container)


def test_it_scores_over_http_and_grpc_as_user_1034_and_ends_at_sigterm_with_0(image, trained, tmp_path):
    volume = tmp_path / "volume"
    running = Running.by_command_line(image, volume, tmp_path / "log")
    try:
        running.until_ready()
        example = running.get("/model")["example"]
        (answer,) = running.get("/predict", json.dumps({"applicants": [example]}).encode())
        assert answer["model"] == trained.tag
        assert over_grpc(running.grpc, example) == answer["probability"]
        health = [sys.executable, str(ROOT / "deploy/packing/image/healthcheck.py")]
        check = subprocess.run(health, env=os.environ | {"BENTOML_PORT": str(running.http)}, check=False)
        assert check.returncode == 0
    finally:
        code = running.stop()
    assert code == 0, running.log.read_text()
    assert "Traceback" not in running.log.read_text()
    assert {path.stat().st_uid for path in volume.rglob("*")} == {USER}
    decisions = [path for path in (volume / "decisions").rglob("*") if path.is_file()]
    assert decisions, "nothing was recorded in the volume"
    check = subprocess.run(health, env=os.environ | {"BENTOML_PORT": str(running.http)}, check=False)
    assert check.returncode == 1
    assert (
        image.name.rpartition("/")[2] not in buildah("containers", "--format={{.ImageName}} {{.ContainerName}}") or root
    )


def over_grpc(port, example):
    """The probability that the service gives to an applicant over gRPC."""
    client = tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{port}")
    inputs = []
    try:
        for name, value in example.items():
            kind, array = (
                ("BYTES", np.array([value], object)) if isinstance(value, str) else ("FP64", np.array([float(value)]))
            )
            if isinstance(value, int):
                kind, array = "INT64", np.array([value])
            tensor = tritonclient.grpc.InferInput(name, [1], kind)
            tensor.set_data_from_numpy(array)
            inputs.append(tensor)
        return client.infer("german_credit", inputs).as_numpy("probability")[0]
    except grpc.RpcError as error:  # pragma: no cover - what went wrong is the message
        raise AssertionError(error) from None
    finally:
        client.close()


def test_without_its_volume_it_says_what_to_do(image):
    container = buildah("from", "--pull-never", image.name)
    try:
        run = ["buildah", "run", "--isolation=chroot", container, "--", "/scorer/entrypoint.sh"]
        done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=60)
    finally:
        buildah("rm", container)
    assert done.returncode != 0
    assert "there is no volume at /scorer/var" in done.stderr
    assert "--volume credit-scorer:/scorer/var" in done.stderr


def test_with_a_volume_of_somebody_else_it_says_what_to_do(image, tmp_path):
    (tmp_path / "volume").mkdir()  # which belongs to root
    container = buildah("from", "--pull-never", image.name)
    try:
        run = ["buildah", "run", "--isolation=chroot", f"--volume={tmp_path}/volume:/scorer/var"]
        done = subprocess.run(
            [*run, container, "--", "/scorer/entrypoint.sh"], capture_output=True, text=True, check=False, timeout=60
        )
    finally:
        buildah("rm", container)
    assert done.returncode != 0
    assert f"cannot be written by user {USER}" in done.stderr
    assert f"chown -R {USER}:{USER}" in done.stderr


def test_it_says_what_it_is_and_how_to_look_after_it(image, trained):
    described = image.described["Docker"]
    config = described["config"]
    assert config["User"] == f"{USER}:{USER}"
    assert config["Healthcheck"]["Test"] == ["CMD", "python", "/scorer/healthcheck.py"]
    manifest = json.loads((trained.folder / "manifest.json").read_bytes())
    labels = config["Labels"]
    assert labels[MODEL_LABEL] == trained.tag
    assert labels[INPUT_LABELS["data"]] == manifest["data_sha256"]
    assert labels["org.opencontainers.image.version"] == image.bento.partition(":")[2]
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert labels["org.opencontainers.image.revision"].removesuffix("-dirty") == head.stdout.strip()


def test_no_index_of_packages_is_named_in_it(image, root):
    """Neither that of this machine's pip, nor any other: the wheels came from a folder."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    settings = listed.stdout + "\n".join(value for name, value in os.environ.items() if name.startswith("PIP_"))
    hosts = set(re.findall(r"https?://(?:[^@/\s']*@)?([^/\s':]+)", settings))
    folders = set(re.findall(r"file://([^\s']+)", settings))
    history = json.dumps(image.described)
    written = files(root / "scorer") + files(root / "etc") + list((root / "opt/scorer").glob("*.cfg"))
    for said in hosts | folders:
        assert said not in history
        assert [path for path in written if path.is_file() and said.encode() in path.read_bytes()] == []
    assert not list((root / "opt/scorer").rglob("direct_url.json"))
    assert not list(root.rglob("pip.conf"))


def test_nobody_but_root_can_change_it_and_it_holds_no_secret_and_nothing_of_training(root):
    held = files(root / "opt/scorer") + files(root / "scorer")
    assert {path.stat().st_uid for path in held} == {0}
    assert [path for path in held if path.stat().st_mode & 0o022] == []
    packages = {path.name.partition("-")[0] for path in (root / "opt/scorer").rglob("*.dist-info")}
    assert "onnxruntime" in packages
    assert not packages & {"torch", "mlflow", "dvc", "pandas", "scikit_learn", "pip"}
    names = {path.relative_to(root / "scorer").as_posix() for path in files(root / "scorer")}
    assert not [name for name in names if name.endswith((".csv", ".parquet", ".pem", ".key")) or "/train/" in name]


def test_it_is_small(image, root):
    base = image.described["Docker"]["config"]["Labels"]["org.opencontainers.image.base.name"]
    container = buildah("from", "--pull-never", base)
    try:
        beneath = size(Path(buildah("mount", container)))
    finally:
        buildah("rm", container)
    assert size(root) - beneath <= MOST_BYTES


def size(folder):
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def test_built_again_it_is_the_same_image(image):
    before = buildah("inspect", "--type=image", "--format={{.FromImageID}}", image.name)
    assert image.build() == image.name
    assert buildah("inspect", "--type=image", "--format={{.FromImageID}}", image.name) == before


def test_it_runs_on_a_read_only_file_system_and_a_taken_port_ends_another_with_a_message(image, read_only, tmp_path):
    running, place = read_only
    example = running.get("/model")["example"]
    assert running.get("/predict", json.dumps({"applicants": [example]}).encode())
    (place / "scorer/var/probe").touch()  # outside the namespace it can be written, and inside it is not there
    inside = Path(f"/proc/{running.process.pid}/root")
    assert not (inside / "scorer/var/probe").exists()
    ports = ["--port", str(running.http), "--grpc-port", str(running.grpc), "--volume", str(tmp_path / "volume")]
    done = packing("run", image.name, "--engine", "buildah", *ports, environment=image.environment, cwd=image.home)
    assert done.returncode != 0
    assert "in use" in done.stderr
