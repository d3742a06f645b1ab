"""Run the `run:` steps of GitHub workflows here, in order, in a clean clone: `python .ci/workflow.py ci image`.

A runner of GitHub is not at hand while a workflow is written. This covers what our workflows use of the language:
`env`, `if`, `working-directory`, outputs of steps and jobs, `$GITHUB_ENV`, `defaults.run`, the first combination of a
matrix, a job that calls another workflow of the repository. An action (`uses:`) is passed over, except that the clone
stands for a checkout; jobs run in the order of `needs` and share the clone, as artifacts would let them. One line per
step goes to standard output; what a step prints goes to its log. The first failure ends the run with exit code 1.
SIGTERM and Ctrl-C end the step that runs, with every process that it has started.

Clones of what went well are removed; that of a failure is kept. Nothing here can sign in anywhere: `secrets` are
empty. What a step needs instead (a registry on loopback, say) is given as a repository variable,
`--var REGISTRY=127.0.0.1:5000`, and as an event, `--ref refs/tags/v1.2.3`.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from sessions import run_in_session

ROOT = Path(__file__).resolve().parents[1]
EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>\d+(?:\.\d+)?)|(?P<name>[A-Za-z_][\w-]*(?:\.(?:[\w-]+|\*))*)"
    r"|(?P<operator>&&|\|\||==|!=|!|\(|\)|,))"
)
PYTHON = {"&&": " and ", "||": " or ", "!": " not ", "true": "True", "false": "False", "null": "''"}
FUNCTIONS = {
    "success": lambda: True,  # a run ends at its first failure
    "always": lambda: True,
    "failure": lambda: False,
    "cancelled": lambda: False,
    "contains": lambda text, part: part in text,
    "startsWith": lambda text, part: text.startswith(part),
    "format": lambda text, *values: text.format(*values),
}
# Of the shell that this is started from nothing reaches a step that a runner would not have.
OURS = re.compile(r"MAKE|MFLAGS|GIT_|GITHUB_|GH_|SCORER_|BENTOML_|MLFLOW_|VIRTUAL_ENV|PYTHON|PYTEST|DVC_")


class WorkflowError(Exception):
    """A workflow that cannot be run here, with what is wrong in it."""


@dataclass
class Contexts:
    """What expressions can name: `github`, `env`, `vars`, `inputs`, `steps`, `needs`, `matrix`, `runner`."""

    values: dict[str, Any] = field(default_factory=dict)

    def look_up(self, path: str) -> Any:
        """The value at a dotted path; what is not there is empty, as on GitHub."""
        value: Any = self.values
        for name in path.split("."):
            value = value.get(name, "") if isinstance(value, Mapping) else ""
        return value

    def evaluate(self, expression: str) -> Any:
        """The value of one expression, without its braces.

        >>> Contexts({"github": {"ref_type": "tag"}}).evaluate("github.ref_type == 'tag' && !failure()")
        True
        """
        python, at, expression = "", 0, expression.strip()
        while at < len(expression):
            token = TOKEN.match(expression, at)
            if not token:
                raise WorkflowError(f"not understood here: {expression[at:]!r} of the expression {expression!r}")
            at = token.end()
            word = token[token.lastgroup or 0]
            if token.lastgroup == "text":
                python += repr(word[1:-1].replace("''", "'"))
            elif token.lastgroup == "name" and word not in FUNCTIONS and word not in PYTHON:
                python += f"look_up({word!r})"
            else:
                python += PYTHON.get(word, word)
        return eval(python, {"__builtins__": {}}, {"look_up": self.look_up, **FUNCTIONS})  # the tokens of above

    def fill(self, text: Any) -> str:
        """A text with its expressions replaced by their values."""
        return EXPRESSION.sub(lambda found: written(self.evaluate(found[1])), written(text))


def written(value: Any) -> str:
    """A value as GitHub writes it into a text.

    >>> written(True), written(3)
    ('true', '3')
    """
    return str(value).lower() if isinstance(value, bool) else str(value)


def assignments(path: Path) -> dict[str, str]:
    """What a step has written to `$GITHUB_OUTPUT` or `$GITHUB_ENV`: `name=value`, or `name<<END` and lines."""
    found: dict[str, str] = {}
    name, end = "", ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if end:
            if line == end:
                end = ""
            else:
                found[name] = f"{found[name]}\n{line}" if found[name] else line
        elif many := re.fullmatch(r"([\w-]+)<<(\S+)", line):
            (name, end), found[many[1]] = many.groups(), ""
        elif "=" in line:
            name, _, value = line.partition("=")
            found[name] = value
    return found


@dataclass
class Run:
    """One workflow in one clone."""

    name: str
    workflow: Mapping[Any, Any]
    clone: Path
    logs: Path
    contexts: Contexts
    exported: dict[str, str] = field(default_factory=dict)  # by `$GITHUB_ENV`

    def jobs(self) -> None:
        """Every job, each after those that it needs."""
        left = dict(self.workflow["jobs"])
        needs: dict[str, Any] = self.contexts.values.setdefault("needs", {})
        while left:
            ready = [name for name, job in left.items() if not set(listed(job.get("needs"))) & set(left)]
            if not ready:
                raise WorkflowError(f"{self.name}: jobs that need each other: {', '.join(left)}")
            for name in ready:
                needs[name] = self.job(name, left.pop(name))

    def job(self, name: str, job: Mapping[str, Any]) -> dict[str, Any]:
        """The steps of one job; gives its outputs, as `needs` has them."""
        skipped_needs = [n for n in listed(job.get("needs")) if self.contexts.look_up(f"needs.{n}.result") == "skipped"]
        if skipped_needs or not self.holds(job.get("if")):
            self.say(name, "", "skipped", f"needs {skipped_needs[0]}" if skipped_needs else f"if: {job['if']}")
            return {"result": "skipped", "outputs": {}}
        if "uses" in job:
            return self.called(job)
        matrix = dict(job.get("strategy", {}).get("matrix", {}))
        first = dict((matrix.pop("include", None) or [{}])[0]) | {key: values[0] for key, values in matrix.items()}
        self.contexts.values |= {"matrix": first, "steps": {}}
        self.exported = {}
        for number, step in enumerate(job["steps"], 1):
            self.step(name, number, step, job)
        outputs = {key: self.contexts.fill(value) for key, value in job.get("outputs", {}).items()}
        return {"result": "success", "outputs": outputs}

    def called(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """The jobs of another workflow of this repository, which a job calls; gives the outputs that it names."""
        path = self.clone / job["uses"]
        if not job["uses"].startswith("./") or not path.is_file():
            raise WorkflowError(
                f"{self.name}: no workflow {job['uses']} here; call one as ./.github/workflows/NAME.yml"
            )
        workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
        call = trigger(workflow, "workflow_call")
        given = {name: one.get("default", "") for name, one in call.get("inputs", {}).items()}
        given |= {name: self.contexts.fill(value) for name, value in job.get("with", {}).items()}
        kept = {name: self.contexts.values[name] for name in ("github", "vars", "secrets", "runner")}
        inner = Run(f"{self.name}.{path.stem}", workflow, self.clone, self.logs, Contexts(kept | {"inputs": given}))
        inner.jobs()
        inner.contexts.values["jobs"] = inner.contexts.values["needs"]
        outputs = {name: inner.contexts.fill(one["value"]) for name, one in call.get("outputs", {}).items()}
        return {"result": "success", "outputs": outputs}

    def holds(self, guard: Any) -> bool:
        """Whether an `if:` lets its job or step run."""
        if guard is None:
            return True
        found = EXPRESSION.fullmatch(str(guard).strip())
        return bool(self.contexts.evaluate(found[1] if found else written(guard)))

    def step(self, job_name: str, number: int, step: Mapping[str, Any], job: Mapping[str, Any]) -> None:
        """Run one step, or say why not."""
        environment = self.environment(job, step)
        title = self.contexts.fill(step.get("name") or step.get("run") or step["uses"]).splitlines()[0]
        if not self.holds(step.get("if")):
            return self.say(job_name, title, "skipped", f"if: {step['if']}")
        if "uses" in step:
            why = "the clone" if "/checkout@" in step["uses"] else "an action"
            return self.say(job_name, title.partition("@")[0], "skipped", why)
        log = self.logs / f"{self.name}-{job_name}-{number}.log"
        settings = self.workflow.get("defaults", {}).get("run", {}) | job.get("defaults", {}).get("run", {})
        folder = self.clone / self.contexts.fill(step.get("working-directory", settings.get("working-directory", ".")))
        begun = time.monotonic()
        for file in ("output", "env", "path", "step_summary"):
            (self.logs / file).write_text("")
        code = run_in_session(self.contexts.fill(step["run"]), folder, environment, log)
        self.exported |= assignments(self.logs / "env")
        if "id" in step:
            self.contexts.values["steps"][step["id"]] = {"outputs": assignments(self.logs / "output")}
        self.say(job_name, title, f"{time.monotonic() - begun:.0f} s", "" if code == 0 else "failed")
        if code and not step.get("continue-on-error"):
            end = log.read_text(errors="replace").splitlines()[-30:]
            raise WorkflowError("\n".join([*(f"  {line}" for line in end), f"exit code {code}; log: {log}"]))
        return None

    def environment(self, job: Mapping[str, Any], step: Mapping[str, Any]) -> dict[str, str]:
        """The environment of a step: the machine's, what a runner adds, then that of workflow, job, and step."""
        github = self.contexts.values["github"]
        found = {name: value for name, value in os.environ.items() if not OURS.match(name)}
        found |= {"CI": "true", "BENTOML_HOME": str(self.clone.parent / "bentoml"), "GITHUB_WORKSPACE": str(self.clone)}
        told = {name: value for name, value in github.items() if isinstance(value, str) and name != "token"}
        found |= {f"GITHUB_{name.upper()}": value for name, value in told.items()}
        found |= {f"GITHUB_{file.upper()}": str(self.logs / file) for file in ("output", "env", "path", "step_summary")}
        own: dict[str, str] = {}
        self.contexts.values["env"] = own
        for given in (self.workflow.get("env", {}), job.get("env", {}), self.exported, step.get("env", {})):
            own |= {name: self.contexts.fill(value) for name, value in given.items()}
        return found | own

    def say(self, job: str, title: str, took: str, why: str) -> None:
        """One line of the result."""
        print(f"{self.name:9} {job:10} {took:>8}  {title}{f'  ({why})' if why else ''}", flush=True)


