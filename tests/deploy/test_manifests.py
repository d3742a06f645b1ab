"""The files of deploy/compose, deploy/kubernetes and deploy/terraform name what the service really has."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from configs.monitoring import read_monitoring
from configs.service import read_service
from serving.metrics import QUEUE_BUCKETS_S
from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
OVERLAYS = ("staging", "production", "canary")
FILES = sorted(path for place in ("compose", "kubernetes", "terraform") for path in (DEPLOY / place).rglob("*"))
TEXTS = {path: path.read_text() for path in FILES if path.is_file() and "secrets" not in path.parts}
ALERTS = yaml.safe_load((DEPLOY / "compose/prometheus/alerts.yaml").read_text())["groups"]
PROMETHEUS = {"up"}  # made by Prometheus itself
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
    assert {name: path for name, path in named.items() if name not in known | {"SCORER_LOG_KEY"}} == {}


def expressions() -> Iterator[tuple[str, str]]:
    """Every query of an alert, a panel and an analysis, with where it is."""
    for rule in ALERTS[0]["rules"]:
        yield rule["alert"], rule["expr"]
    board = yaml.safe_load((DEPLOY / "compose/grafana/dashboards/scorer.json").read_text())
    for panel in board["panels"]:
        yield panel["title"], panel["targets"][0]["expr"]
    analysis = yaml.safe_load((DEPLOY / "kubernetes/overlays/canary/analysis.yaml").read_text())
    for metric in analysis["spec"]["metrics"]:
        yield metric["name"], metric["provider"]["prometheus"]["query"]


@pytest.mark.parametrize(("where", "expression"), list(expressions()), ids=[where for where, _ in expressions()])
def test_every_metric_that_is_asked_for_is_one_that_the_service_counts(where, expression):
    code = "".join(path.read_text() for path in (ROOT / "serving").rglob("*.py"))
    names = set(re.findall(r"\b[a-z]+(?:_[a-z0-9]+)+\b(?=[{\[)])", expression)) | set(re.findall(r"\bup\b", expression))
    assert names, where
    for name in names - PROMETHEUS:
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        assert name.startswith("haproxy_") or f'"{base}"' in code or f"# TYPE {base} " in code, f"{where}: {name}"


def test_a_bound_on_the_wait_for_a_batch_is_one_of_its_buckets():
    (slow,) = [rule["expr"] for rule in ALERTS[0]["rules"] if rule["alert"] == "ScorerSlow"]
    assert float(slow.rsplit("> ", 1)[1]) in QUEUE_BUCKETS_S


def test_the_alerts_of_the_cluster_are_those_that_promtool_tests():
    rule = yaml.safe_load((DEPLOY / "kubernetes/base/alerts.yaml").read_text())
    assert rule["spec"]["groups"] == ALERTS
    tested = (DEPLOY / "compose/prometheus/alerts_test.yaml").read_text()
    for alert in ALERTS[0]["rules"]:
        assert re.search(rf"alertname: {alert['alert']}\b(?s:.){{0,60}}exp_labels", tested), (
            f"{alert['alert']} never fires"
        )


def test_every_alert_has_its_row_on_the_page_for_the_night():
    page = (ROOT / "docs/operations.md").read_text()
    for alert in ALERTS[0]["rules"]:
        assert re.search(rf"^\| `{alert['alert']}` \|", page, re.MULTILINE), alert["alert"]


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
    scraped = yaml.safe_load((DEPLOY / "compose/prometheus/prometheus.yaml").read_text())["scrape_configs"][0]
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


def test_the_secrets_of_compose_are_made_by_its_script_and_kept_by_nobody_else(tmp_path):
    folder = tmp_path / "deploy/compose"
    folder.mkdir(parents=True)
    shutil.copy(DEPLOY / "compose/secrets.sh", folder)
    without = subprocess.run([folder / "secrets.sh"], capture_output=True, text=True, check=False)
    assert (without.returncode, "make environment" in without.stderr) == (1, True)
    for name in (".venv", "serving", "configs", "models", "monitoring"):
        (tmp_path / name).symlink_to(ROOT / name)
    made = subprocess.run([folder / "secrets.sh"], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    compose = yaml.safe_load((DEPLOY / "compose/compose.yaml").read_text())
    wanted = {Path(secret["file"]).name for secret in compose["secrets"].values()} | {"scorer.env"}
    assert {path.name for path in (folder / "secrets").iterdir()} == wanted
    before = {path.name: path.read_text() for path in (folder / "secrets").iterdir()}
    assert subprocess.run([folder / "secrets.sh"], capture_output=True, text=True, check=False).stdout == ""
    assert {path.name: path.read_text() for path in (folder / "secrets").iterdir()} == before
    ignored = subprocess.run(["git", "check-ignore", "-q", "deploy/compose/secrets/x"], cwd=ROOT, check=False)
    assert ignored.returncode == 0


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
    needed = sleep + int(settings["SCORER_TIMEOUT_S"]) + int(settings["SCORER_GRPC_GRACE_S"])
    assert pod["terminationGracePeriodSeconds"] > needed
    compose = yaml.safe_load((DEPLOY / "compose/compose.yaml").read_text())
    config = read_service()
    assert int(compose["x-scorer"]["stop_grace_period"].removesuffix("s")) > config.timeout_s + config.grpc_grace_s


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


@needs_kubectl
def test_the_ingress_controller_reaches_the_pods_of_a_canary_without_a_label_of_its_namespace():
    rules = rendered("canary")["NetworkPolicy", "scorer"]["spec"]["ingress"]
    let_in = [rule for rule in rules if "ingress-nginx" in str(rule["from"])]
    assert [rule["ports"] for rule in let_in] == [[{"port": "http"}]]
    assert rendered("canary")["Ingress", "scorer"]["spec"]["ingressClassName"] == "nginx"


def analysis() -> list[dict[str, Any]]:
    """The metrics that judge a canary."""
    template = yaml.safe_load((DEPLOY / "kubernetes/overlays/canary/analysis.yaml").read_text())
    found: list[dict[str, Any]] = template["spec"]["metrics"]
    return found


SECONDS = {"s": 1, "m": 60}


def seconds(duration: str) -> int:
    return int(duration[:-1]) * SECONDS[duration[-1]]


@pytest.mark.parametrize("metric", analysis(), ids=[metric["name"] for metric in analysis()])
def test_a_canary_is_not_judged_by_what_was_before_it(metric):
    """Until Prometheus has heard of the new pods, within a minute, it asks the old ones under the name of the canary."""
    windows = re.findall(r"\[(\d+[sm])\]", metric["provider"]["prometheus"]["query"])
    assert windows
    assert max(map(seconds, windows)) + 60 <= seconds(metric["initialDelay"])


CANARY = 'namespace="scorer", job="scorer-canary"'
STABLE = 'namespace="scorer", job="scorer"'
# Until minute 10 the pods of the former version, which erred, are those of `scorer-canary`; then the canary's, which
# declines everybody, and answers V2 and /predict alike.
SERVED = {
    f'bentoml_service_request_total{{{CANARY}, endpoint="/predict", http_response_code="500", pod="old"}}': "0+600x10 _x10",
    f'bentoml_service_request_total{{{CANARY}, endpoint="/predict", http_response_code="200", pod="old"}}': "0+600x10 _x10",
    f'bentoml_service_request_total{{{CANARY}, endpoint="/predict", http_response_code="200", pod="new"}}': "_x10 0+60x10",
    f'scorer_predictions_total{{{CANARY}, decision="decline", protocol="v2", pod="new"}}': "_x10 0+60x10",
    f'scorer_predictions_total{{{STABLE}, decision="decline", protocol="http", pod="old"}}': "0+60x20",
    f'scorer_predictions_total{{{STABLE}, decision="approve", protocol="http", pod="old"}}': "0+140x20",
    f'scorer_rejected_total{{{CANARY}, reason="internal_error", pod="new"}}': "_x10 0+3x10",
}
JUDGED = {"requests": 240.0, "errors": None, "faults": 6.0, "queue-p99": None, "decisions": 0.7}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_answers_the_questions_of_a_canary_from_its_first_minute_on(tmp_path):
    tests = []
    for metric in analysis():
        query = metric["provider"]["prometheus"]["query"].replace("{{args.namespace}}", "scorer")
        value = JUDGED[metric["name"]]
        samples = [] if value is None else [{"labels": "{}", "value": value}]
        tests.append({"expr": f"round({query}, 0.001)", "eval_time": "13m", "exp_samples": samples})
    series = [{"series": name, "values": values} for name, values in SERVED.items()]
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump({"tests": [{"interval": "1m", "input_series": series, "promql_expr_test": tests}]}))
    done = subprocess.run(
        ["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


STUB = """#!/bin/sh
# A cluster that answers: notes what is asked, and knows the options that kubectl knows. ROLLOUT and DEPLOYMENT are what
# serves in it; without KNOWS it has no Argo Rollouts. What is applied is kept.
echo "$*" >> "$LOG"
case "$*" in
  kustomize*) exec "$KUBECTL" "$@" ;;
  *--output=name*) echo "error: --output must be 'yaml' or 'json'" >&2; exit 1 ;;
  *"get rollouts.argoproj.io"*)
    [ -n "$KNOWS" ] || { echo 'error: the server doesn'"'"'t have a resource type "rollouts"' >&2; exit 1; }
    printf %s "$ROLLOUT" ;;
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
    empty = {"KNOWS": "", "ROLLOUT": "", "DEPLOYMENT": ""}
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
    ("cluster", "replicas", "asked"),
    [
        ({"DEPLOYMENT": f"{IMAGE} 7"}, 7, "wait rollout/scorer"),
        ({"DEPLOYMENT": ""}, 3, "wait rollout/scorer"),
        ({"DEPLOYMENT": f"{IMAGE} 0", "ROLLOUT": "scorer 5"}, 5, "get rollouts.argoproj.io"),
    ],
    ids=["beside a deployment", "in an empty namespace", "after the first"],
)
def test_a_canary_begins_with_as_many_pods_as_serve(tmp_path, cluster, replicas, asked):
    done = apply(tmp_path, "canary", KNOWS="yes", **cluster)
    assert done.returncode == 0, done.stderr
    objects = list(yaml.safe_load_all((tmp_path / "log.applied").read_text()))
    sizes = {found["kind"]: found["spec"]["replicas"] for found in objects if "replicas" in found.get("spec", {})}
    assert sizes == {"Rollout": replicas}
    assert asked in (tmp_path / "log").read_text()


@needs_kubectl
@pytest.mark.parametrize(
    ("overlay", "cluster", "said"),
    [
        ("canary", {}, "this cluster has no Argo Rollouts"),
        ("canary", {"KNOWS": "yes", "DEPLOYMENT": "r.example/credit-scorer:0 3"}, "IMAGE=r.example/credit-scorer:0; then"),
        ("production", {"KNOWS": "yes", "ROLLOUT": "scorer 5"}, "a Rollout serves in the namespace scorer"),
    ],
)
def test_what_would_put_pods_away_that_serve_is_refused_before_anything_is_applied(tmp_path, overlay, cluster, said):
    done = apply(tmp_path, overlay, **cluster)
    assert done.returncode != 0
    assert said in done.stderr
    assert "apply" not in (tmp_path / "log").read_text()


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
