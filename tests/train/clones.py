"""Clones of this checkout as DVC works in them."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pathspec

from tests.conftest import ROOT, environment, with_mlflow
from tests.forking_environment import forking_environment
from tests.forks import DVC, TRAIN

STAGES = ["check", "split", "fit", "export", "evaluate", "gate", "publish"]


@dataclass(frozen=True)
class Clone:
    """A clone, and `home`, where what it runs keeps its stores."""

    folder: Path
    home: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command inside the clone."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment(), capture_output=True, text=True, check=False, timeout=500
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def environment(self) -> dict[str, str]:
        """Nobody's settings but those of the clone."""
        own = {key: value for key, value in environment(self.home).items() if key != "PYTHONPATH"}
        own |= {f"DVC_{name}_DIR": str(self.home / name) for name in ("GLOBAL_CONFIG", "SYSTEM_CONFIG", "SITE_CACHE")}
        own |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "NO_PROXY": "127.0.0.1"}
        own |= {f"GIT_{who}_{what}": "t@t.invalid" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        own |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
        return own | {"AWS_MAX_ATTEMPTS": "1"}

    def dvc(self, *arguments: str, **variables: str) -> str:
        """What a command of DVC prints; it runs in a fork, and so does each stage that it starts."""
        done = self.try_dvc(*arguments, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def try_dvc(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """The same for a command that may fail."""
        return DVC.run("dvc", arguments, self.folder, self.environment() | variables)

    def train(self, *arguments: str) -> str:
        """What `python -m train` prints."""
        done = TRAIN.run("train", arguments, self.folder, self.environment())
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def repro(self) -> list[str]:
        """The stages that `dvc repro` runs."""
        return ran(self.dvc("repro"))

    def commit(self) -> None:
        """Commit all that git does not ignore."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", "state")

    def replace(self, name: str, old: str, new: str) -> None:
        """Edit a file as a person would."""
        path = self.folder / name
        text = path.read_text()
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))

    def contents(self, *names: str) -> dict[str, bytes]:
        """Every file under the folders, or of the files, called `names`."""
        found = [path for name in names for path in [self.folder / name, *(self.folder / name).rglob("*")]]
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in found if path.is_file()}

    def another(self, home: Path) -> "Clone":
        """`git clone`, with the environment."""
        clone = Clone(home / "clone", with_mlflow(home))
        subprocess.run(["git", "clone", "--quiet", str(self.folder), str(clone.folder)], check=True)
        return equipped(clone)


def ran(output: str) -> list[str]:
    """The stages that ran, from what DVC prints."""
    return re.findall(r"^Running stage '(\w+)'", output, re.MULTILINE)


def equipped(clone: Clone) -> Clone:
    """The environment that pytest runs in, where the stages look for it; they run in forks, and need not import."""
    forking_environment(clone.folder / ".venv")
    (clone.folder / ".git/info/exclude").write_text("/.venv\n")
    return clone


def fresh(home: Path) -> Clone:
    """This checkout as it is on disk, committed, with nothing that a run leaves behind; `home` has its stores."""
    ignored = pathspec.PathSpec.from_lines("gitignore", (ROOT / ".gitignore").read_text().splitlines())

    def left_out(directory: str, names: list[str]) -> set[str]:
        here = Path(directory)
        own = {".git"} if here == ROOT else {"tmp", "cache", "config.local"} if here == ROOT / ".dvc" else set()
        paths = {name: (here / name).relative_to(ROOT).as_posix() + "/" * (here / name).is_dir() for name in names}
        return own | {name for name, path in paths.items() if ignored.match_file(path)}

    clone = Clone(home / "clone", with_mlflow(home))
    shutil.copytree(ROOT, clone.folder, ignore=left_out)
    clone.run("git", "init", "--quiet", "--initial-branch=main")
    clone.commit()
    return equipped(clone)
