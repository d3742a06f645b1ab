"""The structure: who imports whom, what importing does, and facts that stand in two places."""

import ast
import builtins
import functools
import importlib.metadata
import itertools
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import msgspec
import pathspec
import pytest
import yaml

from configs.dataset import ANSWERED, read_dataset
from configs.opt_outs import OPT_OUTS
from configs.service import read_service
from models.deciding import APPROVE, DECLINE, REFER
from models.prediction import Prediction
from tests.conftest import GERMAN_CREDIT

ROOT = Path(__file__).parents[1]
# Who imports whom; packages that are still to come are in the drawing too. A place uses what is
# named here and whatever that uses; its own modules it always uses. A module belongs to the longest of these names that
# its own name begins with, so `monitoring` stands for what is in none of the rooms: the command line.
DRAWING = {
    "configs": [],
    "signatures": [],
    "models": ["configs"],
    "monitoring.json_logging": [],
    "monitoring.console": [],
    "monitoring.records": ["models", "monitoring.json_logging", "monitoring.console"],
    "monitoring.status": ["monitoring.records"],
    "monitoring.profiles": ["monitoring.records"],
    "monitoring.drift": ["monitoring.profiles"],
    "monitoring.performance": ["monitoring.records"],
    "monitoring.findings": ["monitoring.drift", "monitoring.performance", "monitoring.status"],
    "monitoring.actions": ["monitoring.findings"],
    "monitoring.report": ["monitoring.findings"],
    "monitoring.watch": ["monitoring.report", "monitoring.actions"],
    "monitoring.simulation": ["monitoring.findings"],
    "monitoring": ["monitoring.watch", "monitoring.simulation"],
    "serving": ["monitoring", "signatures"],
    "service": ["serving"],
    "train": ["monitoring", "signatures"],
    "batch": ["monitoring"],
    "deploy.packing": ["configs", "signatures"],
    "deploy.rollout": ["configs"],
    "deploy": ["deploy.packing", "deploy.rollout"],
    "lifecycle": ["train", "deploy"],
    "loadtests": [],  # and models.schema alone
}
PACKAGES = sorted({place.split(".")[0] for place in DRAWING} - {"service"})
TRAINING_ONLY = {"torch", "mlflow", "dvc", "sklearn", "pandas", "onnx", "matplotlib", "optuna", "scipy"}
MODULES = [ROOT / "service.py", *(path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))]


