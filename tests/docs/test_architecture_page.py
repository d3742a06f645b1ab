"""docs/architecture.md is true: its drawings are the rules of the imports, and every file that it names is there."""

import re

from benchmarks.readme import ROOT, blocks
from tests.test_architecture import MAY_IMPORT, MODULES, name_of, ours

NAME = "docs/architecture.md"
PAGE = (ROOT / NAME).read_text(encoding="utf-8")


def drawn(number: int) -> dict[str, set[str]]:
    """The arrows of a drawing: who, to whom."""
    drawing = [block.text for block in blocks(PAGE) if block.language == "mermaid"][number]
    arrows: dict[str, set[str]] = {}
    for line in drawing.splitlines()[1:]:
        start, _, ends = line.strip().partition(" --> ")
        assert ends, f"not an arrow: {line}"
        arrows.setdefault(start, set()).update(ends.split(" & "))
    return arrows


def test_the_drawing_of_packages_is_the_rule_of_imports():
    here = {name for name in MAY_IMPORT if (ROOT / name).is_dir() or (ROOT / f"{name}.py").is_file()}
    rules = {name: MAY_IMPORT[name] - {name} for name in here}
    assert drawn(0) == {name: others for name, others in rules.items() if others}


def test_the_rooms_of_monitoring_import_each_other_in_the_direction_drawn():
    arrows = drawn(1)
    rooms = {path.parent.name for path in (ROOT / "monitoring").glob("*/__init__.py")}
    assert rooms == set(arrows) | {end for ends in arrows.values() for end in ends}
    for path in (ROOT / "monitoring").glob("*/*.py"):
        imported = {match[1] for name in ours(path) if (match := re.match(r"monitoring\.(\w+)\.", name))}
        assert (imported & rooms) - {path.parent.name} <= arrows.get(path.parent.name, set()), name_of(path)


def test_every_path_that_it_names_exists():
    paths = [path for path in re.findall(r"`([\w./-]+)`", PAGE) if "/" in path and not path.startswith("/")]
    assert len(paths) > 60
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_module_is_named_at_least_by_its_folder():
    named = set(re.findall(r"`([\w./-]+)`", PAGE))
    missing = []
    for module in MODULES:
        path = module.relative_to(ROOT)
        if str(path) not in named and f"{path.parent}/" not in named:
            missing.append(str(path))
    assert missing == []
