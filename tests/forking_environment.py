"""A virtual environment for scripts in tests, whose programs run in forks (`tests.forks`) and need not import."""

import sys
from pathlib import Path

from tests.forks import ROOT, RUN, SERVICE, TRAIN

PROGRAMS = {"train": TRAIN, "bentoml": SERVICE, "monitoring": SERVICE, "deploy.packing": SERVICE}
# In place of the interpreter of an environment, or of its program `bentoml`: what has a fork server runs in a fork.
INTERPRETER = f"""#!{sys.executable} -IS
import os, sys
sys.path.insert(0, {str(ROOT)!r})
import tests.forks
tests.forks.RUN = {RUN!r}
from tests.forking_environment import PROGRAMS
command = sys.argv[1:]
if os.path.basename(sys.argv[0]) == "bentoml":
    command = ["-m", "bentoml", *command]
if command[:1] == ["-m"] and command[1] in PROGRAMS:
    spares = tests.forks.SPARES.get(command[1], ())
    start = PROGRAMS[command[1]].start
    sys.exit(start(command[1], command[2:], os.getcwd(), os.environ, (0, 1, 2), spares).wait())
os.execv({sys.executable!r}, [{sys.executable!r}, *command])
"""


def forking_environment(folder: Path) -> Path:
    """Make `folder` look like a virtual environment, for scripts, in which the programs of `PROGRAMS` run in forks.

    Its other programs are those of the environment that pytest runs in.
    """
    for server in (TRAIN, SERVICE):
        server.connect()  # a server that a script starts would end with it
    (folder / "bin").mkdir(parents=True)
    for part in Path(sys.prefix).iterdir():  # also the stamp by which `make environment` sees that all is installed
        if part.name != "bin":
            (folder / part.name).symlink_to(part)
    for program in Path(sys.prefix, "bin").iterdir():
        if program.name not in ("python", "bentoml"):
            (folder / "bin" / program.name).symlink_to(program)
    for name in ("python", "bentoml"):
        (folder / "bin" / name).write_text(INTERPRETER)
        (folder / "bin" / name).chmod(0o755)
    return folder
