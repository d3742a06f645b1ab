"""The image that ours is built from: Python's own, or where no registry can be reached, Debian's Python by debootstrap.

Owns that choice and the making of the second. It stays in the store of buildah, so that it is made once.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from deploy.packing.errors import PackingError
from deploy.packing.image.engines import Engine

PUBLISHED = "docker.io/library/python:3.11-slim"
MADE = "localhost/credit-scorer-base:bookworm"
SUITE = "bookworm"  # whose python3 is 3.11
PACKAGES = "python3,python3-venv,python3-pip,ca-certificates"
LEFTOVERS = ("var/cache/apt/archives", "var/lib/apt/lists", "var/log", "usr/share/doc", "usr/share/man")


def base_image(engine: Engine, asked: str, log: Path) -> str:
    """The name of the image to build from: `asked`, or the first that is to be had."""
    if asked or not engine.is_buildah:
        return asked or PUBLISHED
    if engine.id_of(MADE):
        return MADE
    if engine.id_of(PUBLISHED) or _pulled(PUBLISHED):
        return PUBLISHED
    if os.getuid() != 0 or not shutil.which("debootstrap"):
        raise PackingError(
            f"{PUBLISHED} cannot be pulled; give another with BASE=, or make one as root with debootstrap installed: "
            "apt-get install debootstrap"
        )
    _make(engine, log)
    return MADE


def _pulled(image: str) -> bool:
    command = ["buildah", "pull", "--quiet", image]
    return subprocess.run(command, capture_output=True, check=False, timeout=600).returncode == 0  # noqa: S603


def _make(engine: Engine, log: Path) -> None:
    """Make the base of Debian's packages and commit it; takes some 40 s."""
    with tempfile.TemporaryDirectory(prefix="base-") as folder, log.open("w") as said:
        root = Path(folder) / "root"
        mirror = [os.environ["DEBIAN_MIRROR"]] if os.environ.get("DEBIAN_MIRROR") else []  # else debootstrap's own
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(root), *mirror]
        if subprocess.run(command, stdout=said, stderr=said, check=False).returncode:  # noqa: S603
            raise PackingError(f"debootstrap failed; its words are in {log}; DEBIAN_MIRROR= names another mirror")
        for name in LEFTOVERS:
            shutil.rmtree(root / name, ignore_errors=True)
            (root / name).mkdir(parents=True)
        for name in ("etc/apt/sources.list", "etc/resolv.conf", "etc/hostname"):  # which tell of this machine
            (root / name).unlink(missing_ok=True)
        container = engine.run(["from", "scratch"])
        try:
            engine.run(["add", "--quiet", container, str(root), "/"])
            engine.run(["config", "--env", "LANG=C.UTF-8", "--cmd", "python3", container])
            engine.run(["commit", "--quiet", "--timestamp=0", container, MADE])
        finally:
            engine.run(["rm", container])
