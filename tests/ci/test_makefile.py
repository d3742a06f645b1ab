"""Values of the Makefile's variables reach the programs as they were given."""

import re
import subprocess

import pytest

from tests.conftest import ROOT

ODD = """it's "a tag"; touch made & x"""


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


def without_quoted(line: str) -> str:
    """A line without what is quoted in it by `$(call q,…)`."""
    before, found, after = line.partition("$(call q,")
    if not found:
        return line
    depth, at = 1, 0
    while depth:
        depth += {"(": 1, ")": -1}.get(after[at], 0)
        at += 1
    return before + without_quoted(after[at:])


def test_a_value_of_the_command_line_is_one_word_of_the_shell_wherever_it_is_used():
    text = (ROOT / "Makefile").read_text()
    given = text[text.index("# Given on the command line") : text.index("# Nothing here reports")]
    names = set(re.findall(r"^([A-Z_]+) =", given, re.MULTILINE)) - {"WORKFLOW"}  # which is several, with options
    assert {"MODEL_TAG", "IMAGE", "REGISTRY", "KEY", "DATASET"} <= names
    for line in text[text.index("# Nothing here reports") :].splitlines():
        left = re.sub(r"\$\((if|or) \$\([A-Z_]+\),", "", without_quoted(line))  # whether it is given at all
        assert not re.search(rf"\$\(({'|'.join(names)})\)", left), line


@pytest.mark.parametrize(
    ("target", "arguments"),
    [
        ("sign", [f"MODEL_TAG={ODD}", "KEY=none.pem"]),
        ("verify", [f"MODEL_TAG={ODD}", "KEY=none.pem"]),
        ("apply", ["OVERLAY=staging", f"IMAGE=r.example/{ODD}:1"]),
    ],
)
def test_quotes_and_semicolons_of_a_value_are_part_of_it(target, arguments):
    assert not (ROOT / "made").exists()
    done = make(target, *arguments)
    assert done.returncode != 0
    assert not (ROOT / "made").exists()
    assert "touch made & x" in done.stderr, done.stderr
