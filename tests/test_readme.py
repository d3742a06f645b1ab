"""The README does what it says: its request gets its reply, its client runs, its commands and routes exist."""

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Server, Trained

README = (ROOT / "README.md").read_text(encoding="utf-8")
URL, GRPC = "http://127.0.0.1:3000", "127.0.0.1:3001"


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def request() -> dict[str, Any]:
    """The body of the README's request."""
    body: dict[str, Any] = json.loads(re.search(r"-d '(.*?)'\n", README, re.DOTALL)[1])
    return body


def post(url: str, body: Any) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode()), timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_the_request_gets_the_reply(trained: Trained, serve: Callable[..., Server]) -> None:
    service = serve(trained)
    reply, refusal = (json.loads(block) for block in blocks("json"))

    status, answer = post(f"{service.url}/predict", request())
    assert status == 200
    # Another kind of processor may round the training otherwise, so the probability is compared to what a person reads.
    assert answer[0].pop("probability") == pytest.approx(reply[0].pop("probability"), abs=1e-3)
    assert answer == reply, "put the reply of `make serve` into the README"

    bad = request()
    bad["applicants"][0]["duration_months"] = -3
    assert post(f"{service.url}/predict", bad) == (422, refusal)

    for client, said in zip(blocks("python"), (reply[0]["model"], reply[0]["application_id"]), strict=True):
        script = client.replace(URL, service.url).replace(GRPC, service.grpc)
        script = f"applicant = {request()['applicants'][0]!r}\n{script}"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert said in done.stdout, done.stderr


def test_every_make_target_and_folder_it_names_exists() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in re.findall(r"(?:`|^)make ([a-z]+)", README, re.MULTILINE):
        assert f"make {target}" in listed
    for folder in re.findall(r"^\| `([a-z/]+)/`", README, re.MULTILINE):
        assert (ROOT / folder).is_dir()
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / link).exists()


def test_every_direct_dependency_has_its_line() -> None:
    choices = README.split("## Choices")[1].lower().replace(" ", "-")
    names = set()
    for listed in ("serving.in", "all.in", "torch.txt"):
        for line in (ROOT / "requirements" / listed).read_text().splitlines():
            if found := re.match(r"[A-Za-z][\w-]*", line):
                names.add(found[0].lower())
    missing = sorted(name for name in names if name not in choices)
    assert not missing, f"the README's table of choices lacks {missing}"


def test_changelog_and_decisions_are_linked() -> None:
    index = Path(ROOT / "docs/decisions/README.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs/decisions").glob("0*.md"):
        assert page.name in index