def listed(value: Any) -> list[str]:
    """A list that may have been written as one text, or left out."""
    return [value] if isinstance(value, str) else list(value or [])


def trigger(workflow: Mapping[Any, Any], name: str) -> Mapping[str, Any]:
    """What a workflow says of one of the events that start it; empty where it says nothing."""
    events = workflow.get("on", workflow.get(True))  # PyYAML reads the key `on` as a truth value
    return (events.get(name) or {}) if isinstance(events, Mapping) else {}


def github(event: str, ref: str, sha: str) -> dict[str, Any]:
    """The context `github` of an event on a ref, in a repository that nobody can sign in to."""
    kind, _, name = ref.removeprefix("refs/").partition("/")
    return {
        "event_name": event, "ref": ref, "ref_name": name, "ref_type": "tag" if kind == "tags" else "branch",
        "sha": sha, "repository": "example/credit-scorer", "repository_owner": "example", "run_id": "1",
        "workflow": "", "actor": "somebody", "token": "", "event": {},
    }  # fmt: skip


def run(path: Path, options: argparse.Namespace, place: Path) -> None:
    """One workflow in a fresh clone under `place`."""
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    clone, logs = place / path.stem / "clone", place / "log"
    logs.mkdir(exist_ok=True)
    git = ["git", "-c", "advice.detachedHead=false"]
    subprocess.run([*git, "clone", "--quiet", "--no-local", str(options.repository), str(clone)], check=True)
    sha = subprocess.run([*git, "rev-parse", "HEAD"], cwd=clone, check=True, capture_output=True, text=True)
    inputs = trigger(workflow, "workflow_dispatch").get("inputs", {})
    contexts = Contexts(
        {
            "github": github(options.event, options.ref, sha.stdout.strip()),
            "vars": dict(pair.split("=", 1) for pair in options.var),
            "inputs": {name: given.get("default", "") for name, given in inputs.items()},
            "secrets": {},
            "runner": {"os": "Linux", "arch": "X64", "temp": str(place)},
        }
    )
    Run(path.stem, workflow, clone, logs, contexts).jobs()


