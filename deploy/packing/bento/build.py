"""Builds the bento of a model: into the BentoML store, and as an archive beside it.

Owns the order of things: the version, BentoML's own build in a folder of its own, the normal form, the archive, and the
import of that archive, so that store and archive are of the same bytes and nothing is half-done when it is interrupted.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from configs.opt_outs import OPT_OUTS
from deploy.packing import origin
from deploy.packing.bento.archive import REBUILD, write_archive
from deploy.packing.bento.command import bentoml
from deploy.packing.bento.contents import Contents
from deploy.packing.bento.importing import import_archive
from deploy.packing.bento.normal_form import normalise
from deploy.packing.provenance import is_described, write_bento_provenance
from deploy.packing.store import SERVICE, bento_folder, manifest, model_folder

FOLDER = Path("var/bentos")  # of the archives, in the working directory


def archive_of(version: str) -> Path:
    """The archive of the bento of that version."""
    return FOLDER / f"{SERVICE}-{version}.tar.gz"


def build(model_tag: str) -> tuple[str, bool]:
    """Build the bento with that model unless it is there; its tag, and whether it was built now."""
    model = model_folder(model_tag)
    contents = Contents.of(origin.ROOT, model_tag, model)
    version = contents.version
    archive = archive_of(version)
    with _alone():
        is_whole = is_described(archive)
        if is_whole and (bento_folder(version) / "bento.yaml").is_file():
            return f"{SERVICE}:{version}", False
        if not is_whole:
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
        **OPT_OUTS,
        "PYTHONDONTWRITEBYTECODE": "1",
        "SCORER_DIRECTORY": str(folder / "var"),
    }
    bentoml(["build", "--version", version, "--arg", f"model={contents.model_tag}"], environment, source)
    bento = store / "bentos" / SERVICE / version
    carried = bento / "models" / contents.model_tag.replace(":", "/")
    shutil.copytree(contents.model, carried)
    (carried.parent / "latest").write_text(contents.model.name, encoding="utf-8")
    time = str(manifest(contents.model)["trained_at"])
    normalise(bento, (contents.root / contents.requirements).read_text(encoding="utf-8"), time)
    return bento
