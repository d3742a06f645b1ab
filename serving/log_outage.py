"""A decision log that cannot be written, as operators read of it: at first, every 10 s while it lasts, and at the end.

Owns: how often that is logged, and how many rows it cost. Leaves to others: what becomes of the rows (scoring).
"""

import logging
import time

from monitoring.records.log_place import LogUnavailable

INTERVAL_S = 10.0  # seconds; a line per refused batch would be thousands per second, on a disk that is full already

logger = logging.getLogger("bentoml.scorer")


class LogOutage:
    """The outages of one worker's log.

    Args:
        score_unlogged: whether rows are answered all the same.

    Attributes:
        active: whether the last batch could not be logged.
    """

    def __init__(self, score_unlogged: bool) -> None:
        self.active = False
        self._consequence = "ANSWERED WITHOUT A RECORD" if score_unlogged else "refused"
        self._rows = 0
        self._next_line_s = 0.0

    def record_loss(self, rows: int, error: LogUnavailable) -> None:
        """Count rows that could not be logged, and log that if a line is due."""
        self._rows = self._rows + rows if self.active else rows
        now_s = time.monotonic()
        if not self.active or now_s >= self._next_line_s:
            self._next_line_s = now_s + INTERVAL_S
            logger.error("%d rows %s so far, they cannot be logged: %s", self._rows, self._consequence, error)
        self.active = True

    def end(self) -> None:
        """Log that a batch has been written again."""
        self.active = False
        logger.warning("the decision log is written again; until now %d rows were %s", self._rows, self._consequence)