def stop(number: int, _: object) -> None:
    """End as after Ctrl-C, with the exit code of a shell."""
    sys.exit(128 + number)


def main(arguments: list[str] | None = None) -> int:
    """Run the workflows that are named, all of them by default."""
    signal.signal(signal.SIGTERM, stop)
    parser = argparse.ArgumentParser(prog=".ci/workflow.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("workflows", nargs="*", help="names in .github/workflows, as ci; default: every one")
    parser.add_argument("--repository", type=Path, default=ROOT, help="the repository that is cloned")
    parser.add_argument("--event", default="push", help="github.event_name")
    parser.add_argument("--ref", default="refs/heads/main", help="github.ref")
    parser.add_argument("--var", action="append", default=[], metavar="NAME=VALUE", help="a variable of the repository")
    parser.add_argument("--keep", action="store_true", help="keep the clones, which hold an environment each")
    options = parser.parse_args(arguments)
    folder = options.repository / ".github/workflows"
    known = {path.stem: path for path in sorted(folder.glob("*.yml"))}
    names = options.workflows or list(known)
    if unknown := [name for name in names if name not in known]:
        print(f"{folder} has no workflow {unknown[0]!r}; it has: {', '.join(known) or 'none'}", file=sys.stderr)
        return 1
    if wrong := [pair for pair in options.var if "=" not in pair]:
        print(f"--var {wrong[0]}: write NAME=VALUE", file=sys.stderr)
        return 1
    place = Path(tempfile.mkdtemp(prefix="workflow-"))
    print(f"logs and clones: {place}", file=sys.stderr)
    try:
        for name in names:
            run(known[name], options, place)
            if not options.keep:
                shutil.rmtree(place / name)
    except (WorkflowError, subprocess.CalledProcessError, yaml.YAMLError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the step that ran has been ended", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