def name_of(path: Path) -> str:
    """The name under which a file is imported."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@functools.cache  # several hundred tests look at the same files
def syntax(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def imports(path: Path) -> frozenset[str]:
    """Every module that a file imports, wherever in it, `from models import schema` as `models.schema` too."""
    found = set()
    for node in ast.walk(syntax(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


ASSETS = sorted(path for kind in ("css", "js") for top in PACKAGES for path in (ROOT / top).rglob(f"*.{kind}"))
NAMES = frozenset(name_of(module) for module in MODULES)


def ours(path: Path) -> set[str]:
    """The modules of this project that a file imports."""
    return set(imports(path) & NAMES)


def started(tree: ast.AST) -> set[str]:
    """The modules that code starts in another process: `["-m", "a.b"]`, or a text like `python -m a.b`.

    A text counts if it begins like a command; a message or a docstring that names a command starts nothing.
    """
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.List | ast.Tuple):
            for flag, module in itertools.pairwise(node.elts):
                if isinstance(flag, ast.Constant) and flag.value == "-m":
                    found.add(module.value if isinstance(module, ast.Constant) else f"? {ast.unparse(module)}")
        elif isinstance(node, ast.JoinedStr):
            parts = [str(part.value) if isinstance(part, ast.Constant) else "python" for part in node.values]
            found |= set(COMMAND.findall("".join(parts)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= set(COMMAND.findall(node.value))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "run_module"):
            found |= {argument.value for argument in node.args if isinstance(argument, ast.Constant)}
    return found


COMMAND = re.compile(
    r"\A\s*(?:(?:exec|nice|env|nohup|timeout|-\w+|\d+|\w+=\S*)\s+)*"  # what may stand before the interpreter
    r"[\w./-]*python[\d.]*(?:\s+-[^m\s]\S*)*\s+-m\s+([\w.]+)"
)


@pytest.mark.parametrize(
    "code",
    [
        'subprocess.run([sys.executable, "-m", "a.b", "command"])',
        'command = (sys.executable, "-W", "error", "-m", "a.b")',
        'os.system("python -m a.b")',
        'os.system("nice -n 5 .venv/bin/python3.11 -u -m a.b > log")',
        'subprocess.run(f"{sys.executable} -m a.b {option}", shell=True)',
        'importlib.import_module("a.b")',
    ],
)
def test_a_started_module_is_found_however_it_is_started(code):
    assert started(ast.parse(code)) == {"a.b"}


def test_a_message_that_names_a_command_starts_nothing():
    assert started(ast.parse('raise ValueError("run `python -m a.b`"); log("see python -m a.b")')) == set()


def starts(path: Path) -> set[str]:
    """The other modules of this project that a file starts in a process, a package as its `__main__`."""
    found = started(syntax(path))
    assert not [name for name in found if name.startswith("?")], f"{path}: name the module after -m as a constant"
    mains = {f"{name}.__main__" if f"{name}.__main__" in NAMES else name for name in found}
    return mains & NAMES - {name_of(path)}  # a command line names itself in its help


EMPTY = {name_of(path) for path in MODULES if len(syntax(path).body) == 1}


def place_of(module: str) -> str:
    """The place of a module in the drawing."""
    return max((place for place in DRAWING if f"{module}.".startswith(f"{place}.")), key=len)


def usable_from(place: str) -> set[str]:
    """The places that `place` may use, itself included."""
    return {place}.union(*(usable_from(other) for other in DRAWING[place]))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_uses_only_what_the_drawing_lets_it(path):
    """`from monitoring import status` names `monitoring` too, which counts only if that package holds code."""
    used = (ours(path) | starts(path)) - EMPTY
    place = place_of(name_of(path))
    if place == "loadtests":
        used -= {"models.schema"}
    assert {name for name in used if place_of(name) not in usable_from(place)} == set()


def test_the_drawing_keeps_apart_what_must_not_meet():
    assert not {"serving", "service"} & usable_from("train")
    assert not {"serving", "service"} & usable_from("lifecycle")
    assert "train" not in usable_from("service")
    assert usable_from("deploy") == {"deploy", "deploy.packing", "deploy.rollout", "configs", "signatures"}
    rooms = ["records", "profiles", "drift", "findings", "report", "watch"]
    for number, room in enumerate(rooms):
        above = {f"monitoring.{other}" for other in rooms[number + 1 :]} | {"monitoring"}
        assert not above & usable_from(f"monitoring.{room}")


def test_the_processes_that_our_code_starts_are_these():
    """The arrows that are no imports; the exact list shows that the finder finds them."""
    arrows = {name_of(path): starts(path) for path in MODULES}
    assert {name: found for name, found in arrows.items() if found} == {
        "monitoring.profiles.supervision": {"monitoring.profiles.process"},
        "monitoring.watch.children": {"monitoring.watch.process"},
        "monitoring.records.lookup": {"monitoring.records.archive_search"},
        "serving.explaining": {"serving.explaining_process"},
    }  # and `loadtests.calibration`, which starts itself


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """The groups of modules that reach each other, by the algorithm of Tarjan (1972)."""
    numbers: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(module: str) -> None:
        numbers[module] = lowest[module] = len(numbers)
        stack.append(module)
        for other in sorted(arrows[module]):
            if other not in numbers:
                visit(other)
            if other in stack:
                lowest[module] = min(lowest[module], lowest[other])
        if lowest[module] == numbers[module]:
            group = [stack.pop()]
            while group[-1] != module:
                group.append(stack.pop())
            if len(group) > 1 or module in arrows[module]:
                found.append(sorted(group))

    for module in arrows:
        if module not in numbers:
            visit(module)
    return found


def test_circles_are_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"d"}}) == [["b", "c"], ["d"]]
    assert circles({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()}) == []


def test_modules_use_each_other_in_no_circle():
    """Imports that are late or for types only count, and so does starting a process."""
    arrows = {name_of(path): ours(path) | starts(path) for path in MODULES}
    assert circles(arrows) == []


def test_every_package_with_code_is_in_the_drawing():
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages - {"benchmarks", "tests"} <= set(PACKAGES)


def reachable(*start: str) -> set[str]:
    """Modules of this project that importing `start` brings in, those imported late included."""
    by_name = {name_of(path): path for path in MODULES}
    todo, found = list(start), set()
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        todo += ours(by_name[name])
    return found


def modules_behind(*start: str) -> set[str]:
    """The reachable files with code in them: a package's `__init__.py` has its docstring only."""
    return {name for name in reachable(*start) if not (ROOT / name.replace(".", "/")).is_dir()}


