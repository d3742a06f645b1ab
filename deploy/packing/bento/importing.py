"""Takes the archive of a bento into the BentoML store, with its models.

Owns what may be replaced there: nothing but what an interrupted import left. BentoML itself keeps whatever lies under a
tag, half a model or another one, and says that it has imported it.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from deploy.packing.bento.archive import extract_archive, model_tags, write_archive
from deploy.packing.bento.command import bentoml
from deploy.packing.errors import PackingError
from deploy.packing.store import SERVICE, home

EXPORT_AGAIN = "export it again: bentoml export {name}:<version> {path}, or build it again: make bento"
MODELS = "models"  # folder of the store, and of an archive; in the store the models are not in the bento
DESCRIPTION = "model.yaml"  # of a model by BentoML, written anew by each store

State = Literal["missing", "half", "same", "another"]


@dataclass(frozen=True)
class Item:
    """A bento or a model: in the store, and as it was unpacked."""

    stored: Path
    packed: Path
    delete: str  # the command that takes it out of the store

    def state(self) -> State:
        """How the stored one compares: half of it has files that end too early, or lacks some, and has no others."""
        if not self.stored.exists():
            return "missing"
        packed, stored = self._files(self.packed), self._files(self.stored)
        if all(name in stored and _same(name, path, stored[name]) for name, path in packed.items()):
            return "same"
        if all(name in packed and _begins(name, packed[name], path) for name, path in stored.items()):
            return "half"
        return "another"

    def _files(self, folder: Path) -> dict[str, Path]:
        found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        return {name: path for name, path in found.items() if not name.startswith(f"{MODELS}/")}


def import_archive(archive: Path, remedy: str = "") -> str:
    """Import an archive into the BentoML store, its models too where the store lacks them; the bento's tag."""
    remedy = remedy or EXPORT_AGAIN.format(name=SERVICE, path=archive)
    with tempfile.TemporaryDirectory(prefix="bento-") as place:
        folder = Path(place)
        described = extract_archive(archive, folder, remedy)
        tag = f"{described['name']}:{described['version']}"
        bento = Item(home() / "bentos" / _path(tag), folder, f"bentoml delete {tag}")
        models = [
            Item(home() / MODELS / _path(model), folder / MODELS / _path(model), f"bentoml models delete {model}")
            for model in model_tags(described)
        ]
        found = {item: item.state() for item in (bento, *models)}
        for item in (item for item, state in found.items() if state == "another"):
            raise PackingError(
                f"{item.stored} is not what {archive} holds{_records(item)}; to replace it: {item.delete}"
            )
        for item in (item for item, state in found.items() if state == "half"):
            shutil.rmtree(item.stored)
        if found[bento] != "same":
            # An archive that it cannot read, which this one is not, BentoML meets with a traceback.
            bentoml(["import", str(archive.absolute())], os.environ, Path.cwd())
        else:
            for model in models:
                if found[model] != "same":
                    packed = folder / "model.tar.gz"
                    write_archive(model.packed, packed)
                    bentoml(["models", "import", str(packed)], os.environ, Path.cwd())
                    packed.unlink()
        for item in found:
            if item.state() != "same":
                raise PackingError(f"{item.stored} was changed while it was imported; {item.delete}, and import again")
    return tag


def _path(tag: str) -> str:
    return tag.replace(":", "/")


def _records(item: Item) -> str:
    """A warning where the records of a service lie in the bento."""
    if not any(item.stored.rglob("decisions")):
        return ""
    return ", and holds the records of a service: move them to another place (SCORER_DIRECTORY)"


def _same(name: str, packed: Path, stored: Path) -> bool:
    return name == DESCRIPTION or packed.read_bytes() == stored.read_bytes()


def _begins(name: str, packed: Path, stored: Path) -> bool:
    return name == DESCRIPTION or packed.read_bytes().startswith(stored.read_bytes())
