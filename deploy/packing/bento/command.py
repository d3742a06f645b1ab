"""The `bentoml` of this environment, which writes the store."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.packing.bento.archive import REBUILD
from deploy.packing.errors import PackingError
from deploy.packing.store import home


def bentoml(arguments: Sequence[str], environment: Mapping[str, str], place: Path) -> None:
    """Run `bentoml …` in that folder; raises with what it printed where it fails."""
    done = subprocess.run(  # noqa: S603 - our own arguments
        [sys.executable, "-m", "bentoml", *arguments],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise PackingError(f"`bentoml {arguments[0]}` failed:\n{said}\nin the store {home()}; {REBUILD}")
