"""The artifact: what training published is taken, and anything else is refused with the command that mends it."""

import json
import re
import shutil

import pytest

from models.artifact import FILES, FORMAT, MANIFEST, Artifact, ArtifactError, content_version, sha256


@pytest.fixture
def folder(trained, tmp_path):
    """A copy of the trained model, to be damaged."""
    return shutil.copytree(trained.folder, tmp_path / "model")


def refusal(folder):
    with pytest.raises(ArtifactError) as caught:
        Artifact(folder, retrain="make train")
    assert str(folder) in str(caught.value)
    assert str(caught.value).endswith("; run: make train")
    return str(caught.value)


def test_what_training_published_is_taken_as_it_is(trained, folder):
    artifact = Artifact(folder, retrain="make train")
    assert artifact.tag == trained.tag
    assert artifact.manifest.threshold == artifact.schema.dataset.threshold
    assert trained.tag in artifact.card
    described = artifact.describe()
    assert re.fullmatch(r"[0-9a-f]{16}", described["version"])
    assert [feature["name"] for feature in described["features"]] == [f.name for f in artifact.schema.dataset.features]
    json.dumps(described["example"], allow_nan=False)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused(folder, name):
    (folder / name).unlink()
    assert f"has no {name}" in refusal(folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", [0, 0.5, -1])
def test_a_changed_byte_is_refused(folder, name, place):
    content = bytearray((folder / name).read_bytes())
    content[int(place * len(content)) if place > 0 else place] ^= 1
    (folder / name).write_bytes(content)
    assert f"a {name} that differs from its manifest" in refusal(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_short_is_refused(folder, name):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-1])
    assert f"a {name} that differs from its manifest" in refusal(folder)


def change(folder, **values):
    manifest = json.loads((folder / MANIFEST).read_bytes())
    (folder / MANIFEST).write_text(json.dumps(manifest | values))


@pytest.mark.parametrize("number", [FORMAT - 1, FORMAT + 1])
def test_another_format_is_refused(folder, number):
    change(folder, format=number)
    assert f"has format {number}" in refusal(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"format": "1"}', b"\xff"])
def test_a_manifest_that_is_none_is_refused(folder, content):
    (folder / MANIFEST).write_bytes(content)
    assert MANIFEST in refusal(folder)


def test_a_foreign_folder_is_refused(tmp_path, folder):
    (tmp_path / "other").mkdir()
    (tmp_path / "other/model.onnx").write_bytes(b"some other project's")
    for foreign in (tmp_path / "other", tmp_path / "nowhere"):
        assert "not made by this project" in refusal(foreign)


@pytest.mark.parametrize("name", ["dataset.json", "background.json"])
def test_a_file_that_this_version_cannot_read_is_refused(folder, name):
    content = json.dumps({"name": "of another version"}).encode()
    (folder / name).write_bytes(content)
    sums = json.loads((folder / MANIFEST).read_bytes())["sha256"]
    change(folder, sha256=sums | {name: sha256(content)})
    assert name in refusal(folder)


def test_a_version_depends_on_every_part_and_on_where_one_ends():
    versions = [content_version(parts) for parts in ([b"ab"], [b"a", b"b"], [b"b", b"a"], [b"ab", b""], [])]
    assert len(set(versions)) == len(versions)
    assert content_version([b"a", b"b"]) == versions[1]
