"""Where what is packed comes from: the commit of this checkout and its time."""

import os
import subprocess
from pathlib import Path

from deploy.packing.errors import PackingError

ROOT = Path(__file__).parents[2]


def commit() -> str:
    """The commit, with `-dirty` if files differ from it; `unknown` outside a repository."""
    head = _git("rev-parse", "HEAD")
    return (f"{head}-dirty" if _git("status", "--porcelain") else head) or "unknown"


def time_s() -> int:
    """The one time that is written into an image, in seconds since 1970: SOURCE_DATE_EPOCH, or that of the commit."""
    given = os.environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct") or "0"
    if not given.isdecimal():
        raise PackingError(f"SOURCE_DATE_EPOCH is {given!r}, and has to be seconds since 1970; correct or unset it")
    return int(given)


def _git(*arguments: str) -> str:
    try:
        command = ["git", "--no-optional-locks", "-C", str(ROOT), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed arguments
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
