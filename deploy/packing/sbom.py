"""The bill of materials of a bento or an image, in CycloneDX's JSON, by syft.

Owns the file beside the archive and the call. Every package that the bento or the image holds is in it, Debian's too.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from deploy.packing.bento.archive import REBUILD, extract_archive
from deploy.packing.bento.build import archive_of
from deploy.packing.errors import PackingError
from deploy.packing.image.engines import Engine

TOOLS = Path(__file__).parents[2] / ".venv-shipping/bin"


def bento_sbom(version: str) -> Path:
    """Describe the bento of that version; the file beside its archive."""
    archive = archive_of(version)
    with tempfile.TemporaryDirectory(prefix="sbom-") as folder:
        extract_archive(archive, Path(folder), REBUILD)
        return _scan(f"dir:{folder}", archive.name.removesuffix(".tar.gz"), version, archive)


def image_sbom(image: str, engine: Engine, folder: Path) -> Path:
    """Describe an image of this machine; the file in `folder`."""
    engine.require(image)
    name, _, version = image.rpartition("/")[2].partition(":")
    with tempfile.TemporaryDirectory(prefix="sbom-") as scratch:
        saved = Path(scratch) / "image.tar"
        engine.save(image, saved)
        return _scan(f"docker-archive:{saved}", name, version, folder / f"{name}-{version}")


def _scan(source: str, name: str, version: str, beside: Path) -> Path:
    result = beside.with_name(beside.name.removesuffix(".tar.gz") + ".cdx.json")
    result.parent.mkdir(parents=True, exist_ok=True)
    syft = str(TOOLS / "syft") if (TOOLS / "syft").is_file() else shutil.which("syft")
    if syft is None:
        raise PackingError("syft, which lists what is inside, is not installed; run: make shipping-environment")
    temporary = result.with_name(f".{result.name}.{os.getpid()}")
    command = [syft, "scan", source, "--quiet", f"--source-name={name}", f"--source-version={version}"]
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments
            [*command, f"--output=cyclonedx-json={temporary}"],
            env=os.environ | {"SYFT_CHECK_FOR_APP_UPDATE": "false"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise PackingError(f"syft cannot describe {source}: {done.stderr.strip()[-400:]}")
        temporary.replace(result)
    finally:
        temporary.unlink(missing_ok=True)
    return result
