"""The end of file descriptors: connections that are one too many are refused in words, logged and counted.

Without this the event loop closes them as soon as it has taken them: clients see resets, and nobody here anything. The
last descriptors are kept for the service's own files, and for telling callers.
"""

import asyncio
import logging
import resource
import time

from models.errors import Unready
from serving.metrics import metrics

RESERVED = 32  # descriptors for segments of the log, for key files, and for connections that are being refused
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

    def refuse(self, connections: int) -> Unready:
        """Count a connection that is refused while so many are open, log it if a line is due; what its caller sees."""
        self._refused += 1
        metrics().refused_connections.inc()
        now_s = time.monotonic()
        if now_s >= self._next_line_s:
            self._next_line_s = now_s + INTERVAL_S
            logger.error(
                "%d connections refused so far, %d are open: file descriptors are used up; raise `ulimit -n` (%d)",
                self._refused,
                connections,
                self._soft,
            )
        return Unready("too many connections; try again")
