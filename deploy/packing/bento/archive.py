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
    described = folder / "bento.yaml"
    if not described.is_file():
        raise PackingError(f"{archive}: holds no bento (no bento.yaml); {remedy}")
    try:
        found: dict[str, Any] = yaml.safe_load(described.read_text(encoding="utf-8"))
        tags = [f"{found['name']}:{found['version']}"]
        tags += model_tags(found)
        served = found["args"]["model"]
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise PackingError(f"{archive}: its bento.yaml is damaged ({error!r}); {remedy}") from None
    # They become folders in the store, so nothing but a tag may stand there.
    if not tags[0].startswith(f"{SERVICE}:") or any(not TAG.fullmatch(str(tag)) for tag in tags):
        raise PackingError(f"{archive}: is no bento of {SERVICE} ({', '.join(map(repr, tags))}); {remedy}")
    if len(tags) == 1:
        raise PackingError(f"{archive}: carries no model; {remedy}")
    if served not in tags[1:]:
        raise PackingError(f"{archive}: serves the model {served!r}, and carries {', '.join(tags[1:])}; {remedy}")
    for tag in tags[1:]:
        if not (folder / "models" / tag.replace(":", "/") / "model.yaml").is_file():
            raise PackingError(f"{archive}: lacks the model {tag}; {remedy}")
    return found


def model_tags(described: dict[str, Any]) -> list[str]:
    """The models of a bento, by its `bento.yaml`."""
    return [model["tag"] for service in described["services"] for model in service["models"]]


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
