"""The versions of the model that decided, kept beside the records, so that each can score its decisions again.

Owns: the folder of `models_archive`, and where a version is looked for. Leaves to others: what an artifact holds and
whether it is intact (`models.artifact`), scoring (replay).

The service copies the version that it serves before it logs a row, private as all records are. So a version stays
findable when somebody deletes it from the BentoML store, and where there is no store, beside a bento or an image.
Nothing here deletes a version.
MLflow's registry is not asked: it has the graph of a version without the dataset file, which has the threshold.
"""

import logging
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from configs.monitoring import Monitoring
from models.artifact import Artifact, ArtifactError
from monitoring.records import private
from monitoring.records.durable import PRIVATE

_log = logging.getLogger("bentoml.scorer")


class VersionGone(Exception):  # noqa: N818 - a state that ends when the version is brought back
    """No intact artifact of a version is to be found.

    Args:
        tag: name and version.
        problem: where it was looked for, or what is wrong with what was found.
    """

    def __init__(self, tag: str, problem: str) -> None:
        text = f"{tag} {problem}"
        super().__init__("".join(mark if mark.isprintable() else "?" for mark in text))  # the tag may be forged


def archive_folder(settings: Monitoring) -> Path:
    """Return the folder of the archived versions."""
    return Path(settings.directory) / settings.models_archive


def keep_model(settings: Monitoring, model: Artifact) -> None:
    """Copy the files of a version, unless they are there; where that fails, the log of the service says so."""
    folder = _version_folder(archive_folder(settings), model.tag)
    if _intact(folder) is not None:
        return
    try:
        for parent in (folder.parent.parent, folder.parent):
            private.make_folder(parent)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as place:
            temporary = Path(place) / folder.name
            temporary.mkdir(mode=0o700)
            for file in model.folder.iterdir():  # a signature too
                if file.is_file():
                    shutil.copyfile(file, temporary / file.name)
                    (temporary / file.name).chmod(PRIVATE)
            if folder.exists():  # damaged
                folder.rename(Path(place) / "damaged")
            temporary.rename(folder)
    except OSError as error:
        if _intact(folder) is None:  # else another worker was faster
            _log.warning("%s: %s cannot be kept for replay (%s)", folder, model.tag, error.strerror or error)


def find_model(settings: Monitoring, environment: Mapping[str, str], tag: str) -> Artifact:
    """Return the artifact that decided, from the archive or the BentoML store.

    Raises:
        VersionGone: neither has it, or what they have is damaged.
    """
    store = Path(environment.get("BENTOML_HOME") or Path.home() / "bentoml") / "models"
    damage = ""
    for root in (archive_folder(settings), store):
        folder = _version_folder(root, tag)
        if not folder.is_dir():
            continue
        try:
            found = Artifact(folder, retrain=f"bring {tag} back")
        except ArtifactError as error:
            damage = damage or f"cannot be used: {error}"
            continue
        if found.tag == tag:
            return found
        damage = damage or f"is {found.tag} by its manifest in {folder}"
    raise VersionGone(tag, damage or f"is neither in {archive_folder(settings)} nor in {store}")


def _version_folder(root: Path, tag: str) -> Path:
    """Return the folder of a version; a tag that is no name and version, as in a forged record, has none.

    >>> _version_folder(Path("models"), "german_credit:1f").as_posix()
    'models/german_credit/1f'
    >>> _version_folder(Path("models"), "../german_credit:..").name
    'nowhere'
    """
    name, _, version = tag.partition(":")
    if not all(part and part == Path(part).name for part in (name, version)):
        return root / "nowhere"
    return root / name / version


def _intact(folder: Path) -> Artifact | None:
    try:
        return Artifact(folder, retrain="") if folder.is_dir() else None
    except ArtifactError:
        return None
