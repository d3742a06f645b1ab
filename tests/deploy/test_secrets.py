"""The secrets of Compose and of a namespace are made once, complete each other after an interruption, and are kept."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

LINKED = (".venv", "serving", "configs", "models", "monitoring")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the two scripts need of a checkout, but its environment."""
    for name in ("compose/secrets.sh", "kubernetes/secrets.sh", "key_pair"):
        (tmp_path / "deploy" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "deploy" / name, tmp_path / "deploy" / name)
    return tmp_path


def run(checkout: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(checkout / command[0]), *command[1:]],
        env=os.environ | environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def complete(checkout: Path) -> None:
    """Make the links to what the environment is."""
    for name in LINKED:
        (checkout / name).symlink_to(ROOT / name)


def files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def agree(keys: str, key: str) -> bool:
    """Whether a key file lets a key read, for ever: the day it expires every instance looks down to Prometheus."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    found = [one for one in yaml.safe_load(keys)["keys"] if one["sha256"] == digest]
    return [(one["permissions"], "expires" in one) for one in found] == [(["read"], False)]


def test_without_an_environment_nothing_is_made_and_the_remedy_is_named(checkout):
    for script in (["deploy/compose/secrets.sh"], ["deploy/kubernetes/secrets.sh", "scorer"]):
        done = run(checkout, *script)
        assert (done.returncode, "make environment" in done.stderr) == (1, True)
    assert not (checkout / "deploy/compose/secrets").exists()


def test_the_secrets_of_compose_are_what_it_reads_and_stay_what_they_are(checkout):
    complete(checkout)
    made = run(checkout, "deploy/compose/secrets.sh")
    assert (made.returncode, made.stderr) == (0, "")
    compose = yaml.safe_load((ROOT / "deploy/compose/compose.yaml").read_text())
    wanted = {Path(secret["file"]).name for secret in compose["secrets"].values()} | {"scorer.env"}
    folder = checkout / "deploy/compose/secrets"
    before = files(folder)
    assert set(before) == wanted
    assert folder.stat().st_mode & 0o077 == 0
    again = run(checkout, "deploy/compose/secrets.sh")
    assert (again.stdout, again.stderr) == ("", "")
    assert files(folder) == before
    ignored = subprocess.run(["git", "check-ignore", "-q", "deploy/compose/secrets/x"], cwd=ROOT, check=False)
    assert ignored.returncode == 0


def test_what_is_missing_of_the_secrets_of_compose_is_completed_from_what_is_there(checkout):
    """Between any two files it can be interrupted; an empty file is what a redirection leaves that was."""
    complete(checkout)
    run(checkout, "deploy/compose/secrets.sh")
    folder = checkout / "deploy/compose/secrets"
    kept = files(folder)
    for name in kept:
        before = files(folder)
        if name in ("metrics_key", "s3_credentials"):
            (folder / name).write_text("")
        else:
            (folder / name).unlink()
        done = run(checkout, "deploy/compose/secrets.sh")
        assert done.returncode == 0, done.stderr
        after = files(folder)
        assert set(after) == set(kept)
        changed = {one for one in after if after[one] != before[one]}
        # A lost key of Prometheus cannot be found again: another is added, and every other caller stays.
        assert changed <= ({name, "scorer_keys.yaml"} if name == "metrics_key" else {name})
        assert agree(after["scorer_keys.yaml"], after["metrics_key"]), name
        secret = json.loads(after["s3_identities.json"])["identities"][0]["credentials"][0]["secretKey"]
        assert f"aws_secret_access_key = {secret}\n" in after["s3_credentials"], name


PATCH = """
import base64, json, pathlib, sys
found = json.load(open(sys.argv[1]))
assert found["metadata"]["resourceVersion"] == "7"
for name, value in found["data"].items():
    (pathlib.Path(sys.argv[2]) / name).write_bytes(base64.b64decode(value))
"""
CLUSTER = r"""#!/bin/bash
# A cluster whose secrets are files, <secret>/<key>, and which stops answering at the Nth secret that is made.
[ "$1" != --namespace ] || shift 2
cd "$CLUSTER" || exit
case "$1 $2" in
  "get namespace" | "create namespace") ;;
  "get secret")
    [ -d "$3" ] || exit 0
    case "$*" in
      *resourceVersion*) printf 7 ;;
      *) all=$*; key=${all##*data \"}; base64 -w0 < "$3/${key%%\"*}" ;;
    esac ;;
  "create secret")
    [ "$(ls | wc -l)" != "${N:-}" ] || { echo 'no cluster' >&2; exit 1; }
    mkdir "$4" || exit
    given=${5#--from-file=}; cp "${given#*=}" "$4/${given%%=*}" ;;
  "patch secret")
    python3 -c "$PATCH" "${5#--patch-file=}" "$3" ;;
esac
"""


@pytest.fixture
def cluster(checkout, monkeypatch):
    """The folder of the secrets of a cluster that is a stub."""
    complete(checkout)
    (checkout / "bin").mkdir()
    (checkout / "bin/kubectl").write_text(CLUSTER)
    (checkout / "bin/kubectl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{checkout / 'bin'}:{os.environ['PATH']}")
    folder = checkout / "cluster"
    folder.mkdir()
    monkeypatch.setenv("CLUSTER", str(folder))
    monkeypatch.setenv("PATCH", PATCH)
    return folder


def secrets(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("made", [0, 1, 2])
def test_the_secrets_of_a_namespace_are_completed_where_the_cluster_stopped_answering(checkout, cluster, made):
    interrupted = run(checkout, "deploy/kubernetes/secrets.sh", "scorer", N=str(made))
    assert interrupted.returncode == 1
    before = secrets(cluster)
    assert len(before) == made
    done = run(checkout, "deploy/kubernetes/secrets.sh", "scorer")
    assert done.returncode == 0, done.stderr
    after = secrets(cluster)
    assert set(after) == {"scorer-log-key/key", "scorer-keys/keys.yaml", "scorer-metrics-key/key"}
    assert {name: after[name] for name in before} == before
    assert agree(after["scorer-keys/keys.yaml"], after["scorer-metrics-key/key"])
    assert len(base64.b64decode(after["scorer-log-key/key"])) == 32
    assert run(checkout, "deploy/kubernetes/secrets.sh", "scorer").returncode == 0
    assert secrets(cluster) == after


def test_a_lost_key_of_prometheus_is_replaced_and_every_caller_stays(checkout, cluster):
    assert run(checkout, "deploy/kubernetes/secrets.sh", "scorer").returncode == 0
    before = secrets(cluster)["scorer-keys/keys.yaml"]
    shutil.rmtree(cluster / "scorer-metrics-key")
    done = run(checkout, "deploy/kubernetes/secrets.sh", "scorer")
    assert done.returncode == 0, done.stderr
    after = secrets(cluster)
    assert after["scorer-keys/keys.yaml"].startswith(before)
    assert agree(after["scorer-keys/keys.yaml"], after["scorer-metrics-key/key"])
