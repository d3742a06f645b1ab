"""One folder as one archive whose bytes depend on names and contents alone, and back.

Owns order, owners, times and compression. The compression is zlib's: another build of it, such as zlib-ng, may write
other bytes for the same members.
"""

import gzip
import hashlib
import io
import lzma
import os
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from deploy.packing.errors import PackingError
from deploy.packing.store import SERVICE, TAG

LEVEL = 6
REBUILD = "build it again: make bento"


def write_archive(folder: Path, archive: Path) -> None:
    """Write the files in `folder` to `archive`, a `.tar.gz`, completely or not at all."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    temporary = archive.with_name(f".{archive.name}.{os.getpid()}")
    try:
        with (
            temporary.open("wb") as file,
            gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=LEVEL, mtime=0) as compressed,
            tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as members,
        ):
            for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix()):
                _add(members, path, path.relative_to(folder).as_posix())
        temporary.replace(archive)
    finally:
        temporary.unlink(missing_ok=True)


def _add(members: tarfile.TarFile, path: Path, name: str) -> None:
    member = tarfile.TarInfo(name)  # owned by root, at time 0
    if path.is_dir():
        member.type, member.mode = tarfile.DIRTYPE, 0o755
        members.addfile(member)
        return
    content = path.read_bytes()
    member.size, member.mode = len(content), 0o755 if path.suffix == ".sh" else 0o644
    members.addfile(member, io.BytesIO(content))


def extract_archive(archive: Path, folder: Path, remedy: str) -> dict[str, Any]:
    """Extract a bento's archive to `folder`; the content of its bento.yaml.

    A broken one raises with `remedy`, the command that makes another.
    """
    try:
        with tarfile.open(archive) as members:
            members.extractall(folder, filter="data")
    except FileNotFoundError:
        raise PackingError(f"{archive}: no such file; {remedy}") from None
    except (OSError, EOFError, tarfile.TarError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise PackingError(f"{archive}: is damaged, or no bento ({error}); {remedy}") from None
    if not (folder / "bento.yaml").is_file():
        raise PackingError(f"{archive}: holds no bento (no bento.yaml); {remedy}")
    try:
        found: dict[str, Any] = yaml.safe_load((folder / "bento.yaml").read_text(encoding="utf-8"))
        tag, models, served = f"{found['name']}:{found['version']}", model_tags(found), found["args"]["model"]
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise PackingError(f"{archive}: its bento.yaml is damaged ({error!r}); {remedy}") from None
    for problem in _problems(folder, tag, models, served):
        raise PackingError(f"{archive}: {problem}; {remedy}")
    return found


def _problems(folder: Path, tag: str, models: list[str], served: str) -> Iterator[str]:
    """What must not be in the archive of a bento that was extracted to `folder`."""
    # They become folders in the store, so nothing but a tag may stand there.
    if not tag.startswith(f"{SERVICE}:") or any(not TAG.fullmatch(str(one)) for one in (tag, *models)):
        yield f"is no bento of {SERVICE} ({', '.join(map(repr, (tag, *models)))})"
    if not models:
        yield "carries no model"
    if served not in models:
        yield f"serves the model {served!r}, and carries {', '.join(models)}"
    carried = {f"{path.parent.parent.name}:{path.parent.name}" for path in (folder / "models").glob("*/*/model.yaml")}
    if missing := set(models) - carried:
        yield f"lacks the model {', '.join(sorted(missing))}"
    # An import would bring them into the store as well.
    if others := {f"{path.parent.name}:{path.name}" for path in (folder / "models").glob("*/*/")} - set(models):
        yield f"carries models that it does not name ({', '.join(sorted(others))})"


def model_tags(described: dict[str, Any]) -> list[str]:
    """The models of a bento, by its `bento.yaml`."""
    return [model["tag"] for service in described["services"] for model in service["models"]]


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
