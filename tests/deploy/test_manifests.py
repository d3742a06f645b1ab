"""The files of deploy/compose, deploy/kubernetes and deploy/terraform name what the service really has."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml

from configs.monitoring import read_monitoring
from configs.service import read_service
from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
OVERLAYS = ("staging", "production", "canary")
FILES = sorted(path for place in ("compose", "kubernetes", "terraform") for path in (DEPLOY / place).rglob("*"))
TEXTS = {path: path.read_text() for path in FILES if path.is_file() and "secrets" not in path.parts}
USER = 1034  # of the image
needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


@cache
def rendered(overlay: str) -> dict[tuple[str, str], dict[str, Any]]:
    """What an overlay comes to, by kind and name."""
    done = subprocess.run(
        ["kubectl", "kustomize", str(DEPLOY / "kubernetes/overlays" / overlay)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return {(found["kind"], found["metadata"]["name"]): found for found in yaml.safe_load_all(done.stdout)}


def pods(overlay: str) -> Iterator[dict[str, Any]]:
    yield rendered(overlay)["Deployment", "scorer"]["spec"]["template"]["spec"]
    yield rendered(overlay)["CronJob", "scorer-caretaker"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def test_every_setting_in_a_manifest_is_a_setting_of_the_service():
    known = {
        f"SCORER_{name.upper()}" for name in (*read_service().__struct_fields__, *read_monitoring().__struct_fields__)
    }
    named = {
        name: path
        for path, text in TEXTS.items()
        for name in re.findall(r"\bSCORER_[A-Z_]+\b", re.sub(r"(?m)^\s*(error_message|description) .*$", "", text))
    }
    assert len(named) > 5
    known |= {"SCORER_LOG_KEY", "SCORER_SEAL_KEY"}
    assert {name: path for name, path in named.items() if name not in known} == {}


@pytest.mark.parametrize("page", ["README.md", "docs/deployment.md", "docs/operations.md"])
def test_a_command_for_the_cluster_names_its_namespace(page):
    """At night nobody knows which namespace the last command has left behind as the default."""
    for command in re.findall(r"kubectl [^`\n]+", (ROOT / page).read_text()):
        if not re.match(r"kubectl (\w+ namespace|config|kustomize|1\.)", command):
            assert " --namespace " in command, command


def test_compose_starts_two_instances_each_with_a_volume_of_its_own_and_scrapes_both():
    compose = yaml.safe_load((DEPLOY / "compose/compose.yaml").read_text())
    scorers = {name: service for name, service in compose["services"].items() if name.startswith("scorer-")}
    assert [service["volumes"] for service in scorers.values()] == [[f"{name}:/scorer/var"] for name in scorers]
    scraped = yaml.safe_load((ROOT / "monitoring/prometheus/prometheus.yaml").read_text())["scrape_configs"][0]
    assert scraped["static_configs"][0]["targets"] == [f"{name}:3000" for name in scorers]
    proxied = re.findall(r"server (\S+) (\S+):3000", (DEPLOY / "compose/haproxy/haproxy.cfg").read_text())
    assert proxied == [(name, name) for name in scorers]


def test_containers_of_compose_are_read_only_without_rights_and_of_a_fixed_version():
    compose = yaml.safe_load((DEPLOY / "compose/compose.yaml").read_text())
    for name, service in compose["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["image"].startswith("${IMAGE:?") or re.search(r":v?\d+\.\d+", service["image"]), name
        for port in service.get("ports", ()):
            assert port.startswith(("127.0.0.1:", "${ADDRESS:-127.0.0.1}:")), f"{name} is open to the network"
        assert "environment" not in service or not [
            key for key in service["environment"] if key.endswith(("PASSWORD", "SECRET"))
        ]


@pytest.mark.parametrize("file", ["deployment.yaml", "caretaker.yaml"])
def test_no_service_of_the_namespace_changes_a_setting(file):
    """Kubernetes sets NAME_PORT=tcp://… for each Service: one called scorer-grpc or bentoml would stop the start."""
    template = yaml.safe_load((DEPLOY / "kubernetes/base" / file).read_text())["spec"]
    template = template.get("jobTemplate", {}).get("spec", template)["template"]
    assert template["spec"]["enableServiceLinks"] is False


@needs_kubectl
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_run_as_the_user_of_the_image_without_rights_on_a_read_only_root(overlay):
    for pod in pods(overlay):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == USER
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]


