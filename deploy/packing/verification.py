"""Whether a model in the store, the model in a bento's archive, or an image in a registry is what a key signed."""

import tempfile
from pathlib import Path

from deploy.packing.bento.archive import REBUILD, extract_archive, model_tags
from deploy.packing.registry.push import verify_image
from deploy.packing.store import model_folder
from signatures.model import check_model

ARCHIVES = (".tar.gz", ".bento")


def verify(what: str, key: Path) -> str:
    """Raise unless `what` is signed by that public key; the name of what was verified."""
    if what.endswith(ARCHIVES):
        return _verify_archive(Path(what), key)
    if "/" in what:
        return f"{what} {verify_image(what, key)}"
    check_model(model_folder(what), key)
    return what


def _verify_archive(archive: Path, key: Path) -> str:
    with tempfile.TemporaryDirectory(prefix="verify-") as folder:
        tags = model_tags(extract_archive(archive, Path(folder), REBUILD))
        for tag in tags:
            check_model(Path(folder) / "models" / tag.replace(":", "/"), key)
    return " ".join(tags)
