"""Keys, and the command line in a folder of its own."""

import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.forks import SERVICE


def packing(*arguments, environment, cwd):
    """`python -m deploy.packing …`, run in `cwd`."""
    return SERVICE.run("deploy.packing", [*map(str, arguments)], cwd, environment | {"PYTHONPATH": str(ROOT)})


class Key:
    """A pair of keys, made by openssl as the pages tell."""

    def __init__(self, folder: Path, name: str) -> None:
        self.private, self.public = folder / f"{name}.pem", folder / f"{name}.pub"
        make = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(self.private)]
        subprocess.run(make, check=True, capture_output=True)
        make = ["openssl", "ec", "-in", str(self.private), "-pubout", "-out", str(self.public)]
        subprocess.run(make, check=True, capture_output=True)


@pytest.fixture(scope="session")
def key(tmp_path_factory):
    return Key(tmp_path_factory.mktemp("keys"), "ours")


@pytest.fixture(scope="session")
def another_key(tmp_path_factory):
    return Key(tmp_path_factory.mktemp("keys"), "theirs")
