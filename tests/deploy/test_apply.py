"""`make apply`: what it refuses, and what it asks of a cluster."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

pytestmark = pytest.mark.slow  # each rendering takes kubectl a second
needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


@needs_kubectl
@pytest.mark.parametrize(
    ("overlay", "image", "said"),
    [
        ("prod", "r.example/credit-scorer:1", "no overlay 'prod'; say OVERLAY= one of: canary production staging"),
        ("staging", "", "say which image: IMAGE=<registry>/credit-scorer:<version>"),
        ("staging", "r.example/credit-scorer", "has no tag and no digest"),
        ("staging", "r.example/credit-scorer:1", "no cluster answers; choose one"),
    ],
)
def test_an_image_that_cannot_be_brought_to_a_cluster_is_refused_with_the_remedy(overlay, image, said, tmp_path):
    done = subprocess.run(
        ["make", "apply", f"OVERLAY={overlay}", f"IMAGE={image}"],
        cwd=ROOT,
        env=os.environ | {"KUBECONFIG": str(tmp_path / "none")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode != 0
    assert said in done.stderr


@needs_kubectl
def test_manifests_are_printed_with_the_image_in_every_pod():
    done = subprocess.run(
        ["make", "apply", "OVERLAY=canary", "IMAGE=r.example/credit-scorer:1", "DRY_RUN=1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert re.findall(r"image: (.*)", done.stdout) == ["r.example/credit-scorer:1"] * 2


STUB = """#!/bin/sh
# A cluster that answers: notes what is asked, and knows the options that kubectl knows. ROLLOUT and DEPLOYMENT are what
# serves in it; without KNOWS it has no Argo Rollouts, with NO_OPERATOR no Prometheus Operator. What is applied is kept.
echo "$*" >> "$LOG"
[ -z "$WARNING" ] || [ "$1" = kustomize ] || echo "$WARNING" >&2
case "$*" in
  kustomize*) exec "$KUBECTL" "$@" ;;
  *--output=name*) echo "error: --output must be 'yaml' or 'json'" >&2; exit 1 ;;
  "get crd servicemonitors.monitoring.coreos.com prometheusrules.monitoring.coreos.com")
    [ -z "$NO_OPERATOR" ] || { echo 'Error from server (NotFound): no servicemonitors' >&2; exit 1; } ;;
  *"get rollouts.argoproj.io"*)
    [ -n "$KNOWS" ] || { echo 'error: the server doesn'"'"'t have a resource type "rollouts"' >&2; exit 1; }
    printf %s "$ROLLOUT" ;;
  *"get service scorer "*) printf %s "$STABLE" ;;
  *"get service scorer-canary "*) printf %s "$CANARY" ;;
  *"get deployment scorer"*) printf %s "$DEPLOYMENT" ;;
  apply*) for last; do :; done; cp "$last" "$LOG.applied" ;;
