"""A load-generating process: owns the communication with `benchmarks.load` or `benchmarks.grpc_load`."""

import subprocess
import sys
from pathlib import Path

import msgspec

from benchmarks.measurement import Load, Measured


class Generator:
    """Runs `python -m <module>`; use it as a context manager.

    Args:
        module: `benchmarks.load` or `benchmarks.grpc_load`.
        root: the checkout.
    """

    def __init__(self, module: str, root: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def __enter__(self) -> "Generator":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=30)  # it exits at the end of its input

    def measure(self, name: str, load: Load) -> Measured:
        """Put a load on the server `name`; exits on an error, because an incomplete table would mislead."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(msgspec.json.encode(load) + b"\n")
        self._process.stdin.flush()
        measured = msgspec.json.decode(self._process.stdout.readline() or b'{"error":"it died"}', type=Measured)
        if measured.error:
            sys.exit(f"{name} at {load.connections} connections: {measured.error}")
        return measured
