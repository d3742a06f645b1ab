"""`POST /feedback`: whether the event happened to applicants that were scored.

Owns the route, and that one thread works while the worker goes on scoring and few requests wait. Leaves to others: what
a valid outcome is (`serving.http.outcomes_body`), keeping it (`monitoring.records.outcomes`), which decisions there are
(`monitoring.records.known_ids`).

The answer leaves after the commit, and a request that is sent again changes nothing: whoever gets no answer repeats it.
"""

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from configs.monitoring import Monitoring
from configs.service import ServiceConfig
from models.errors import Unready
from monitoring.records.known_ids import KnownIds
from monitoring.records.log_keys import LogKeys
from serving.calls import caller_of
from serving.error_responses import guarded
from serving.http.body import read_body
from serving.http.outcomes_body import contradiction, read_outcomes, reject_outcomes
from serving.metrics import metrics

if TYPE_CHECKING:
    from monitoring.records.outcomes import OutcomeStore

FEEDBACK = "/feedback"
MAX_WAITING = 16  # requests per worker: each may hold the largest body
logger = logging.getLogger("bentoml.scorer")


class Received(Struct, frozen=True):
    """The answer.

    Attributes:
        accepted: outcomes that are new.
        repeated: outcomes that change nothing: known already, or older than what is known.
        corrected: outcomes of another value than was known, observed later.
        unknown: ids without a decision, which are kept all the same: the decision may arrive later.
    """

    accepted: int
    repeated: int
    corrected: int
    unknown: list[str]


class FeedbackEndpoint:
    """The route of one worker.

    Args:
        service: the limits.
        settings: where outcomes are kept.
        keys: of the decision log.
    """

    def __init__(self, service: ServiceConfig, settings: Monitoring, keys: LogKeys) -> None:
        self._max_body_bytes, self._timeout_s = service.max_body_bytes, service.timeout_s
        self._settings, self._keys = settings, keys
        self._known = KnownIds(Path(settings.directory), keys)
        self._store: OutcomeStore | None = None
        self._thread = ThreadPoolExecutor(1, "feedback")
        self._waiting = 0
        self._failing = False

    def route(self) -> Route:
        """For Starlette."""
        return Route(FEEDBACK, guarded(self._answer), methods=["POST"])

    async def _answer(self, request: Request) -> Response:
        async with asyncio.timeout(self._timeout_s):
            body = await read_body(request.scope, request.receive, self._max_body_bytes)
            if self._waiting >= MAX_WAITING:
                raise Unready("too much feedback is waiting; try again")
            self._waiting += 1
            deadline_s = time.monotonic() + self._timeout_s
            caller = caller_of(request.scope).name
            running = asyncio.get_running_loop().run_in_executor(
                self._thread, partial(self._keep, body, caller, deadline_s)
            )
            running.add_done_callback(self._done)  # a caller who goes leaves it running
            received = await asyncio.shield(running)
        counted = metrics().outcomes
        for name in ("accepted", "repeated", "corrected"):
            counted.labels(name).inc(getattr(received, name))
        counted.labels("unknown").inc(len(received.unknown))
        return Response(msgspec.json.encode(received), media_type="application/json")

    def _done(self, running: "asyncio.Future[Received]") -> None:
        self._waiting -= 1
        if not running.cancelled():
            running.exception()  # read, if the caller has gone

    def _keep(self, body: bytes, caller: str, deadline_s: float) -> Received:
        """Read and keep the outcomes of a body, in the thread."""
        from monitoring.records.outcomes import Contradiction, Outcome, OutcomeStore, OutcomesUnavailable

        outcomes = read_outcomes(body, datetime.now(UTC))
        unknown = self._known.without_decision([one.application_id for one in outcomes], deadline_s)
        if self._store is None:
            self._store = OutcomeStore(self._settings, self._keys)
        try:
            several = [Outcome(one.application_id, one.event, one.observed_at) for one in outcomes]
            kept = self._store.keep(several, caller)
        except Contradiction as error:
            reject_outcomes([contradiction(row, outcomes[row]) for row in error.rows])
        except OutcomesUnavailable as error:
            self._report(error)
            raise Unready("the store of outcomes cannot be reached, so nothing was kept; send it again") from None
        if self._failing:
            self._failing = False
            logger.info("outcomes are kept again")
        return Received(kept.accepted, kept.repeated, kept.corrected, unknown)

    def _report(self, error: Exception) -> None:
        """Log an outage once."""
        if not self._failing:
            self._failing = True
            logger.error("%s", error)