@needs_kubectl
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_pod_has_longer_to_end_than_the_service_takes(overlay):
    objects = rendered(overlay)
    (settings,) = [found["data"] for (kind, name), found in objects.items() if name.startswith("scorer-settings-")]
    (pod,) = [pod for pod in pods(overlay) if pod["containers"][0]["name"] == "scorer"]
    sleep = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > sleep + int(settings["SCORER_GRACE_S"])
    compose = yaml.safe_load((DEPLOY / "compose/compose.yaml").read_text())
    config = read_service()
    assert int(compose["x-scorer"]["stop_grace_period"].removesuffix("s")) > config.grace_s


@needs_kubectl
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_secret_is_named_and_never_given(overlay):
    assert "Secret" not in {kind for kind, _ in rendered(overlay)}
    image = rendered(overlay)["Deployment", "scorer"]["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == "credit-scorer:set-by-make-apply"


@needs_kubectl
def test_the_canary_takes_its_pods_from_the_deployment_and_the_autoscaler_takes_the_canary():
    objects = rendered("canary")
    rollout = objects["Rollout", "scorer"]["spec"]
    assert rollout["workloadRef"]["name"] == "scorer"
    assert rollout["workloadRef"]["scaleDown"] == "onsuccess"
    assert "replicas" not in objects["Deployment", "scorer"]["spec"], "its pods serve until those of the Rollout do"
    scaler = objects["HorizontalPodAutoscaler", "scorer"]["spec"]
    assert scaler["scaleTargetRef"] == {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "scorer"}
    assert rollout["replicas"] == scaler["minReplicas"]
    assert [step["setWeight"] for step in rollout["strategy"]["canary"]["steps"] if "setWeight" in step] == [5, 25, 50]
    selector = objects["Deployment", "scorer"]["spec"]["selector"]["matchLabels"]
    for service in ("scorer", "scorer-canary"):
        assert objects["Service", service]["spec"]["selector"] == selector


@needs_kubectl
@pytest.mark.skipif(not (ROOT / ".venv-checks").exists(), reason="no .venv-checks; make test makes it")
def test_a_bad_overlay_fails_the_lint_with_its_file_s_name(tmp_path):
    shutil.copytree(DEPLOY / "kubernetes", tmp_path / "kubernetes")
    broken = tmp_path / "kubernetes/overlays/staging/kustomization.yaml"
    broken.write_text(broken.read_text().replace("../../base", "../../bass"))
    mistyped = tmp_path / "kubernetes/base/pdb.yaml"
    mistyped.write_text(mistyped.read_text().replace("maxUnavailable: 1", "maxUnavailible: 1"))
    done = subprocess.run(
        [ROOT / ".ci/lint-manifests", "kubernetes"],
        env=os.environ | {"KUBERNETES": str(tmp_path / "kubernetes")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1
    assert "staging/kustomization.yaml is wrong: see above" in done.stderr
    assert "maxUnavailible" in done.stderr
    assert "overlays/production is wrong: see above" in done.stderr


@needs_kubectl
def test_the_ingress_controller_reaches_the_pods_of_a_canary_without_a_label_of_its_namespace():
    rules = rendered("canary")["NetworkPolicy", "scorer"]["spec"]["ingress"]
    let_in = [rule for rule in rules if "ingress-nginx" in str(rule["from"])]
    assert [rule["ports"] for rule in let_in] == [[{"port": "http"}]]
    assert rendered("canary")["Ingress", "scorer"]["spec"]["ingressClassName"] == "nginx"


def test_the_way_back_from_a_canary_starts_pods_before_others_end_and_leaves_nothing_behind():
    page = (ROOT / "docs/deployment.md").read_text()
    (way,) = [block for block in re.findall(r"(?s)```sh\n(.*?)```", page) if "delete rollout/scorer" in block]
    order = (
        "label namespace ingress-nginx credit-scorer.example/clients=true",  # as the policy of production wants
        '"scaleDown": "never"',
        "get rollout scorer --output='jsonpath={.spec.replicas}'",
        "rollout status deployment/scorer",
        "delete rollout/scorer --cascade=orphan",
        "make apply OVERLAY=production",
        "delete replicaset --selector=rollouts-pod-template-hash",
    )
    places = [way.index(part) for part in order]
    assert places == sorted(places)
    # What production does not have. Argo Rollouts names the second Ingress after the Rollout and the first.
    canary = DEPLOY / "kubernetes/overlays/canary"
    nginx = yaml.safe_load((canary / "rollout.yaml").read_text())["spec"]["strategy"]["canary"]["trafficRouting"][
        "nginx"
    ]
    service, analysis = (yaml.safe_load((canary / f"{name}.yaml").read_text()) for name in ("services", "analysis"))
    left = f"ingress/scorer-{nginx['stableIngress']}-canary service/{service['metadata']['name']}"
    assert f"delete {left} analysistemplate/{analysis['metadata']['name']}\n" in way


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed")
def test_prometheus_knows_the_options_that_compose_gives_it(tmp_path):
    """It ends because its file is not there, and not before."""
    command = yaml.safe_load((DEPLOY / "compose/compose.yaml").read_text())["services"]["prometheus"]["command"]
    options = [option for option in command if not option.startswith("--storage.tsdb.path")]
    done = subprocess.run(
        ["prometheus", *options], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode != 0
    assert "Error loading config" in done.stderr


def test_the_role_that_pushes_may_read_what_it_signs_and_repeat_a_push_that_was_interrupted():
    policy = re.search(r'(?s)policy_document" "push" {.*?\n}', TEXTS[DEPLOY / "terraform/roles.tf"])[0]
    to_push = {
        "BatchCheckLayerAvailability",
        "InitiateLayerUpload",
        "UploadLayerPart",
        "CompleteLayerUpload",
        "PutImage",
    }
    to_read = {"BatchGetImage", "GetDownloadUrlForLayer"}
    assert set(re.findall(r"ecr:(\w+)", policy)) == {"GetAuthorizationToken"} | to_push | to_read
    # ECR refuses the same digest under the same immutable tag.
    assert 'image_tag_mutability = "MUTABLE"' in TEXTS[DEPLOY / "terraform/registry.tf"]
    assert "@sha256:" in TEXTS[DEPLOY / "terraform/variables.tf"], "images are taken by digest"


def test_the_first_image_goes_to_the_registry_that_the_example_makes_and_takes_it_from():
    page = (ROOT / "docs/deployment.md").read_text()
    module, resource, name = re.findall(r"-target=module\.(\w+)\.(\w+)\.(\w+)\n", page)[0]
    example = TEXTS[DEPLOY / "terraform/example/main.tf"]
    assert f'module "{module}"' in example
    assert f'resource "{resource}" "{name}"' in TEXTS[DEPLOY / "terraform/registry.tf"]
    (registry,) = re.findall(r"make image-push REGISTRY=(\S+amazonaws\S+)\n", page)
    assert f'"{registry}/credit-scorer@sha256:${{local.digest}}"' in example


def test_an_alarm_of_aws_counts_what_no_task_has_answered():
    alarm = TEXTS[DEPLOY / "terraform/service.tf"].partition('alarm" "errors"')[2]
    counted = dict(re.findall(r'(\w+) += "(\w+Count)"', alarm, re.IGNORECASE))
    assert counted == {
        "target": "HTTPCode_Target_5XX_Count",
        "balancer": "HTTPCode_ELB_5XX_Count",
        "requests": "RequestCount",
    }
    (expression,) = re.findall(r'expression += "(.*)"', alarm)
    assert set(re.findall(r"FILL\((\w+), 0\)", expression)) == set(counted)


@needs_kubectl
@pytest.mark.parametrize(("folders", "looked_at"), [((), []), (("pod a", "pod-b"), ["pod a", "pod-b"])])
def test_the_caretaker_looks_at_every_folder_that_is_there(folders, looked_at, tmp_path):
    container = rendered("staging")["CronJob", "scorer-caretaker"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (script,) = container["containers"][0]["args"]
    records = tmp_path / "records"
    records.mkdir()
    for name in folders:
        (records / name).mkdir()
    stub = tmp_path / "python"
    stub.write_text(f'#!/bin/sh\necho "$SCORER_DIRECTORY $3" >> "{tmp_path}/log"\n')
    stub.chmod(0o755)
    assert "/records/*/" in script
    command = ["bash", "-c", script.replace("/records/", f"{records}/")]
    own = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(command, env=os.environ | own, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    log = (tmp_path / "log").read_text() if (tmp_path / "log").exists() else ""
    verbs = ("catch-up", "compact", "retain")
    assert log.splitlines() == [f"{records}/{name}/ {verb}" for name in looked_at for verb in verbs]
