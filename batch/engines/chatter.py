"""What an engine says of itself: into a log, not over the progress bar or the summary.

Owns the log, and sending there what a program that is started writes. Leaves loggers of Python to the engines.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from configs.monitoring import read_monitoring


def log_of(engine: str) -> Path:
    """The log of an engine, beside the records of this machine; made anew for each run."""
    path = Path(read_monitoring().directory) / "log" / f"batch-{engine}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path.absolute()


@contextmanager
def diverted(log: Path) -> Iterator[None]:
    """Have what this process and programs that it starts write to their standard streams go to the log."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = {stream: os.dup(stream) for stream in (1, 2)}
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        for stream in kept:
            os.dup2(descriptor, stream)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for stream, original in kept.items():
            os.dup2(original, stream)
            os.close(original)
        os.close(descriptor)
