"""The service follows the champion: with a key it has to be promoted by who holds it, without one a doubt is said."""

import shutil
from pathlib import Path

import pytest

from models.champion import ALIAS
from signatures.model import write_signature
from signatures.promotions import FILE, Promotion, append
from tests.conftest import Server
from tests.service.conftest import refused_start
from tests.signatures.test_promotions import new_key, rewritten


@pytest.fixture
def keys(tmp_path):
    """Ours, and somebody else's."""
    return new_key(tmp_path, "ours"), new_key(tmp_path, "theirs")


@pytest.fixture
def followed(trained, tmp_path, keys):
    """The environment of a service that follows the champion of a store of its own, signed, and its versions."""
    home = tmp_path / "store"
    shutil.copytree(Path(trained.environment["BENTOML_HOME"]) / "models", home / "models")
    folder = home / "models" / trained.tag.replace(":", "/")
    write_signature(folder, keys[0][0])
    environment = trained.environment | {
        "BENTOML_HOME": str(home),
        "SCORER_DIRECTORY": str(tmp_path / "var"),
        "SCORER_MODEL": f"{folder.parent.name}:{ALIAS}",
    }
    return environment, folder.parent


def promote_again(versions, key):
    """Sign for the champion that training has made without a key, as `python -m train promote` does."""
    from models.artifact import MODEL, Artifact

    version = (versions / ALIAS).read_text().strip()
    digest = Artifact(versions / version, "").manifest.sha256[MODEL]
    about = Promotion(
        action="promote", instead_of=version, by="Ana", why="sign", at="2026-11-27T00:00:00Z", evidence=""
    )
    append(versions, version, digest, about, key)


def test_training_records_the_first_champion_and_the_service_takes_it_without_a_word(followed, tmp_path):
    environment, versions = followed
    assert len((versions / FILE).read_bytes().splitlines()) == 1
    server = Server(environment, tmp_path / "serve.log")
    assert server.stop() == 0
    assert "promotion" not in server.log.read_text()


def test_a_champion_that_the_key_promoted_is_served_and_others_are_refused(followed, keys, tmp_path):
    environment, versions = followed
    (ours, public), (theirs, _) = keys
    environment |= {"SCORER_MODEL_SIGNED_BY": str(public)}

    def refusal():
        done = refused_start(environment)
        assert done.returncode != 0
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    assert f"{versions / FILE}: its newest entry is not signed by the key {public}" in refusal()
    promote_again(versions, ours)
    server = Server(environment, tmp_path / "serve.log")
    assert server.stop() == 0
    whole = (versions / FILE).read_bytes()
    first, second = whole.splitlines(keepends=True)
    promote_again(versions, theirs)
    assert "its newest entry is not signed by the key" in refusal()
    (versions / FILE).write_bytes(rewritten(first, by="Bo") + second)
    assert f"{versions / FILE}, line 2: does not follow the line before" in refusal()
    (versions / FILE).unlink()
    assert f"is not signed (no {versions / FILE}); promote it again with the key: python -m train promote" in refusal()


def test_without_a_key_a_champion_of_an_edited_history_is_served_with_a_warning(followed, keys, tmp_path):
    environment, versions = followed
    promote_again(versions, keys[0][0])
    first, second = (versions / FILE).read_bytes().splitlines(keepends=True)
    (versions / FILE).write_bytes(rewritten(first, by="Bo") + second)
    server = Server(environment, tmp_path / "serve.log")
    assert server.stop() == 0
    assert f"cannot be verified: {versions / FILE}, line 2: does not follow" in server.log.read_text()


def test_a_champion_file_that_was_edited_is_named(followed, keys, tmp_path):
    environment, versions = followed
    champion = (versions / ALIAS).read_text().strip()
    other = versions / "0123456789abcdef"
    shutil.copytree(versions / champion, other)
    for name in ("manifest.json", "model.yaml"):
        (other / name).write_text((other / name).read_text().replace(champion, other.name))
    (versions / ALIAS).write_text(other.name)
    server = Server(environment, tmp_path / "serve.log")
    assert server.stop() == 0
    said = server.log.read_text()
    assert f"promotes {champion} last, and the champion is {other.name} by {versions / ALIAS}" in said