esac
"""
IMAGE = "r.example/credit-scorer:1"


def apply(folder: Path, overlay: str, **cluster: str) -> subprocess.CompletedProcess[str]:
    """`make apply` of IMAGE to a cluster that is a stub, whose log is `<folder>/log`."""
    stub = folder / "kubectl"
    stub.write_text(STUB)
    stub.chmod(0o755)
    own = {"PATH": f"{folder}:{os.environ['PATH']}", "LOG": str(folder / "log"), "KUBECTL": shutil.which("kubectl")}
    empty = {"KNOWS": "", "ROLLOUT": "", "DEPLOYMENT": "", "STABLE": "", "CANARY": "", "WARNING": "", "NO_OPERATOR": ""}
    return subprocess.run(
        ["make", "apply", f"OVERLAY={overlay}", f"IMAGE={IMAGE}"],
        cwd=ROOT,
        env=os.environ | own | empty | cluster,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@needs_kubectl
def test_an_image_is_applied_once_the_cluster_answers(tmp_path):
    done = apply(tmp_path, "staging")
    assert done.returncode == 0, done.stderr
    asked = (tmp_path / "log").read_text()
    assert "apply --server-side" in asked
    assert "rollout status deployment/scorer" in asked


@needs_kubectl
@pytest.mark.parametrize(
    ("cluster", "replicas", "waits"),
    [
        ({"DEPLOYMENT": f"{IMAGE} 7"}, 7, True),
        ({"DEPLOYMENT": ""}, 3, True),
        ({"DEPLOYMENT": f"{IMAGE} 7", "ROLLOUT": "scorer 5"}, 5, True),
        ({"DEPLOYMENT": "r.example/credit-scorer:0 0", "ROLLOUT": "scorer 5"}, 5, False),
    ],
    ids=["beside a deployment", "in an empty namespace", "after a first that was never healthy", "after the first"],
)
def test_a_canary_begins_with_as_many_pods_as_serve_and_a_first_is_waited_for(tmp_path, cluster, replicas, waits):
    done = apply(tmp_path, "canary", KNOWS="yes", **cluster)
    assert done.returncode == 0, done.stderr
    objects = list(yaml.safe_load_all((tmp_path / "log.applied").read_text()))
    sizes = {found["kind"]: found["spec"]["replicas"] for found in objects if "replicas" in found.get("spec", {})}
    assert sizes == {"Rollout": replicas}
    assert ("wait rollout/scorer" in (tmp_path / "log").read_text()) is waits
    assert ("the canary goes on by itself" in done.stderr) is not waits


@needs_kubectl
def test_a_later_canary_leaves_traffic_where_argo_rollouts_has_sent_it(tmp_path):
    """A selector is one value to server-side apply: without the hash it would be fought over, or select every pod."""
    done = apply(tmp_path, "canary", KNOWS="yes", ROLLOUT="scorer 5", STABLE="1234", CANARY="2e10")
    assert done.returncode == 0, done.stderr
    objects = yaml.safe_load_all((tmp_path / "log.applied").read_text())
    selectors = {
        found["metadata"]["name"]: found["spec"]["selector"] for found in objects if found["kind"] == "Service"
    }
    assert {name: one.get("rollouts-pod-template-hash") for name, one in selectors.items()} == {
        "scorer": "1234",
        "scorer-canary": "2e10",
    }
    assert "--force-conflicts" in (tmp_path / "log").read_text()


@needs_kubectl
@pytest.mark.parametrize(
    ("overlay", "cluster", "said"),
    [
        ("canary", {}, "this cluster has no Argo Rollouts"),
        (
            "canary",
            {"KNOWS": "yes", "DEPLOYMENT": "r.example/credit-scorer:0 3"},
            "IMAGE=r.example/credit-scorer:0; once its Rollout is healthy, apply r.example/credit-scorer:1",
        ),
        (
            "canary",
            {"KNOWS": "yes", "DEPLOYMENT": "r.example/credit-scorer:0 3", "ROLLOUT": "scorer 3"},
            "IMAGE=r.example/credit-scorer:0; once its Rollout is healthy, apply r.example/credit-scorer:1",
        ),
        ("production", {"KNOWS": "yes", "ROLLOUT": "scorer 5"}, "a Rollout serves in the namespace scorer"),
        ("staging", {"NO_OPERATOR": "yes"}, "(NotFound): no servicemonitors; install the Prometheus Operator, or"),
    ],
)
def test_what_would_end_badly_is_refused_before_anything_is_applied(tmp_path, overlay, cluster, said):
    done = apply(tmp_path, overlay, **cluster)
    assert done.returncode != 0
    assert said in done.stderr
    assert "apply" not in (tmp_path / "log").read_text()


@needs_kubectl
def test_a_warning_of_kubectl_is_no_answer(tmp_path):
    said = "Warning: a plugin of the credentials is out of date"
    done = apply(tmp_path, "production", KNOWS="yes", WARNING=said)
    assert done.returncode == 0, done.stderr
    done = apply(tmp_path, "canary", KNOWS="yes", ROLLOUT="scorer 5", WARNING=said)
    assert done.returncode == 0, done.stderr
    objects = yaml.safe_load_all((tmp_path / "log.applied").read_text())
    assert [found["spec"]["replicas"] for found in objects if found["kind"] == "Rollout"] == [5]
