"""The folder of a run: files that appear whole or not at all, on a disk or in a bucket.

Owns how that is: on a disk a file is written beside, synced, and renamed; a bucket takes a whole object, so the file is
written to a temporary folder of this machine and sent when it is complete. Leaves what the files are to others.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyarrow as pa
from pyarrow import fs

from batch.tables.places import is_remote, opened

RUN = "_run"  # what a run needs for itself; readers of tables pass over names that begin like this


class Output:
    """A folder of scores.

    Args:
        place: local or `s3://`.
    """

    def __init__(self, place: str) -> None:
        self._system, self._path = opened(place)
        self.folder = None if is_remote(place) else Path(self._path)

    def open(self, name: str) -> pa.NativeFile | None:
        """A file to read, or None if there is none."""
        try:
            return self._system.open_input_file(f"{self._path}/{name}")
        except FileNotFoundError:
            return None

    def read(self, name: str) -> bytes | None:
        """The content of a file, or None."""
        file = self.open(name)
        if file is None:
            return None
        with file:
            return bytes(file.read())

    def names(self, inner: str = "") -> list[str]:
        """The names of the files in the folder, or in one within it."""
        selector = fs.FileSelector(f"{self._path}/{inner}".rstrip("/"), allow_not_found=True)
        found = self._system.get_file_info(selector)
        return sorted(one.base_name for one in found if one.type == fs.FileType.File)

    def write(self, name: str, content: bytes) -> None:
        """Write a whole file."""
        with self.writing() as files:
            with files.create(name) as file:
                file.write(content)
            files.publish()

    def clean(self) -> None:
        """Remove what killed processes have left."""
        if self.folder is not None:
            shutil.rmtree(self.folder / RUN / "tmp", ignore_errors=True)

    @contextmanager
    def writing(self) -> "Iterator[Files]":
        """Files that are published together, the first last; without that nothing is left of them."""
        beside = self.folder / RUN / "tmp" if self.folder is not None else Path(tempfile.gettempdir())
        beside.mkdir(parents=True, exist_ok=True)
        place = beside / f"credit-scorer-{os.getpid()}-{secrets.token_hex(4)}"
        place.mkdir(mode=0o700)
        try:
            yield Files(self, self._system, self._path, place)
        finally:
            shutil.rmtree(place, ignore_errors=True)


class Files:
    """Files that are being written."""

    def __init__(self, output: Output, system: fs.FileSystem, path: str, place: Path) -> None:
        self._output, self._system, self._path, self._place = output, system, path, place
        self._open: dict[str, IO[bytes]] = {}

    def create(self, name: str) -> IO[bytes]:
        """Begin a file."""
        self._open[name] = (self._place / name.replace("/", ".")).open("wb")
        return self._open[name]

    def publish(self) -> None:
        """Make every file visible, the one that was begun first last of all."""
        for name, file in reversed(self._open.items()):
            if not file.closed:
                file.flush()
                os.fsync(file.fileno())
                file.close()
            written = self._place / name.replace("/", ".")
            if self._output.folder is None:
                with written.open("rb") as source, self._system.open_output_stream(f"{self._path}/{name}") as target:
                    target.upload(source)
                continue
            _sync(written)
            target_path = self._output.folder / name
            target_path.parent.mkdir(parents=True, exist_ok=True)
            written.replace(target_path)
            _sync(target_path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
