"""Whether a model in the store, the model in a bento's archive, or an image in a registry is what a key signed."""

import tempfile
from pathlib import Path

from deploy.packing.archive import extract_archive
from deploy.packing.push import verify_image
from deploy.packing.store import model_folder
from signatures.model import check_model


def verify(what: str, key: Path) -> str:
    """Raise unless `what` is signed by that public key; the name of what was verified."""
    if what.endswith((".tar.gz", ".bento")):
        return _verify_archive(Path(what), key)
    if "/" in what:
        return f"{what} {verify_image(what, key)}"
    check_model(model_folder(what), key)
    return what


def _verify_archive(archive: Path, key: Path) -> str:
    with tempfile.TemporaryDirectory(prefix="verify-") as folder:
        described = extract_archive(archive, Path(folder), "build it again: make bento")
        tags = [model["tag"] for service in described["services"] for model in service["models"]]
        for tag in tags:
            check_model(Path(folder) / "models" / tag.replace(":", "/"), key)
    return " ".join(tags)
