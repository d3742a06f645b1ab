"""What the pages list is what there is: dependencies, folders, targets; and the README stays short."""

import re
import subprocess

import pytest

from benchmarks.readme import ROOT, pages

README = (ROOT / "README.md").read_text(encoding="utf-8")
ACTION_KEYS = {"ACTION_WEBHOOK_SECRET", "ACTION_SLACK_URL", "ACTION_GITHUB_TOKEN"}
KEYS = {
    "LOG_KEY",
    "SEAL_KEY",
    "SIGNING_KEY",
    "LOAD_KEY",
    "ROLLOUT_KEY",
    "SIMULATION_KEY",
    *ACTION_KEYS,
}  # in the environment alone, never in a file


def test_every_direct_dependency_has_its_line():
    choices = (ROOT / "docs/choices.md").read_text(encoding="utf-8").lower().replace(" ", "-")
    names = set()
    for listed in ("serving.in", "all.in", "load.in", "torch.txt"):
        for line in (ROOT / "requirements" / listed).read_text().splitlines():
            if found := re.match(r"[A-Za-z][\w-]*", line):
                names.add(found[0].lower())
    missing = sorted(name for name in names if name not in choices)
    assert not missing, f"the table of choices lacks {missing}"


def test_every_make_target_that_a_page_names_exists():
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for page in pages():
        for target in re.findall(r"`make ([a-z-]+)", page.read_text(encoding="utf-8")):
            assert f"make {target} " in listed, f"{page.name}: make {target}"


def test_the_map_names_every_package_and_the_rooms_that_there_are():
    rows = dict(re.findall(r"^\| `([a-z]+)/` \| (.+) \|$", README, re.MULTILINE))
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages <= set(rows)
    for folder, contents in rows.items():
        assert (ROOT / folder).is_dir()
        for room in re.findall(r"`([a-z0-9_]+)/`", contents):
            assert (ROOT / folder / room).is_dir(), f"{folder}/{room}"
    for package in packages - {"tests", "benchmarks"}:
        rooms = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}
        assert {room for room in rooms if f"`{room}/`" not in rows[package]} == set(), package


def test_the_readme_is_short_and_its_first_screen_shows_command_request_reply_picture_and_number():
    assert len(README.split()) <= 1750
    first = README.split("## Map")[0]
    for part in ("make serve", "curl ", '"probability":', "```mermaid", "`make bench-serving`", "CPython 3.11"):
        assert part in first


def test_each_setting_that_a_page_names_in_the_environment_is_one():
    settings = {
        line.partition(":")[0].upper()
        for name in ("service", "monitoring", "batch")
        for line in (ROOT / f"configs/{name}.yaml").read_text().splitlines()
        if re.match(r"[a-z0-9_]+:", line)
    }
    for page in pages():
        if page.name == "CHANGELOG.md":  # which names former ones too
            continue
        for name in re.findall(r"SCORER_([A-Z0-9_]+)", page.read_text(encoding="utf-8")):
            assert name in settings | KEYS, f"{page.name}: SCORER_{name}"


MADE_BY_THE_READER = {"configs/models/tuned.yaml"}
TOP = "batch|benchmarks|configs|data|deploy|docs|loadtests|models|monitoring|requirements|serving|signatures|tests"
TOP += "|train"


@pytest.mark.parametrize("page", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_and_test_that_a_page_names_exists(page):
    text = page.read_text(encoding="utf-8")
    for path in set(re.findall(rf"`((?:{TOP})/[\w./-]*)`", text)) - MADE_BY_THE_READER:
        assert (ROOT / path).exists(), path
    file = ""
    for name, path in re.findall(r"`(test_\w+)`(?:\s+in\s+(?:`(tests/[\w/]+\.py)`|the\s+same\s+file))?", text):
        file = path or file
        assert re.search(rf"^def {name}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE), f"{file}: {name}"
