"""The scripts of `.ci/` that a workflow calls: what they say where something is missing, and without a token."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

CHANGELOG = (
    "# Changelog\n\n## Unreleased\n\n- later\n\n## 1.2.3 - 2026-11-26\n\n- now\n\n## 1.2.2 - 2026-11-01\n\n- before\n"
)


def run(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("GH_", "GITHUB_", "EVERY_"))}
    return subprocess.run(
        list(command), cwd=folder, env=own | environment, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The scripts in a folder of their own."""
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci", ignore=shutil.ignore_patterns("node"))
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
    return tmp_path


def test_the_notes_of_a_release_are_its_section_of_the_changelog(checkout):
    assert run(checkout, ".ci/release", "notes", GITHUB_REF_NAME="v1.2.3").returncode == 0
    assert (checkout / "var/release/notes.md").read_text().strip() == "- now"


@pytest.mark.parametrize(
    ("tag", "changed", "said"),
    [
        ("v1.2.4", "", "the tag is v1.2.4, pyproject.toml says 1.2.3: tag v1.2.3"),
        ("v1.2.3", "# Changelog\n\n## Unreleased\n\n- now\n", 'CHANGELOG.md has no section "## 1.2.3 - <date>"'),
    ],
)
def test_a_release_whose_tag_version_and_changelog_differ_is_refused(checkout, tag, changed, said):
    (checkout / "CHANGELOG.md").write_text(changed or CHANGELOG)
    done = run(checkout, ".ci/release", "notes", GITHUB_REF_NAME=tag)
    assert done.returncode == 1
    assert said in done.stderr


