"""The packages of the image, as wheels in a folder: fetched by the pip of this machine, and with its settings.

So whatever index, certificate or password this machine is configured with, the build of the image does not see it.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from deploy.packing.errors import PackingError

PYTHON = "3.11"  # of the base image
GLIBC = 36  # minor version of the C library in the base image: wheels for a later one do not run
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def fetch_wheels(requirements: Path, architecture: str, folder: Path) -> None:
    """Have exactly the wheels of that pinned list in `folder`, for that architecture (`amd64`, `arm64`)."""
    complete = folder / ".complete"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if complete.is_file() and complete.read_text(encoding="utf-8") == digest:
        return
    machine = MACHINES[architecture]
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(5, GLIBC + 1)]
    platforms += [f"manylinux2014_{machine}", f"manylinux2010_{machine}", f"manylinux1_{machine}"]
    new = folder.with_name(f".{folder.name}.{os.getpid()}")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--only-binary=:all:", f"--requirement={requirements}", f"--dest={new}"]
    command += [f"--python-version={PYTHON}", "--implementation=cp", *(f"--platform={name}" for name in platforms)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments
        if done.returncode:
            said = "\n".join(done.stderr.strip().splitlines()[-10:])
            raise PackingError(f"pip cannot fetch the packages of the image for {architecture}:\n{said}")
        (new / ".complete").write_text(digest, encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        new.replace(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
