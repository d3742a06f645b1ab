"""Past decisions, found by their `application_id` while the worker goes on scoring.

Owns: that one thread searches, that few searches wait, and that those who ask for the same at once share one. Leaves
the search to `monitoring.records.lookup`.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from models.errors import Unready
from monitoring.records.log_keys import LogKeys
from monitoring.records.lookup import DecisionSearch, PastDecision

MAX_SEARCHES = 16  # different ids searched for or waiting, per worker; each takes a millisecond, or 0.5 s in archives


class PastDecisions:
    """The searches of one worker.

    Args:
        directory: that holds the records.
        keys: of the decision log.
        timeout_s: seconds after which a search is aborted, its wait included.
    """

    def __init__(self, directory: Path, keys: LogKeys, timeout_s: float) -> None:
        self._search = DecisionSearch(directory, keys)
        self._timeout_s = timeout_s
        self._running: dict[tuple[str, str | None], asyncio.Future[PastDecision | None]] = {}
        self._thread = ThreadPoolExecutor(1, "lookup")
        self.searches = 0

    async def find(self, application_id: str, owner: str | None = None) -> PastDecision | None:
        """Return the newest decision on `application_id`; None if there is none.

        Args:
            application_id: of the applicant.
            owner: the caller whose rows count; None for those of all.

        Raises:
            Unready: too many searches are waiting.
            TimeoutError: the search took too long.
        """
        asked = application_id, owner
        running = self._running.get(asked)
        if running is None:
            if len(self._running) >= MAX_SEARCHES:
                raise Unready("too many searches for past decisions are waiting; try again")
            self.searches += 1
            deadline_s = time.monotonic() + self._timeout_s
            loop = asyncio.get_running_loop()
            running = loop.run_in_executor(self._thread, self._search.find, application_id, deadline_s, owner)
            self._running[asked] = running
            running.add_done_callback(lambda done: self._end(asked, done))
        return await asyncio.shield(running)  # a caller who goes leaves the search to the others

    def _end(self, asked: tuple[str, str | None], done: "asyncio.Future[PastDecision | None]") -> None:
        self._running.pop(asked, None)
        if not done.cancelled():
            done.exception()  # read, if every caller has gone

    def close(self) -> None:
        """Stop; searches that wait are dropped."""
        self._thread.shutdown(wait=False, cancel_futures=True)
