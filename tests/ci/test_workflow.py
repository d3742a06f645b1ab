"""`.ci/workflow.py`: the steps of a small workflow run in order in a clean clone, as a runner would run them."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT

STEPS = """\
      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8
      - id: tea
        run: |
          echo "kind=$KIND" >> "$GITHUB_OUTPUT"
          printf 'note<<END\\ntwo\\nlines\\nEND\\n' >> "$GITHUB_OUTPUT"
          echo POT=warm >> "$GITHUB_ENV"
      - name: drink
        working-directory: cup
        env: {NOTE: "${{ steps.tea.outputs.note }}"}
        run: test "$POT $(pwd -P | xargs basename) ${{ steps.tea.outputs.kind }} ${NOTE##*e}" = 'warm cup green s'
      - name: push it
        if: github.ref_type == 'tag' && vars.REGISTRY != ''
        run: echo "$GITHUB_REF_NAME to ${{ vars.REGISTRY }}" > pushed
"""
WORKFLOW = f"""\
name: Tea
on:
  push:
env: {{KIND: green}}
jobs:
  serve:
    needs: brew
    runs-on: ubuntu-24.04
    steps:
      - run: test -z "${{SCORER_MODEL+set}}${{GITHUB_TOKEN+set}}"
      - run: test '${{{{ needs.brew.outputs.kind }}}}' = green && test "$KIND" = black
        env: {{KIND: black}}
      - run: LAST
  brew:
    runs-on: ${{{{ matrix.runner }}}}
    strategy: {{matrix: {{include: [{{runner: ubuntu-24.04}}, {{runner: other}}]}}}}
    outputs: {{kind: "${{{{ steps.tea.outputs.kind }}}}"}}
    steps:
{STEPS}"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one workflow, whose last step lists what is in the clone."""
    folder = tmp_path / "repository"
    (folder / ".github/workflows").mkdir(parents=True)
    (folder / "cup").mkdir()
    (folder / "cup/.keep").touch()
    return committed(folder, WORKFLOW.replace("LAST", "ls"))


def committed(folder: Path, workflow: str) -> Path:
    (folder / ".github/workflows/tea.yml").write_text(workflow)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@t.invalid", "-C", str(folder)]
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "state"]):
        subprocess.run([*git, *command], check=True)
    return folder


def run(repository: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / ".ci/workflow.py"), "--repository", str(repository), *arguments]
    own = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "TMPDIR": str(repository.parent), **environment}
    return subprocess.run(command, env=own, capture_output=True, text=True, check=False, timeout=60)


def lines(done: subprocess.CompletedProcess[str]) -> list[list[str]]:
    """Job, what it took, and the rest of each line, without the workflow's name."""
    return [line.split(maxsplit=3)[1:] for line in done.stdout.replace(" s  ", "s  ").splitlines()]


def test_jobs_run_in_the_order_of_their_needs_and_steps_pass_on_what_they_write(repository):
    done = run(repository, "tea", SCORER_MODEL="somebody's")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line[0] for line in lines(done)] == ["brew"] * 4 + ["serve"] * 3
    assert lines(done)[0][1:] == ["skipped", "actions/checkout  (the clone)"]
    assert lines(done)[3][1:] == ["skipped", "push it  (if: github.ref_type == 'tag' && vars.REGISTRY != '')"]


def test_a_guard_opens_for_a_tag_and_a_stand_in_of_the_registry(repository):
    done = run(repository, "--keep", "--ref", "refs/tags/v1", "--var", "REGISTRY=127.0.0.1:5000")
    assert done.returncode == 0, done.stdout + done.stderr
    (pushed,) = repository.parent.glob("workflow-*/tea/clone/pushed")
    assert pushed.read_text() == "v1 to 127.0.0.1:5000\n"


def test_what_is_not_committed_is_not_there(repository):
    (repository / "left-behind").touch()
    assert run(repository).returncode == 0
    (log,) = repository.parent.glob("workflow-*/log/tea-serve-3.log")
    assert log.read_text() == "cup\n"