def test_the_version_covers_the_code_that_makes_the_artifact():
    from train.version import code_files

    made_by = modules_behind("train.pipeline")
    assert made_by == {name_of(path) for path in code_files()}


PLUMBING = {
    "configs.source",
    "models.errors",
    "models.application_ids",
    "train.errors",
    "train.version",
    "train.workspace",
}  # say, and store
STAGE_CODE = {
    "check": ["train.checks.quality", "train.checks.data_report"],
    "fit": ["train.network.weights"],
    "export": ["train.network.weights"],
    "evaluate": [
        "train.evaluation.evidence",
        "train.evaluation.figures",
        "train.evaluation.reasons",
        "train.evaluation.walk",
        "train.validation.behaviour",
        "train.validation.figures",
    ],
}


def test_the_stages_are_the_same_everywhere():
    from train import __main__ as command_line
    from train.pipeline import STAGES

    assert list(STAGES) == list(command_line.STAGES) == list(yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"])
    assert all((ROOT / "train" / f"{stage}.py").exists() for stage in STAGES)


@pytest.mark.parametrize("stage", ["check", "split", "fit", "export", "evaluate", "gate", "publish"])
def test_dvc_knows_the_code_of_each_stage(stage):
    from train.version import code_files

    declared = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"][stage]["deps"]
    listed = {name_of(ROOT / path) for path in declared if path.endswith(".py")}
    runs = modules_behind(f"train.{stage}", *STAGE_CODE.get(stage, []))
    if stage == "publish":  # its output names the version, which all of this decides
        runs |= {name_of(path) for path in code_files()}
        assert listed == runs
    else:
        assert runs - PLUMBING == listed


SEE = """
import importlib, json, logging, os, pathlib, sys
start, handlers = dict(os.environ), list(logging.getLogger().handlers)
result = {}
import service
result["service"] = sorted(sys.modules)
result["files"] = sorted(
    str(pathlib.Path(module.__file__)) for module in list(sys.modules.values())
    if (getattr(module, "__file__", None) or "").startswith(sys.argv[1] + "/") and ".venv" not in module.__file__
)
for name in json.loads(sys.argv[2]):
    importlib.import_module(name)
result["environment"] = sorted(key for key in start | os.environ if start.get(key) != os.environ.get(key))
result["left"] = sorted(path.name for path in pathlib.Path().iterdir())
result["handlers"] = len(logging.getLogger().handlers) - len(handlers)
print(json.dumps(result))
"""


def runs_in_locust(path: Path) -> bool:
    """Whether a module, by itself or by way of others, imports locust, which is in an environment of its own."""
    by_name = {name_of(module): module for module in MODULES}
    used = set().union(*(imports(by_name[name]) for name in reachable(name_of(path))))
    return any(name.split(".")[0] == "locust" for name in used)


def test_what_runs_in_locust_is_the_locustfile_and_its_clients():
    apart = {name_of(path) for path in MODULES if runs_in_locust(path)}
    clients = {name_of(path) for path in (ROOT / "loadtests/clients").glob("[a-z]*.py")}
    assert apart == {"loadtests.locustfile"} | clients


@pytest.fixture(scope="module")
def seen(trained, tmp_path_factory):
    """What a fresh interpreter in an empty folder sees after `import service`, and after importing all the rest."""
    names = [name_of(path) for path in MODULES if path.stem != "__main__" and not runs_in_locust(path)]
    environment = {key: value for key, value in trained.environment.items() if key not in OPT_OUTS}
    done = subprocess.run(
        [sys.executable, "-c", SEE, str(ROOT), json.dumps(names)],
        cwd=tmp_path_factory.mktemp("empty"),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.timeout(300)
def test_nothing_of_training_is_reachable_from_the_service(seen):
    assert {name.split(".")[0] for name in seen["service"]} & (TRAINING_ONLY | {"train"}) == set()


@pytest.mark.timeout(300)
def test_importing_creates_nothing_and_sets_nothing(seen):
    assert seen["left"] == []
    assert seen["handlers"] == 0


@pytest.mark.timeout(300)
def test_importing_sets_what_turns_usage_reports_off_and_nothing_else(seen):
    """By `service.py`, which BentoML imports: there is no `main` of ours before ONNX Runtime would report."""
    kernels = {name for name in seen["environment"] if name.startswith("KMP_")}  # OpenMP's, by a library of training
    assert set(seen["environment"]) - kernels == set(OPT_OUTS)
    written = [
        path.name
        for path in MODULES
        if re.search(r"os\.environ\[.*\] =|putenv|environ\.(setdefault|update)", path.read_text())
    ]
    of_engines = {"ray.py", "shipment.py", "spark.py"}  # of processes that these start, or are
    assert sorted(set(written) - of_engines) == ["__main__.py", "listening.py", "parent.py", "whylogs_compat.py"]
    assert of_engines <= set(written)


@pytest.mark.timeout(300)
def test_the_bento_carries_every_module_that_the_service_imports(seen):
    bento = yaml.safe_load((ROOT / "bentofile.yaml").read_text())
    included = pathspec.PathSpec.from_lines("gitignore", bento["include"])
    needed = [str(Path(path).relative_to(ROOT)) for path in seen["files"]]
    assert len(needed) > 15
    assert [path for path in needed if not included.match_file(path)] == []
    for read in (
        "configs/service.yaml",
        "configs/monitoring.yaml",
        "monitoring/__main__.py",
        *(f"{name.replace('.', '/')}.py" for path in MODULES for name in starts(path)),
        "serving/v2/inference.binpb",
        *(str(path.relative_to(ROOT)) for path in ASSETS),
    ):
        assert included.match_file(read)
    assert not included.match_file("train/fit.py")


@pytest.fixture(scope="module")
def columns():
    dataset = read_dataset(GERMAN_CREDIT)
    return {feature.name for feature in dataset.features} | {dataset.target.column}


OURS = {"job"}  # a word of batch scoring, and of engines; as a text it would be the column


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_module_knows_a_column(path, columns):
    """A name of one word may be Python's own, as `property`; one of several is looked for in comments too."""
    text, tree = path.read_text(encoding="utf-8"), syntax(path)
    said = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - set(dir(builtins))
    named |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    named |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg | ast.keyword) and node.arg}
    assert (said | named - OURS) & columns == set()
    assert [name for name in columns if "_" in name and re.search(rf"\b{name}\b", text)] == []


