"""What an installation takes is what the lists name, by its hash: no file comes from an index unchecked."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

LISTS = sorted({*(ROOT / "requirements").glob("*.txt")} - {ROOT / "requirements/accepted_vulnerabilities.txt"})
MLFLOW = ROOT / "deploy/compose/mlflow/requirements.txt"
REQUIRED = {"--no-deps", "--require-hashes", "--only-binary"}  # and of all packages, but those that are built here


def requirements(path: Path) -> dict[str, str]:
    """Each requirement of a list with its options; comments left out."""
    text = re.sub(r"(^|\s)#.*", "", path.read_text()).replace("\\\n", " ")
    return {re.split(r"[=\[ ;]", line)[0]: line for line in text.splitlines() if line.strip()}


def hashed(requirement: str) -> bool:
    """Whether a requirement has one version and a hash."""
    return bool(re.match(r"\s*[\w.-]+(\[[\w,-]+\])?==[\w.+!-]+( *;.*?)? +--hash=sha256:[0-9a-f]{64}\b", requirement))


@pytest.mark.parametrize("path", [*LISTS, MLFLOW], ids=lambda path: path.stem)
def test_every_requirement_of_a_list_has_a_hash(path):
    found = requirements(path)
    assert found
    assert [name for name, requirement in found.items() if not hashed(requirement)] == []


def test_a_requirement_without_a_hash_is_seen():
    assert not hashed("torch==2.13.0")
    assert not hashed("torch>=2 --hash=sha256:" + 64 * "0")
    assert hashed("torch==2.13.0 --hash=sha256:" + 64 * "0")


def recipe(*arguments: str) -> str:
    """The commands of a target, none of which is run."""
    command = ["make", "--dry-run", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def installations(text: str) -> Iterator[list[str]]:
    """The arguments of every `pip install` in a script of the shell."""
    words = shlex.split(text.replace("\\\n", " ").replace("\n", " ; ").replace(";", " ; "), comments=False)
    starts = [i for i, word in enumerate(words) if word == "install" and "pip" in words[max(0, i - 2) : i]]
    for start in starts:
        ends = [i for i in range(start, len(words)) if words[i] in (";", "&", "||", "}", "do", "fi")] or [len(words)]
        yield words[start : ends[0]]


@pytest.mark.parametrize(
    ("arguments", "least"),
    [
        (("install",), 5),
        (("install-apart", "FOLDER=.venv-x", "LIST=checks"), 1),
        (("install-apart", "FOLDER=.venv-x", "LIST=spark", "JOINS=.venv"), 1),
    ],
    ids=["all", "apart", "joined"],
)
def test_every_installation_takes_lists_alone_and_checks_hashes(arguments, least):
    found = list(installations(recipe(*arguments)))
    assert len(found) >= least
    for one in found:
        assert set(one) >= REQUIRED, one
        assert one[one.index("--only-binary") + 1] == ":all:"
        rest = [word for word in one if word.endswith(".txt")]
        assert one[one.index("-r") + 1 : one.index("-r") + 2] == rest, one


def test_what_is_built_here_is_built_with_packages_of_the_lists():
    """In an isolated environment pip fetches what a build requires, whatever its hash."""
    text = recipe("install")
    order = [one for one in installations(text) if "--no-binary" in one or "build.txt" in one[-1]]
    assert order[0][-1] == ".venv/build.txt"
    built = [one for one in order if "--no-binary" in one]
    assert built
    assert all("--no-build-isolation" in one for one in built)
    makefile = (ROOT / "Makefile").read_text()
    builder = re.search(r"^BUILDS_WITH := (\S+)$", makefile, re.MULTILINE)
    assert builder
    assert builder[1] in requirements(ROOT / "requirements/all.txt")
    select = re.search(r"awk '(.*?)' requirements/all.txt > .venv/build.txt", text)
    assert select
    chosen = subprocess.run(
        ["awk", select[1], "requirements/all.txt"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert re.findall(r"^[\w-]+(?===)", chosen, re.MULTILINE) == [builder[1]]
    assert "--hash=sha256:" in chosen


@pytest.mark.parametrize("name", ["ray", "spark"])
def test_an_environment_that_joins_the_main_one_has_its_versions(name):
    """Else it would hold a second copy, and a worker would score with other packages than the service."""
    everything, joined = (requirements(ROOT / f"requirements/{each}.txt") for each in ("all", name))
    own = {each for each in joined if each not in everything}
    assert own == {"ray": {"ray", "msgpack"}, "spark": {"pyspark", "py4j"}}[name]
    assert {each: joined[each].split()[0] for each in joined if each not in own} == {
        each: everything[each].split()[0] for each in joined if each not in own
    }


def test_a_changed_list_makes_the_environment_anew():
    stamp = re.search(r"^STAMP := .*requirements/{(.*)}.txt", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert stamp
    taken = {Path(word).stem for one in installations(recipe("install")) for word in one if word.startswith("requirem")}
    assert taken | {"all"} == set(stamp[1].split(","))  # all.txt is installed in halves


def test_both_lists_of_torch_are_of_one_version():
    (public,), (cpu,) = (requirements(ROOT / f"requirements/{name}.txt").values() for name in ("torch", "torch-cpu"))
    assert cpu.split()[0] == f"{public.split()[0]}+cpu"


def test_nothing_else_installs_packages():
    """In any file of the repository, but where the words are quoted in a page or a test."""
    listed = subprocess.run(
        ["git", "grep", "-lE", r"pip3? install|pip.* install --|uv (pip|tool)|pipx"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    files = {name for name in listed.stdout.splitlines() if not name.endswith(".md") and not name.startswith("tests/")}
    for name in sorted(files):
        text = (ROOT / name).read_text()
        commands = [
            line
            for line in text.replace("\\\n", " ").splitlines()
            if re.search(r"\binstall\b.*(-r|--requirement)\b|pip3? install", line)
        ]
        assert all("--require-hashes" in line or line.lstrip().startswith("#") for line in commands), (name, commands)


def test_the_image_of_mlflow_has_the_versions_of_the_list():
    everything = requirements(ROOT / "requirements/all.txt")
    assert {
        name: everything[name].split() == one.split() for name, one in requirements(MLFLOW).items()
    } == dict.fromkeys(("boto3", "botocore", "jmespath", "psycopg2-binary", "s3transfer"), True)
