"""Builds the bento of a model: into the BentoML store, and as an archive beside it.

Owns the order of things: the version, BentoML's own build in a folder of its own, the normal form, the archive, and the
import of that archive, so that store and archive are of the same bytes and nothing is half-done when it is interrupted.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from deploy.packing.archive import extract_archive, write_archive
from deploy.packing.contents import Contents
from deploy.packing.errors import PackingError
from deploy.packing.normal_form import normalise
from deploy.packing.provenance import provenance_beside, write_bento_provenance
from deploy.packing.store import SERVICE, bento_folder, home, manifest, model_folder

ROOT = Path(__file__).parents[2]
FOLDER = Path("var/bentos")  # of the archives, in the working directory
REBUILD = "build it again: make bento"
EXPORT_AGAIN = "export it again: bentoml export {name}:<version> {path}, or build it again: make bento"


def archive_of(version: str) -> Path:
    """The archive of the bento of that version."""
    return FOLDER / f"{SERVICE}-{version}.tar.gz"


def build(model_tag: str) -> tuple[str, bool]:
    """Build the bento with that model unless it is there; its tag, and whether it was built now."""
    model = model_folder(model_tag)
    contents = Contents.of(ROOT, model_tag, model)
    version = contents.version
    archive = archive_of(version)
    last = provenance_beside(archive)  # written last, so that with it nothing is missing
    with _alone():
        if last.is_file() and archive.is_file() and (bento_folder(version) / "bento.yaml").is_file():
            return f"{SERVICE}:{version}", False
        if not archive.is_file():
            with tempfile.TemporaryDirectory(prefix="bento-") as folder:
                built = _build(contents, version, Path(folder))
                write_archive(built, archive)
        import_archive(archive, REBUILD)
        write_bento_provenance(archive, model_tag)
    return f"{SERVICE}:{version}", True


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Wait until no other process builds a bento here."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until it is closed
        yield


def import_archive(archive: Path, remedy: str = "") -> str:
    """Import an archive into the BentoML store, its model too if the store lacks it; the bento's tag."""
    remedy = remedy or EXPORT_AGAIN.format(name=SERVICE, path=archive)
    with tempfile.TemporaryDirectory(prefix="bento-") as folder:
        described = extract_archive(archive, Path(folder), remedy)
        tag = f"{described['name']}:{described['version']}"
        stored = home() / "bentos" / described["name"] / described["version"]
        if stored.is_dir():
            if _holds(stored, Path(folder)):
                return tag
            if any(stored.rglob("decisions")):
                raise PackingError(
                    f"{stored} differs from {archive}, and holds the records of a service; move them to another place "
                    f"(SCORER_DIRECTORY), then: bentoml delete {tag}"
                )
            if not _holds(stored, Path(folder), so_far=True):
                raise PackingError(f"{stored} is another bento than {archive}; to replace it: bentoml delete {tag}")
            shutil.rmtree(stored)  # what an import left that was killed
    # An archive that it cannot read, which this one is not, BentoML meets with a traceback.
    _bentoml(["import", str(archive.absolute())], dict(os.environ), Path.cwd())
    return tag


def _holds(stored: Path, folder: Path, so_far: bool = False) -> bool:
    """Whether a bento in the store has every file of one in `folder`; the models lie elsewhere there.

    With `so_far`, whether it has nothing else: files may be missing, and end too early.
    """
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if path.is_file() and name.parts[0] != "models":
            other, content = stored / name, path.read_bytes()
            found = other.read_bytes() if other.is_file() else None
            if not (content.startswith(found or b"") if so_far else found == content):
                return False
    return True


def _build(contents: Contents, version: str, folder: Path) -> Path:
    """BentoML's build in a store that lies in `folder`; the folder of the bento, model inside, in normal form."""
    source, store = folder / "source", folder / "store"
    contents.copy_to(source)
    models = store / "models" / contents.model_tag.partition(":")[0]
    models.mkdir(parents=True)
    (models / contents.model.name).symlink_to(contents.model)
    # What this machine sets for its own service, SCORER_WORKERS for instance, has no place in the bento.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SCORER_", "PYTHON"))}
    environment |= {
        "BENTOML_HOME": str(store),
        "BENTOML_DO_NOT_TRACK": "True",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SCORER_DIRECTORY": str(folder / "var"),
    }
    _bentoml(["build", "--version", version, "--arg", f"model={contents.model_tag}"], environment, source)
    bento = store / "bentos" / SERVICE / version
    carried = bento / "models" / contents.model_tag.replace(":", "/")
    shutil.copytree(contents.model, carried)
    (carried.parent / "latest").write_text(contents.model.name, encoding="utf-8")
    time = str(manifest(contents.model)["trained_at"])
    normalise(bento, (contents.root / contents.requirements).read_text(encoding="utf-8"), time)
    return bento


def _bentoml(arguments: list[str], environment: dict[str, str], place: Path) -> str:
    """What `bentoml …` prints."""
    done = subprocess.run(  # noqa: S603 - our own arguments
        [sys.executable, "-m", "bentoml", *arguments],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise PackingError(f"`bentoml {arguments[0]}` failed:\n{said}\nin the store {home()}; {REBUILD}")
    return done.stdout + done.stderr
