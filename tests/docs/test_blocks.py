"""Every fenced block of the pages is run, compared with what the service returns, or says why it is not."""

import csv
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from benchmarks.readme import ROOT, URL, Block, agrees, ask, blocks, first_request, pages, refreshed, request_of, values
from monitoring.records.segments import segments
from tests.conftest import Server, Trained, apart
from tests.forking_environment import forking_environment

GRPC = "127.0.0.1:3001"
RUN = ("sh", "python", "json")
ELSEWHERE = {  # blocks that another test runs or compares, by page and language
    ("docs/architecture.md", "mermaid"): "tests/docs/test_architecture_page.py",
    ("docs/records.md", "python"): "tests/monitoring/records/test_compaction.py",
}
PAGES = {str(path.relative_to(ROOT)): blocks(path.read_text(encoding="utf-8")) for path in pages()}


def runs_here(page: str, block: Block) -> bool:
    return not block.why_not_run and (page, block.language) not in ELSEWHERE


@pytest.mark.parametrize("page", PAGES)
def test_a_block_is_run_or_says_why_not(page):
    rendered = MarkdownIt("commonmark").enable("table").parse((ROOT / page).read_text(encoding="utf-8"))
    code = [(token.info, token.content) for token in rendered if token.type in ("fence", "code_block")]
    assert code == [(block.language, block.text) for block in PAGES[page]], "code in a form that is not looked at"
    for block in PAGES[page]:
        if runs_here(page, block):
            assert block.language in RUN, f"{page}:{block.line}: run it, or say above why not: <!-- not run: ... -->"


def test_what_is_run_elsewhere_is_read_there():
    for (page, language), test in ELSEWHERE.items():
        assert [block for block in PAGES[page] if block.language == language]
        assert page in (ROOT / test).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def listed() -> str:
    """The targets of the Makefile, as it prints them."""
    return subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("page", PAGES)
def test_a_command_that_is_not_run_names_targets_modules_and_files_that_exist(page, listed):
    for block in PAGES[page]:
        for target in re.findall(r"(?:^|&& |[A-Z]=\S+ )make ([a-z-]+)", block.text, re.MULTILINE):
            assert f"make {target} " in listed
        for module in re.findall(r"python3? -m ([a-z_.]+)", block.text):
            assert importlib.util.find_spec(module), f"{page}:{block.line}: {module}"
        for script in re.findall(r"python3? ([a-z_/]+\.py)", block.text):
            assert (ROOT / script).is_file(), f"{page}:{block.line}: {script}"
        for test in re.findall(r"tests/[\w/]+(?:\.py)?", block.why_not_run):
            assert (ROOT / test).exists(), f"{page}:{block.line}: {test}"


class Sandbox:
    """A folder like a checkout, with copies of what a block may write to, and one service beside it."""

    def __init__(self, home: Path, trained: Trained) -> None:
        for name in ("configs", "data"):
            shutil.copytree(ROOT / name, home / name)
        with (ROOT / "data/german_credit.csv").open(encoding="utf-8", newline="") as file:
            rows = [
                row | {"denied": "yes" if row.pop("credit_risk") == "bad" else "no"} for row in csv.DictReader(file)
            ]
        with (home / "my.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        self.home = home
        self._programs = forking_environment(home / "environment") / "bin"
        self.server = Server(apart(trained, home), home / "serve.log")
        self._environment = {**apart(trained, home), "PYTHONPATH": str(ROOT)}

    def run(self, block: Block) -> str:
        """What a block prints; its addresses are those of the service here, and its interpreter is this one."""
        ask(self.server.url, *first_request())  # so that the applicant of the README is in the log, whatever was erased
        if "serving.access new" in block.text:
            (self.home / "keys.yaml").unlink(missing_ok=True)  # each page makes a key of its own, under the same name
        text = block.text.replace(URL, self.server.url).replace(GRPC, self.server.grpc)
        if block.language == "python":
            applicant = json.loads(first_request()[1])["applicants"][0]
            command = [sys.executable, "-c", f"applicant = {applicant!r}\n{text}"]
        else:
            command = ["bash", "-euo", "pipefail", "-c", text.replace(".venv/bin/", f"{self._programs}/")]
        done = subprocess.run(
            command, cwd=self.home, env=self._environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def sandbox(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Shared by all pages, which leave it usable for the next."""
    sandbox = Sandbox(tmp_path_factory.mktemp("pages"), trained)
    yield sandbox
    sandbox.server.stop()


@pytest.mark.parametrize("page", [page for page, found in PAGES.items() if any(runs_here(page, one) for one in found)])
def test_the_blocks_of_a_page_work_and_replies_are_the_service_s(page, sandbox):
    printed = ""
    for block in PAGES[page]:
        if not runs_here(page, block):
            continue
        if block.language != "json":
            printed = sandbox.run(block)
            if block.language == "python":
                assert "A-1001" in printed, f"{page}:{block.line}"
            continue
        for shown, sent in values(json.loads(block.text), json.loads(printed)):
            message = f"{page}:{block.line} shows {shown}, the service returns {sent}: python -m benchmarks.readme"
            assert agrees(shown, sent), message


def test_commands_of_the_readme_do_what_it_says_of_them(sandbox):
    by_word = {
        word: sandbox.run(block)
        for block in PAGES["README.md"]
        for word in ("train history", "serving.access", "monitoring status", "train describe")
        if word in block.text and not block.why_not_run
    }
    assert "first" in by_word["train history"]
    key, listed = by_word["serving.access"].splitlines()[0], by_word["serving.access"].splitlines()[-1]
    assert key.startswith("scorer_")
    assert listed.split()[:3] == ["batch", "predict,read", "50/s"]
    assert key not in (sandbox.home / "keys.yaml").read_text()
    status = json.loads(by_word["monitoring status"].splitlines()[0])
    assert list(status) == ["served", "logged", "profiled", "pending"]
    assert status["served"] == status["logged"] >= 1
    draft = (sandbox.home / "configs/datasets/mine.yaml").read_text()
    assert "denied" in draft
    assert "checking_account" in draft


def test_a_row_of_the_readme_is_in_the_log_when_its_reply_is_there(sandbox):
    ask(sandbox.server.url, *first_request())
    (log,) = segments(sandbox.home / "var")
    assert b'"A-1001"' in log.read_bytes()


def test_replies_are_refreshed_in_place():
    pairs = [pair for found in PAGES.values() for pair in pairwise(found) if pair[1].language == "json"]
    assert len(pairs) >= 3
    for command, reply in pairs:
        assert request_of(command.text)
        assert refreshed(reply.text, json.loads(reply.text)) == reply.text
    reply = pairs[0][1].text
    moved = refreshed(reply, [json.loads(reply)[0] | {"probability": 0.5}])
    assert moved == re.sub(r'"probability":[\d.]+', '"probability":0.5', reply)
    assert moved != reply
