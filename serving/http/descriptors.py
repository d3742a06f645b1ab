"""File descriptors: how many a process may have, and refusing, in words, connections that are one too many.

Owns asking for more at the start, and logging and counting what is refused. Leaves connections that give way before one
is refused to `serving.http.crowding`.

Without this the event loop closes them as soon as it has taken them: clients see resets, and nobody here anything. The
last descriptors are kept for the service's own files, and for telling callers.
"""

import asyncio
import logging
import os
import resource
import time

from models.errors import Unready
from serving.metrics import metrics

RESERVED = 32  # descriptors for segments of the log, for key files, and for connections that are being refused
WANTED = 65_536  # that a process asks for
ENOUGH = 4_096  # from which nothing is said at the start
TOO_MANY = "too many connections; try again"
INTERVAL_S = 10.0  # between two lines of the log; a line per connection would be thousands per second
logger = logging.getLogger("bentoml.scorer")


class Descriptors:
    """The descriptors of one worker."""

    def __init__(self) -> None:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._soft = soft
        self._last = float("inf") if soft == resource.RLIM_INFINITY else soft - RESERVED
        self._refused = 0
        self._next_line_s = 0.0

    def suffice_for(self, transport: asyncio.BaseTransport) -> bool:
        """Whether enough are left after this connection, which has the lowest number that was free."""
        number: int = transport.get_extra_info("socket").fileno()
        return number < self._last

    @property
    def used_up(self) -> bool:
        """Whether a connection that came now would be one too many."""
        try:
            number = os.dup(0)
        except OSError:
            return True
        os.close(number)
        return number >= self._last

    def share(self, part: float) -> float:
        """A part of the connections that there may be."""
        return self._last * part

    def refuse(self, connections: int, why: str = "") -> Unready:
        """Count a connection that is refused while so many are open, log it if a line is due; what its caller sees.

        Args:
            connections: that are open.
            why: the reason; by default that descriptors are used up.
        """
        self._refused += 1
        metrics().refused_connections.inc()
        now_s = time.monotonic()
        if now_s >= self._next_line_s:
            self._next_line_s = now_s + INTERVAL_S
            logger.error(
                "%d connections refused so far, %d are open: %s",
                self._refused,
                connections,
                why or f"file descriptors are used up; raise `ulimit -n` ({self._soft})",
            )
        return Unready(TOO_MANY)


def prepare_descriptors() -> None:
    """Raise this process's limit as far as it may, for the workers too, and log if that is not far."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(hard, WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    if soft != resource.RLIM_INFINITY and soft < ENOUGH:
        logger.warning(
            "at most %d connections per worker, as a process may open %d files: raise the hard limit (`ulimit -n %d`) "
            "before the start",
            soft - RESERVED,
            soft,
            WANTED,
        )
