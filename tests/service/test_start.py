"""A service that cannot serve says so at start, in one line with the command that mends it, and ends."""

import json
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.conftest import apart
from tests.service.conftest import announced, refused_start


def start(environment: dict[str, str]) -> str:
    """What `bentoml serve` printed before it ended by itself."""
    done = refused_start(environment)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "Traceback" not in said, said
    return said


@pytest.fixture
def copied(trained, tmp_path):
    """A store of its own with the trained model in it: its environment, and the model's folder."""
    store = tmp_path / "bentoml"
    shutil.copytree(Path(trained.environment["BENTOML_HOME"]) / "models", store / "models")
    name, version = trained.tag.split(":")
    environment = trained.environment | {"BENTOML_HOME": str(store), "SCORER_DIRECTORY": str(tmp_path / "var")}
    return environment, store / "models" / name / version


def test_an_empty_store_names_the_command(copied):
    environment, folder = copied
    shutil.rmtree(folder.parents[1])
    assert "make train" in start(environment)


def test_a_damaged_model_names_the_file_and_the_command(copied):
    environment, folder = copied
    with (folder / "model.onnx").open("ab") as file:
        file.write(b"x")
    said = start(environment)
    assert "has a model.onnx that differs from its manifest" in said
    assert "run: make train" in said


def test_a_foreign_model_is_refused(copied):
    environment, folder = copied
    for name in ("manifest.json", "dataset.json"):
        (folder / name).unlink()
    assert "was not made by this project's training" in start(environment)


def test_an_artifact_of_another_format_is_refused(copied):
    environment, folder = copied
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"format": 99}))
    assert "has format 99" in start(environment)


def test_a_wrong_setting_is_named(copied):
    environment, _ = copied
    said = start(environment | {"SCORER_MAX_ROWS": "many"})
    assert "SCORER_MAX_ROWS" in said


def test_a_key_of_the_log_that_is_none_is_refused_and_not_shown(copied):
    environment, _ = copied
    said = start(environment | {"SCORER_LOG_KEY": "c2VjcmV0"})
    assert "SCORER_LOG_KEY: is not base64 of 32 bytes; make one with" in said
    assert "c2VjcmV0" not in said


def test_a_key_file_that_makes_no_sense_is_named(copied, tmp_path):
    environment, _ = copied
    path = tmp_path / "keys.yaml"
    assert f"{path}: no such file" in start(environment | {"SCORER_KEYS_FILE": str(path)})
    path.write_text("keys: [{name: a}]")
    assert "keys[0].sha256: is missing" in start(environment | {"SCORER_KEYS_FILE": str(path)})


def test_a_folder_that_cannot_be_written_is_named(copied, tmp_path):
    environment, _ = copied
    (tmp_path / "var").write_text("in the way")
    assert f"{tmp_path / 'var'} is not a directory" in start(environment)


def test_the_end_of_a_start_is_the_page_and_a_request_that_works_when_pasted(service, trained):
    (said,) = announced(service)
    assert said["tag"] == trained.tag
    assert said["page"] == service.url
    assert httpx.get(said["page"]).headers["content-type"].startswith("text/html")
    done = subprocess.run(["bash", "-c", said["try"]], capture_output=True, text=True, check=True)
    (answer,) = json.loads(done.stdout)
    assert answer["model"] == trained.tag


def test_two_services_may_not_have_one_port(trained, service, tmp_path):
    done = refused_start(apart(trained, tmp_path), port=service.port)
    assert done.returncode != 0
    assert "in use" in done.stdout + done.stderr
