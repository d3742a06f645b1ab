"""One process at a time: what a first run creates is created by one process, and the others wait and find it.

Owns the lock of a folder. MLflow migrates an empty database when it is first opened, and a model's first version
becomes the champion: neither bears a second process that does the same at that moment. The kernel releases the lock
when its process ends for any reason.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monitoring.records.locks import FileLock
from train.errors import PipelineError

NAME = ".creating.lock"
WAIT_S = 300.0  # a migration takes some 5 s, and 50 s on a machine with much else to do


@contextmanager
def exclusively(folder: Path, wait_s: float = WAIT_S) -> Iterator[None]:
    """Hold the lock of `folder`, which is made if it is missing; others wait for it."""
    path = folder / NAME
    with FileLock(path) as lock:
        try:
            free = lock.acquire(wait_s)
        except OSError as error:
            raise PipelineError(f"{folder}: cannot be written ({error.strerror}); fix its permissions") from error
        if not free:
            raise PipelineError(
                f"{path}: another training has held this lock for {wait_s:.0f} s; end it, and run again"
            )
        yield
