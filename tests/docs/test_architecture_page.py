"""docs/architecture.md is true: its drawing is the rule of the imports, and every file that it names is there."""

import re

from benchmarks.readme import ROOT, blocks
from tests.test_architecture import DRAWING, MODULES

NAME = "docs/architecture.md"
PAGE = (ROOT / NAME).read_text(encoding="utf-8")


def exists(place: str) -> bool:
    """Whether the code of a place is there; some are drawn before they are built."""
    path = ROOT / place.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").is_file()


def direct(place: str) -> set[str]:
    """The arrows of a place that is there: to those that are there, past those that are not."""
    ends: set[str] = set()
    for end in DRAWING[place]:
        ends |= {end} if exists(end) else direct(end)
    return ends - {other for end in ends for other in behind(end)}


def behind(place: str) -> set[str]:
    """Everything that a place uses by way of others."""
    return set(DRAWING[place]) | {other for end in DRAWING[place] for other in behind(end)}


def test_the_drawing_is_the_rule_of_imports():
    (drawing,) = [block.text for block in blocks(PAGE) if block.language == "mermaid"]
    drawn: dict[str, set[str]] = {}
    for line in drawing.splitlines()[1:]:
        start, _, ends = line.strip().partition(" --> ")
        assert ends, f"not an arrow: {line}"
        drawn.setdefault(start, set()).update(ends.split(" & "))
    assert drawn == {place: direct(place) for place in DRAWING if exists(place) and direct(place)}


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