@pytest.mark.parametrize(("name", "lines"), [("service.py", 200), ("bentofile.yaml", 30)])
def test_what_is_read_first_is_short(name, lines):
    assert len((ROOT / name).read_text().splitlines()) < lines


def test_a_style_or_script_is_short_and_says_what_it_is():
    assert len(ASSETS) > 5
    for path in ASSETS:
        text = path.read_text(encoding="utf-8")
        assert text.startswith(("/* ", "// ")), path
        assert len(text.splitlines()) <= 250, path
        assert max(map(len, text.splitlines())) <= 160, path


def test_a_module_is_short_and_says_what_it_is():
    for path in MODULES:
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 250, path
        assert ast.get_docstring(ast.parse(text)), path
        assert path.stem not in ("utils", "helpers", "common")


# Facts that stand in two places


@pytest.fixture(scope="module")
def makefile():
    """Variables of the Makefile."""
    text = (ROOT / "Makefile").read_text()
    return dict(re.findall(r"^(?:export )?([A-Z_]+) \??= (.*)$", text, re.MULTILINE))


def test_make_and_the_command_line_have_the_same_defaults(makefile):
    from train.__main__ import _parser

    options = _parser().parse_args([])
    named = (str(options.dataset), str(options.model), str(options.gates))
    assert (makefile["DATASET"], makefile["MODEL"], makefile["GATES"]) == named
    assert (ROOT / makefile["MODEL"]).is_file()
    assert read_service().workers == int(makefile["WORKERS"])
    assert (read_service().grpc_address, read_service().grpc_port) == (makefile["HOST"], int(makefile["GRPC_PORT"]))
    assert read_service().model == f"{read_dataset(ROOT / makefile['DATASET']).name}:champion"


