"""The workflows hold no logic: every step is a make target or a script of `.ci/`, pinned, limited and guarded."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
COMMAND = re.compile(r"(?:make (?P<target>[a-z-]+)(?: [A-Z_]+=\S+)*|(?P<script>\.ci/[a-z_-]+)(?: [\w./-]+)*)")
IDS = [path.stem for path in WORKFLOWS]
# A hook may post or push with these alone; a token of another step would be in its environment for nothing.
USE_A_TOKEN = {".ci/champion", ".ci/comment", ".ci/join", ".ci/propose", ".ci/push", ".ci/release"}

# A private repository has attestations with Enterprise Cloud alone, and what is pushed by then stays unsigned.
AVAILABLE = "vars.OFFLINE == '' && (github.event.repository.private != true || vars.ATTEST != '')"


def read(path: Path) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(path.read_text())
    return found


def steps(workflow: dict[Any, Any]) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job.get("steps", ())


def step(workflow: str, job: str, script: str) -> tuple[int, dict[str, Any]]:
    """The step of a job that runs this script, and its number."""
    jobs = read(ROOT / f".github/workflows/{workflow}.yml")["jobs"]
    (found,) = [(at, one) for at, one in enumerate(jobs[job]["steps"]) if one.get("run", "").startswith(script)]
    return found


def test_there_are_the_four_that_lead_from_a_commit_to_an_image_and_back_to_a_model():
    assert IDS == ["ci", "image", "release", "retrain"]
    assert set(read(WORKFLOWS[3])[True]) == {"schedule", "workflow_dispatch", "repository_dispatch"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=IDS)
def test_permissions_are_given_per_job_and_every_job_has_an_end(path):
    workflow = read(path)
    assert workflow["permissions"] == {}
    assert workflow["concurrency"]["group"]
    for job in workflow["jobs"].values():
        assert job["permissions"]
        assert "uses" in job or job["timeout-minutes"] <= 60
        assert "write-all" not in job["permissions"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=IDS)
def test_actions_are_pinned_by_commit_and_a_checkout_keeps_no_token(path):
    for step in steps(read(path)):
        if "uses" in step:
            assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", step["uses"])
            if "/checkout@" in step["uses"]:
                assert step["with"]["persist-credentials"] is False
    for line in path.read_text().splitlines():
        assert "uses:" not in line or "uses: ./" in line or re.search(r"@[0-9a-f]{40}  # v\d+\.\d+\.\d+$", line), line


@pytest.mark.parametrize("path", WORKFLOWS, ids=IDS)
def test_every_step_is_a_make_target_or_a_script_that_is_there(path):
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for step in steps(read(path)):
        if "run" not in step:
            continue
        # A variable in quotes is one word, whatever is in it.
        found = COMMAND.fullmatch(re.sub(r'"\$(\w+)"', r"\1", step["run"].strip()))
        assert found, f"logic in a workflow: {step['run']}"
        if found["target"]:
            assert f"make {found['target']} " in listed, step["run"]
        else:
            script = ROOT / found["script"]
            assert script.stat().st_mode & 0o111, step["run"]
        given = {name for name in step.get("env", {}) if "TOKEN" in name}
        assert not given or found["script"] in USE_A_TOKEN, step["run"]


def test_a_tag_that_is_not_the_version_is_refused_before_anything_is_made_or_pushed():
    at, check = step("image", "model", ".ci/release notes")
    assert check["if"] == "github.ref_type == 'tag'"
    assert at < step("image", "model", ".ci/model export")[0]
    jobs = read(ROOT / ".github/workflows/image.yml")["jobs"]
    assert (jobs["image"]["needs"], jobs["join"]["needs"]) == ("model", "image")


def test_a_release_has_the_model_the_bento_and_the_image_of_one_run():
    """A release that trains anew has another manifest, and so another bento than the image."""
    release, image = (read(ROOT / f".github/workflows/{name}.yml") for name in ("release", "image"))
    assert release["jobs"]["image"]["uses"] == "./.github/workflows/image.yml"
    assert release["jobs"]["image"]["secrets"] == {"SIGNING_KEY": "${{ secrets.SIGNING_KEY }}"}
    assert release["jobs"]["release"]["needs"] == "image"
    assert "tags" not in image[True]["push"], "a tag would make the image twice"
    assert step("release", "release", ".ci/model")[1]["run"] == ".ci/model import var/ci/model.bentomodel"
    given = step("release", "release", ".ci/release gather")[1]["env"]
    assert given["VERSION"] == "${{ needs.image.outputs.version }}"
    assert given["MODEL_TAG"] == "${{ steps.model.outputs.tag }}"


def test_a_training_on_a_runner_has_a_champion_before_it_and_a_token_that_starts_ci_after_it():
    at, _ = step("retrain", "retrain", ".ci/champion")
    assert at < step("retrain", "retrain", ".ci/metric-diff")[0]
    given = step("retrain", "retrain", ".ci/propose")[1]["env"]
    assert given["GH_TOKEN"] == "${{ secrets.PROPOSAL_TOKEN || github.token }}"
    assert given["STARTS_CI"] == "${{ secrets.PROPOSAL_TOKEN != '' }}"


def test_every_image_that_is_pushed_is_signed_by_the_identity_of_its_job_as_well():
    jobs = read(ROOT / ".github/workflows/image.yml")["jobs"]
    for name in ("image", "join"):
        (attest,) = [one for one in jobs[name]["steps"] if "attest-build-provenance" in one.get("uses", "")]
        assert attest["with"]["subject-digest"].startswith("${{ steps.")
        assert attest["if"].endswith(AVAILABLE)
        assert jobs[name]["permissions"]["attestations"] == "write"
        assert step("image", name, ".ci/signing-key")


def test_an_image_is_signed_and_pushed_after_it_was_judged_under_load_and_scanned():
    scripts = (".ci/image", ".ci/load-image", ".ci/scan", ".ci/signing-key", ".ci/push")
    order = [step("image", "image", script)[0] for script in scripts]
    assert order == sorted(order)
    for script in scripts[:3]:
        assert not step("image", "image", script)[1].keys() & {"if", "continue-on-error"}, (
            f"{script} can be passed over"
        )


def test_an_artifact_is_not_what_an_image_is_built_from():
    for path in WORKFLOWS:
        for one in steps(read(path)):
            if "/upload-artifact@" in one.get("uses", ""):
                assert not {"var", "var/image", "var/bentos"} & set(one["with"]["path"].split()), path


@pytest.mark.parametrize("script", sorted((ROOT / ".ci").glob("[a-z]*")), ids=lambda path: path.name)
def test_a_script_says_what_it_does_and_stops_at_a_fault(script):
    if script.is_dir() or script.suffix == ".py":
        return
    text = script.read_text()
    assert re.search(r"^# \S", text, re.MULTILINE)
    if script.stat().st_mode & 0o111:
        assert text.startswith("#!/usr/bin/env bash\n")
        assert re.search(r"^set -e?uo pipefail$", text, re.MULTILINE)
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0


def test_what_npm_installs_is_locked_and_names_no_registry():
    lock = (ROOT / ".ci/node/package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert lock.count('"integrity"') == lock.count('"node_modules/')


def test_every_variable_of_the_repository_has_its_words_on_the_page():
    page = (ROOT / "docs/deployment.md").read_text().partition("Variables of the repository")[2]
    for path in WORKFLOWS:
        for name in re.findall(r"\bvars\.([A-Z_]+)", path.read_text()):
            assert f"`{name}`" in page, name