def test_a_rehearsal_takes_what_is_not_released_yet(checkout):
    (checkout / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n- later\n")
    assert run(checkout, ".ci/release", "notes", GITHUB_REF_NAME="v1.2.3", DRAFT="1").returncode == 0
    assert (checkout / "var/release/notes.md").read_text().strip() == "- later"


def test_a_comment_without_a_token_is_printed(checkout):
    (checkout / "text.md").write_text("### Metrics\n")
    done = run(checkout, ".ci/comment", "text.md")
    assert (done.returncode, done.stdout) == (0, "### Metrics\n")
    assert "no GH_TOKEN" in done.stderr
    assert run(checkout, ".ci/comment", "none.md").returncode == 1


def test_metrics_that_differ_are_a_table_and_none_are_an_error(tmp_path):
    for name, value in (("base", 0.5), ("here", 0.52)):
        (tmp_path / name / "german_credit/001").mkdir(parents=True)
        (tmp_path / name / "german_credit/001/metrics.json").write_text(f'{{"cost": {value}, "rows": 200}}')
    table = [sys.executable, str(ROOT / ".ci/metric_table.py")]
    done = run(tmp_path, *table, "base", "here")
    assert "| german_credit/001 | cost | 0.5 | 0.52 | +0.02 |\n\n1 of 2 metrics unchanged." in done.stdout
    (tmp_path / "nothing").mkdir()
    assert "train first" in run(tmp_path, *table, "base", "nothing").stderr


@pytest.mark.parametrize(
    ("gates", "said"),
    [
        (
            '[{"gate": "gain over the champion, 00ff", "status": "warn"}]',
            "compared them: `gain over the champion, 00ff` warn. The",
        ),
        ('[{"gate": "gain over the champion, 00fe", "status": "pass"}]', "**No gate compared them**: that champion"),
        ("[]", "**No gate compared them**: that champion was not in the store"),
        ("", "**Nobody knows whether a gate compared them**: no var/train/scorer/001/judgement.json here"),
    ],
)
def test_what_a_gate_has_said_of_model_and_champion_is_read_from_its_verdicts(tmp_path, gates, said):
    (tmp_path / "manifest.json").write_text('{"name": "scorer", "model_config": "configs/models/001.yaml"}')
    if gates:
        (tmp_path / "var/train/scorer/001").mkdir(parents=True)
        (tmp_path / "var/train/scorer/001/judgement.json").write_text(f'{{"verdicts": {gates}}}')
    done = run(tmp_path, sys.executable, str(ROOT / ".ci/comparison.py"), "scorer:00ff", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
    assert 'f"gain over the champion, {' in (ROOT / "train/gating/champion.py").read_text(), "it has another name now"


def test_a_file_that_is_no_archive_of_a_model_is_named(tmp_path):
    (tmp_path / "model").write_text("no archive")
    for name, said in (
        (tmp_path / "none", "no archive of a model at"),
        (tmp_path / "model", "is no archive of a model"),
    ):
        done = run(ROOT, ".ci/model", "import", str(name))
        assert done.returncode == 1
        assert f"{name}" in done.stderr
        assert said in done.stderr


def test_the_key_that_signs_is_the_one_given_or_one_made_for_the_run_and_said_to_be(checkout):
    made = run(checkout, ".ci/signing-key", SIGNING_KEY="")
    assert made.returncode == 0, made.stderr
    assert "a key was made for this run" in made.stderr
    key = (checkout / "var/ci/signing.pem").read_text()
    assert (checkout / "var/ci/signing.pem").stat().st_mode & 0o077 == 0
    (checkout / "var/ci/signing.pem").unlink()
    given = run(checkout, ".ci/signing-key", SIGNING_KEY=key)
    assert (given.returncode, given.stderr) == (0, "")
    assert (checkout / "var/ci/signing.pem").read_text().strip() == key.strip()
    assert "BEGIN PUBLIC KEY" in (checkout / "var/ci/signing.pub.pem").read_text()
    wrong = run(checkout, ".ci/signing-key", SIGNING_KEY="no key")
    assert (wrong.returncode, "is no private key in PEM" in wrong.stderr) == (1, True)


@pytest.mark.parametrize(("every", "code", "said"), [("", 0, "skipped tea"), ("1", 1, "cannot check tea")])
def test_a_check_without_its_tool_is_passed_over_in_one_line_but_not_in_ci(checkout, every, code, said):
    done = run(
        checkout, "bash", "-euc", "source .ci/passed-over; passed_over tea kettle 'buy one'; echo on", EVERY_CHECK=every
    )
    assert done.returncode == code
    assert done.stderr == f"{said}: no kettle here; buy one\n"
    assert (done.stdout == "on\n") == (code == 0)


def test_every_package_that_a_bento_carries_has_a_licence_that_is_allowed_and_stands_on_the_page(tmp_path):
    done = run(ROOT, sys.executable, ".ci/licences.py", "--write", str(tmp_path / "page.md"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "page.md").read_text() == (ROOT / "docs/licences.md").read_text()


def program(folder: Path, name: str, script: str) -> dict[str, str]:
    """A program of that name, first on the path; it notes how it was called in `<folder>/<name>.log`."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f'#!/bin/sh\necho "$*" >> "{folder / name}.log"\n{script}\n')
    (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_an_image_that_nothing_can_look_at_is_not_passed_as_scanned(checkout):
    path = program(checkout / "bin", "docker", "exit 1")
    done = run(checkout, ".ci/scan", IMAGE="scorer:1", **path)
    assert (done.returncode, "cannot scan scorer:1" in done.stderr) == (1, True)
    left_out = run(checkout, ".ci/scan", IMAGE="scorer:1", OFFLINE="1", GITHUB_STEP_SUMMARY="summary.md", **path)
    assert left_out.returncode == 0
    assert left_out.stderr.startswith("NOT SCANNED: OFFLINE=1")
    assert "NOT SCANNED" in (checkout / "summary.md").read_text()


def test_an_image_is_scanned_in_a_container_and_no_archive_of_it_is_left_even_if_something_is_found(checkout):
    script = """case "$1" in
  save) echo image > "$4"; echo "$4" > saved ;;
  run) exit 1 ;;
esac"""
    done = run(checkout, ".ci/scan", IMAGE="scorer:1", **program(checkout / "bin", "docker", script))
    assert done.returncode == 1
    assert "--exit-code 1" in (checkout / "bin/docker.log").read_text()
    assert not Path((checkout / "saved").read_text().strip()).parent.exists()


def test_a_release_whose_bento_is_not_the_one_in_the_image_is_refused(checkout):
    path = program(checkout / "bin", "make", "echo credit_scorer:00ff")
    done = run(
        checkout, ".ci/release", "gather", GITHUB_REF_NAME="v1.2.3", MODEL_TAG="scorer:1", VERSION="00fe", **path
    )
    assert done.returncode == 1
    assert "the bento of scorer:1 is credit_scorer:00ff, and the image has credit_scorer:00fe" in done.stderr


def test_a_release_of_a_model_that_the_run_has_not_signed_is_refused_with_nothing_gathered(checkout):
    path = program(checkout / "bin", "make", "echo credit_scorer:00ff")
    (checkout / ".venv").mkdir()
    program(checkout / ".venv/bin", "python", "echo 'model.sig is missing' >&2; exit 1")
    (checkout / "var/bentos").mkdir(parents=True)
    (checkout / "var/ci").mkdir()
    for name in ("bentos/credit_scorer-00ff.tar.gz", "ci/model.bentomodel", "ci/signing.pub.pem"):
        (checkout / "var" / name).touch()
    done = run(
        checkout, ".ci/release", "gather", GITHUB_REF_NAME="v1.2.3", MODEL_TAG="scorer:1", VERSION="00ff", **path
    )
    assert (done.returncode, "model.sig is missing" in done.stderr) == (1, True)
    asked = (checkout / ".venv/bin/python.log").read_text()
    assert asked == ("-m deploy.packing verify var/bentos/credit_scorer-00ff.tar.gz --key var/ci/signing.pub.pem\n")
    assert list((checkout / "var/release").iterdir()) == []


@pytest.mark.parametrize(("there", "verb"), [("exit 1", "create"), ("exit 0", "upload")])
def test_a_release_that_was_made_by_a_run_before_gets_the_files_of_this_one(checkout, there, verb):
    (checkout / "var/release").mkdir(parents=True)
    (checkout / "var/release/notes.md").write_text("- now\n")
    path = program(checkout / "bin", "gh", f'[ "$2" != view ] || {there}')
    done = run(checkout, ".ci/release", "publish", GITHUB_REF_NAME="v1.2.3", GH_TOKEN="t", **path)
    assert done.returncode == 0, done.stderr
    assert (checkout / "bin/gh.log").read_text().splitlines()[-1].startswith(f"release {verb} v1.2.3 ")


def test_the_token_that_a_role_is_taken_by_is_in_no_argument(checkout):
    path = program(checkout / "bin", "curl", f"""cat > "{checkout}/header"; echo '{{"value": "signed"}}'""")
    done = run(
        checkout,
        "bash",
        "-euo",
        "pipefail",
        "-c",
        'source .ci/aws-role; cat "$AWS_WEB_IDENTITY_TOKEN_FILE"; rm "$AWS_WEB_IDENTITY_TOKEN_FILE"',
        AWS_ROLE="arn:aws:iam::1:role/push",
        ACTIONS_ID_TOKEN_REQUEST_URL="https://token.invalid/?v=1",
        ACTIONS_ID_TOKEN_REQUEST_TOKEN="hush",
        **path,
    )
    assert (done.returncode, done.stdout) == (0, "signed"), done.stderr
    assert (checkout / "header").read_text() == "Authorization: bearer hush\n"
    called = (checkout / "bin/curl.log").read_text()
    assert called.endswith("-H @- https://token.invalid/?v=1&audience=sts.amazonaws.com\n")


def test_no_script_gives_a_secret_as_an_argument():
    """`printf` is of the shell itself, which starts no program for it; a here-string is standard input."""
    paths = [path for path in (ROOT / ".ci").iterdir() if path.is_file() and path.suffix != ".py"]
    paths += [ROOT / "deploy/key_pair", *(ROOT / "deploy").rglob("*.sh")]
    secret = re.compile(r"\$\{?\w*(TOKEN|PASSWORD|SECRET|SIGNING_KEY)\b")
    allowed = re.compile(r"""\[ -[nz] "\$|printf '|<<< "|credential\.helper='!""")
    found = [line for path in paths for line in path.read_text().splitlines() if secret.search(line)]
    assert len(found) > 5
    assert [line for line in found if not allowed.search(line)] == []
