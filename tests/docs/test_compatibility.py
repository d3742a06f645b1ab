"""The table of what is supported: each row names tests that exist and are collected."""

import re
import subprocess
import sys

import pytest

from benchmarks.readme import ROOT

PAGE = (ROOT / "docs/compatibility.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.endswith("| held by |")
]
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def test_every_row_says_what_comes_what_happens_and_which_tests_hold_it():
    assert len(ROWS) >= 40
    for row in ROWS:
        assert len(row) == 3, row
        assert all(row), row
        assert ", ".join(f"`{path}::{name}`" for path, name in TEST.findall(row[2])) == row[2], row
    comes = [row[0] for row in ROWS]
    assert len(set(comes)) == len(comes), "a row stands twice"


@pytest.mark.slow
def test_the_tests_that_hold_the_rows_are_collected(request):
    """By pytest itself: in this run, or what this run leaves out in a process of its own."""
    named = {f"{path}::{name}" for path, name in TEST.findall(PAGE)}
    named -= {item.nodeid.partition("[")[0] for item in request.session.items}
    files = sorted({test.partition("::")[0] for test in named})
    if not files:
        return
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    collected = {line.partition("[")[0] for line in done.stdout.splitlines()}
    assert named - collected == set()
