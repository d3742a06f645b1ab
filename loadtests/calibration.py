"""How fast this machine is right now: round trips over loopback, with the work of a small request at both ends.

    python -m loadtests.calibration    the other end: answers on its standard input, a socket, until that ends

Two processes exchange an applicant of 20 fields as JSON, decode it, hash it and encode it again: what the service and
its clients do, without either of them, so a slower service does not look like a slower machine. Latencies are compared
between runs as multiples of this figure.
"""

import hashlib
import json
import math
import os
import platform
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

from msgspec import Struct

SECONDS, BLOCK_S = 2.0, 0.1  # a block's mean shows what other programs take; the median of blocks ignores a bad moment
BODY = json.dumps({f"field_{number}": "a value of it" if number % 2 else number for number in range(20)}).encode()


class Calibration(Struct, frozen=True, kw_only=True):
    """The machine around one run.

    Attributes:
        before_us, after_us: microseconds per round trip, before and after the load.
        machine: processor, cores and Python, by which results are known to be of the same kind of machine.
    """

    before_us: float
    after_us: float
    machine: str

    @property
    def round_trip_ms(self) -> float:
        """The unit that latencies are divided by, milliseconds."""
        return math.sqrt(self.before_us * self.after_us) / 1000

    @property
    def change(self) -> float:
        """How much slower one of the two was than the other.

        >>> round(Calibration(before_us=100, after_us=80, machine="").change, 2)
        0.25
        """
        return max(self.before_us, self.after_us) / min(self.before_us, self.after_us) - 1


def calibrate(seconds: float = SECONDS) -> float:
    """Microseconds per round trip, measured now."""
    ours, theirs = socket.socketpair()
    with ours, subprocess.Popen([sys.executable, "-m", "loadtests.calibration"], stdin=theirs.fileno()):
        theirs.close()
        _round_trips(ours, BLOCK_S)  # the other end has to start
        blocks = [_round_trips(ours, BLOCK_S) for _ in range(round(seconds / BLOCK_S))]
        ours.shutdown(socket.SHUT_RDWR)  # which ends the other end
    return statistics.median(blocks) * 1e6


def machine() -> str:
    """Processor, cores and Python."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    processor = named or platform.processor() or platform.machine()
    return f"{processor}, {os.cpu_count()} cores, Python {platform.python_version()}"


def _round_trips(connection: socket.socket, seconds: float) -> float:
    """The mean time of round trips in a block, seconds."""
    begin_s, done = time.perf_counter(), 0
    while True:
        connection.sendall(_worked(BODY))
        _worked(_received(connection))
        done += 1
        if (passed_s := time.perf_counter() - begin_s) >= seconds:
            return passed_s / done


def _received(connection: socket.socket) -> bytes:
    """A body, which always has the same length; empty when the other end has gone."""
    received = b""
    while len(received) < len(BODY):
        part = connection.recv(len(BODY) - len(received))
        if not part:
            return b""
        received += part
    return received


def _worked(body: bytes) -> bytes:
    """The body again, decoded, hashed and encoded."""
    hashlib.sha256(body).digest()
    return json.dumps(json.loads(body)).encode()


def main() -> None:
    """Answer until the other end hangs up."""
    with socket.socket(fileno=os.dup(sys.stdin.fileno())) as connection:
        while body := _received(connection):
            connection.sendall(_worked(body))


if __name__ == "__main__":
    main()
