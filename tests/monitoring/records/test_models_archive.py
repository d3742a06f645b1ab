"""Where the version that decided is kept and found."""

import json
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec import structs

from configs.monitoring import read_monitoring
from models.artifact import MANIFEST, Artifact
from monitoring.records.models_archive import VersionGone, archive_folder, find_model, keep_model


@pytest.fixture
def settings(tmp_path):
    return structs.replace(read_monitoring(), directory=str(tmp_path / "var"))


@pytest.fixture
def model(trained):
    return Artifact(trained.folder, retrain="make train")


@pytest.fixture
def nowhere(tmp_path):
    """The environment of a store without a model."""
    return {"BENTOML_HOME": str(tmp_path / "bentoml")}


def test_a_version_that_was_kept_is_found_without_the_store_and_kept_once(settings, model, nowhere):
    keep_model(settings, model)
    found = find_model(settings, nowhere, model.tag)
    assert found.folder == archive_folder(settings) / model.tag.replace(":", "/")
    assert found.manifest == model.manifest
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in archive_folder(settings).rglob("*")}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    before = (found.folder / MANIFEST).stat().st_ino
    keep_model(settings, model)
    assert (found.folder / MANIFEST).stat().st_ino == before


def test_workers_that_start_at_once_keep_one_copy_and_leave_nothing_else(settings, model, caplog):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: keep_model(settings, model), range(8)))
    assert [path.name for path in (archive_folder(settings) / model.manifest.name).iterdir()] == [
        model.manifest.version
    ]
    assert caplog.text == ""


def test_the_store_has_what_the_archive_lacks_or_holds_damaged(settings, model, trained):
    store = {"BENTOML_HOME": trained.environment["BENTOML_HOME"]}
    assert find_model(settings, store, model.tag).folder == model.folder
    keep_model(settings, model)
    copy = archive_folder(settings) / model.tag.replace(":", "/")
    (copy / "encoded.onnx").write_bytes(b"")
    assert find_model(settings, store, model.tag).folder == model.folder
    keep_model(settings, model)
    assert find_model(settings, {"BENTOML_HOME": "/nowhere"}, model.tag).folder == copy, "it was made anew"


def test_a_damaged_or_renamed_copy_is_no_version_and_the_reason_is_told(settings, model, nowhere):
    keep_model(settings, model)
    copy = archive_folder(settings) / model.tag.replace(":", "/")
    shutil.copytree(copy, copy.with_name("other"))
    with pytest.raises(VersionGone, match=f"is {model.tag} by its manifest"):
        find_model(settings, nowhere, f"{model.manifest.name}:other")
    (copy / "model.onnx").write_bytes(b"")
    with pytest.raises(VersionGone, match=r"model\.onnx that differs from its manifest"):
        find_model(settings, nowhere, model.tag)


@pytest.mark.parametrize("tag", ["m:1", "m", ":", "..:..", "a/b:1", "m:../../x", "m:\x1b[2J"])
def test_a_version_that_is_nowhere_is_told_by_name_and_a_forged_name_reads_nothing_else(settings, nowhere, tag):
    with pytest.raises(VersionGone, match="is neither in") as caught:
        find_model(settings, nowhere, tag)
    assert str(caught.value).isprintable()


def test_where_it_cannot_be_kept_the_log_says_so_and_nothing_fails(settings, model, caplog):
    Path(settings.directory).mkdir()
    archive_folder(settings).write_text("in the way")
    keep_model(settings, model)
    assert f"{model.tag} cannot be kept for replay (Not a directory)" in caplog.text
    assert json.loads((model.folder / MANIFEST).read_bytes())["version"] == model.manifest.version