def test_the_first_failure_ends_the_run_and_shows_the_end_of_its_log(repository):
    done = run(committed(repository, WORKFLOW.replace("LAST", "ls").replace("id: tea", "id: coffee")))
    assert done.returncode == 1
    assert lines(done)[-1][-1] == "drink  (failed)"
    assert "exit code 1; log: " in done.stderr
    done = run(committed(repository, WORKFLOW.replace("LAST", "echo no water; exit 7")))
    assert (done.returncode, "  no water\nexit code 7; log: " in done.stderr) == (1, True)


def test_a_job_waits_for_a_job_that_was_skipped_in_vain(repository):
    done = run(committed(repository, WORKFLOW.replace("  brew:\n", "  brew:\n    if: github.ref_type == 'tag'\n")))
    assert done.returncode == 0
    assert [line[:2] for line in lines(done)] == [["brew", "skipped"], ["serve", "skipped"]]


CALLER = """\
name: Party
on: push
jobs:
  tea:
    uses: ./.github/workflows/tea.yml
    with: {pot: "${{ github.ref_name }}"}
  drink:
    needs: tea
    runs-on: ubuntu-24.04
    steps:
      - run: test '${{ needs.tea.outputs.kind }}' = green && test -e served-main
"""


def test_a_job_that_calls_another_workflow_runs_its_jobs_and_gets_its_outputs(repository):
    call = """on:
  push:
  workflow_call:
    inputs: {pot: {type: string}}
    outputs: {kind: {value: "${{ jobs.brew.outputs.kind }}"}}
"""
    (repository / ".github/workflows/party.yml").write_text(CALLER)
    called = WORKFLOW.replace("on:\n  push:\n", call).replace("LAST", "touch 'served-${{ inputs.pot }}'")
    done = run(committed(repository, called), "party")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line[0] for line in lines(done)] == ["brew"] * 4 + ["serve"] * 3 + ["drink"]
    assert lines(done)[0][1:] == ["skipped", "actions/checkout  (the clone)"]
    missing = CALLER.replace("workflows/tea.yml", "workflows/coffee.yml")
    (repository / ".github/workflows/party.yml").write_text(missing)
    done = run(committed(repository, called + "# changed"), "party")
    assert (done.returncode, "no workflow ./.github/workflows/coffee.yml here" in done.stderr) == (1, True)


def runs(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody asks for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_step_that_runs_with_all_that_it_has_started(repository, number, code):
    committed(repository, WORKFLOW.replace("LAST", "set -m; sleep 1000 & echo $! $$ > pids; mv pids started; wait"))
    command = [sys.executable, str(ROOT / ".ci/workflow.py"), "--repository", str(repository)]
    own = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "TMPDIR": str(repository.parent)}
    process = subprocess.Popen(command, env=own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (found := list(repository.parent.glob("workflow-*/tea/clone/started"))):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    started = [int(pid) for pid in found[0].read_text().split()]
    process.send_signal(number)
    assert process.wait(60) == code
    assert [pid for pid in started if runs(pid)] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["coffee"], "has no workflow 'coffee'; it has: tea"),
        (["--var", "REGISTRY"], "--var REGISTRY: write NAME=VALUE"),
    ],
)
def test_what_is_not_there_is_named(repository, arguments, said):
    done = run(repository, *arguments)
    assert done.returncode == 1
    assert said in done.stderr


def test_jobs_that_need_each_other_and_expressions_that_are_not_understood_are_errors(repository):
    circle = run(committed(repository, WORKFLOW.replace("  brew:\n", "  brew:\n    needs: serve\n")))
    assert (circle.returncode, circle.stderr.splitlines()[-1]) == (1, "tea: jobs that need each other: serve, brew")
    odd = run(committed(repository, WORKFLOW.replace("github.ref_type == 'tag'", "github.ref_type ~ 'tag'")))
    assert odd.returncode == 1
    assert "not understood here: \" ~ 'tag'" in odd.stderr
