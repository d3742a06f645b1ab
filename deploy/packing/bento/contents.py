"""What goes into a bento, and the version that follows from it.

Owns which files are packed (`bentofile.yaml` says so), their copy into an empty folder, and the digest over them.
Leaves building to `deploy.packing.bento.build`.
"""

import hashlib
import importlib.metadata
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pathspec
import yaml

from deploy.packing.errors import PackingError
from signatures.model import SIGNATURE

BENTOFILE = "bentofile.yaml"
FORMAT = 1  # raised whenever the same contents are packed in another way
SKIPPED = {"__pycache__", "node_modules", "var"}  # folders that hold nothing to pack, and very much of it
KEY_MARKS = (b"PRIVATE KEY-----", b"AWS_SECRET_ACCESS_KEY=")


@dataclass(frozen=True)
class Contents:
    """The files of a bento, by their path in the project, and the model that goes with them."""

    root: Path
    files: tuple[str, ...]
    requirements: str
    model_tag: str
    model: Path

    @classmethod
    def of(cls, root: Path, model_tag: str, model: Path) -> "Contents":
        """What `bentofile.yaml` in `root` asks for, with that model."""
        bentofile: dict[str, Any] = yaml.safe_load((root / BENTOFILE).read_text(encoding="utf-8"))
        wanted = pathspec.PathSpec.from_lines("gitignore", bentofile["include"])
        files = tuple(sorted(path for path in _files(root) if wanted.match_file(path)))
        contents = cls(root, files, bentofile["python"]["requirements_txt"], model_tag, model)
        contents.refuse_keys()
        return contents

    @property
    def version(self) -> str:
        """The first 16 hexadecimal digits of a SHA-256 over all that determines the bento.

        The model counts by its tag, which is a digest of its inputs, and by its signature: a bento of a model that was
        signed since is another bento.
        """
        signature = self.model / SIGNATURE
        parts = [
            f"{FORMAT} {self.model_tag} bentoml {importlib.metadata.version('bentoml')}".encode(),
            signature.read_bytes() if signature.is_file() else b"",
        ]
        for name in (BENTOFILE, self.requirements, *self.files):
            parts += [name.encode(), (self.root / name).read_bytes()]
        return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:16]

    def copy_to(self, folder: Path) -> None:
        """Copy what is packed, and what says so, to `folder`: neither the place nor anything beside it matters then."""
        for name in (BENTOFILE, self.requirements, *self.files):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.root / name, folder / name)

    def refuse_keys(self) -> None:
        """Raise if a packed file holds a key: whoever gets the bento would have it."""
        for name in self.files:
            content = (self.root / name).read_bytes()
            if any(mark in content for mark in KEY_MARKS):
                raise PackingError(f"{name}: holds a key, and would be packed; move it out, or out of {BENTOFILE}")


def _files(root: Path) -> Iterator[str]:
    """Every file of the project by its relative path, but for what is hidden or made by a run."""
    for place, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in SKIPPED and not name.startswith(".")]
        for name in names:
            yield Path(place, name).relative_to(root).as_posix()
