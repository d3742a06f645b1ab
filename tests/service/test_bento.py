"""The deployable bento: it carries the model that it was built with, and serves it from anywhere."""

import re
import subprocess
import sys

import httpx
import pytest

from tests.conftest import ROOT, Server, apart


@pytest.fixture(scope="module")
def bento(trained, tmp_path_factory):
    """The environment of a store with a bento of the trained model in it, its tag, and a folder that is no checkout."""
    home = tmp_path_factory.mktemp("bento")
    environment = {name: value for name, value in apart(trained, home).items() if name != "SCORER_MODEL"}
    done = subprocess.run(
        [sys.executable, "-m", "bentoml", "build", "--arg", f"model={trained.tag}", "--output", "tag"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (tag,) = re.findall(r"credit_scorer:\w+", done.stdout)
    elsewhere = home / "elsewhere"
    elsewhere.mkdir()
    return environment, tag, elsewhere


def test_it_serves_the_model_it_was_built_with_whatever_the_environment_says(bento, trained, tmp_path):
    environment, tag, elsewhere = bento
    del environment["PYTHONPATH"]
    wrong = environment | {"SCORER_MODEL": "german_credit:0000000000000000"}
    server = Server(wrong, tmp_path / "serve.log", target=tag, cwd=elsewhere)
    try:
        example = httpx.get(f"{server.url}/model").json()["example"]
        answer = httpx.post(f"{server.url}/predict", json={"applicants": [example]})
        assert answer.json()[0]["model"] == trained.tag
    finally:
        assert server.stop() == 0
    assert not any(elsewhere.iterdir())


def test_it_carries_the_service_and_none_of_what_trains(bento):
    _, tag, elsewhere = bento
    name, version = tag.split(":")
    source = elsewhere.parent / "bentoml/bentos" / name / version / "src"
    assert {path.name for path in source.iterdir()} - {"__pycache__"} == {
        "bentofile.yaml",
        "configs",
        "models",
        "monitoring",
        "service.py",
        "serving",
    }
    carried = (source.parent / "env/python/requirements.txt").read_text()
    assert re.search(r"^onnxruntime==", carried, re.MULTILINE)
    assert not re.search(r"^(torch|mlflow|pandas|scikit-learn)\b", carried, re.MULTILINE)
