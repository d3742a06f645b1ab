"""A decision log that cannot be written, as operators hear of it: at first, every 10 s while it lasts, at the end.

Owns: how often that is said, and how many rows it cost. Leaves to others: what becomes of the rows (scoring).
"""

import logging
import time

from monitoring.records.decision_log import LogUnavailable

EVERY_S = 10.0  # seconds; a line for each refused batch would be thousands a second, on a disk that is full already

logger = logging.getLogger("bentoml.scorer")


class Outage:
    """The present outage of one worker's log, if any.

    Args:
        score_unlogged: whether rows are answered all the same.

    Attributes:
        lasts: whether the last batch could not be logged.
    """

    def __init__(self, score_unlogged: bool) -> None:
        self.lasts = False
        self._deed = "ANSWERED WITHOUT A RECORD" if score_unlogged else "refused"
        self._rows = 0
        self._next_s = 0.0

    def lost(self, rows: int, error: LogUnavailable) -> None:
        """Tell that so many rows could not be logged."""
        self._rows = self._rows + rows if self.lasts else rows
        now_s = time.monotonic()
        if not self.lasts or now_s >= self._next_s:
            self._next_s = now_s + EVERY_S
            logger.error("%d rows %s so far, they cannot be logged: %s", self._rows, self._deed, error)
        self.lasts = True

    def over(self) -> None:
        """Tell that a batch has been logged again."""
        self.lasts = False
        logger.warning("the decision log is written again; until now %d rows were %s", self._rows, self._deed)