def test_make_and_the_code_keep_runs_alike(makefile):
    (store,) = re.findall(r'^STORE = Path\("(.*)"\)', (ROOT / "train/tracking.py").read_text(), re.MULTILINE)
    assert f"MLFLOW_TRACKING_URI:-sqlite:///{store}}}" in (ROOT / "Makefile").read_text()


def test_the_version_is_that_of_the_project():
    from serving.v2.inference import NAME, VERSION

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (project["name"], project["version"]) == (NAME, VERSION)


def test_one_version_of_python_is_meant_everywhere(makefile):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    least = project["requires-python"].removeprefix(">=")
    text = (ROOT / "Makefile").read_text()
    assert f"python{least}" in makefile["PYTHON"]
    assert f"sys.version_info < ({least.replace('.', ', ')})" in text
    assert f"credit-scorer needs Python {least} or newer" in text
    assert f'python-version: "{least}"' in (ROOT / ".github/workflows/ci.yml").read_text()
    assert f"CPython {least}" in (ROOT / "CONTRIBUTING.md").read_text()


def pins(name: str) -> dict[str, str]:
    """Package to version of a list of requirements."""
    return dict(
        re.findall(r"^([A-Za-z0-9._-]+)==([^\s\\;]+)", (ROOT / "requirements" / name).read_text(), re.MULTILINE)
    )


def test_the_lists_of_requirements_agree_with_each_other_and_with_what_is_installed():
    serving, everything, torch = pins("serving.txt"), pins("all.txt"), pins("torch.txt")
    assert list(torch) == ["torch"]
    assert "torch" not in everything
    assert {name: version for name, version in serving.items() if everything.get(name) != version} == {}
    for name, pinned in (("serving.in", serving), ("all.in", everything)):
        assert {package: version for package, version in pins(name).items() if pinned.get(package) != version} == {}
    assert importlib.metadata.version("torch").split("+")[0] == torch["torch"]
    other = {name: version for name, version in everything.items() if importlib.metadata.version(name) != version}
    assert other == {}


def test_the_service_is_packed_without_what_only_training_needs():
    assert {name.replace("scikit-learn", "sklearn") for name in pins("serving.txt")} & (
        TRAINING_ONLY - {"scipy"}
    ) == set()


def test_what_is_answered_is_spelled_alike_where_it_is_typed():
    fields = {field.name for field in msgspec.structs.fields(Prediction)}
    assert set(ANSWERED) <= fields
    decision = Prediction.__annotations__["decision"].__args__[0].__args__
    assert decision == (APPROVE, DECLINE, REFER)
