"""What the users of one process share, and how a request is sent and booked.

Owns the clock, the ledger and the applicants of a process of locust. Leaves protocols to the modules beside it.
"""

import os
import random
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import gevent
from locust.env import Environment
from locust.runners import MasterRunner

from loadtests.counting.ledger import Ledger
from loadtests.mix import CLASSES
from loadtests.options import KEY
from loadtests.payloads.applicants import Applicant, Applicants, table_rows
from loadtests.target import Model, Target

PATIENCE_S = 40  # for an answer; more than the service's own limit, so that it is the one to give up
SLICES = 600  # at most, however long the run


class Load:
    """What the users of one process share; set up when a test starts.

    Attributes:
        ledger: the books of this process; in a master, of all workers.
        ended_s: seconds from the begin of the load to its end; 0 before that.
        model: the served one, by its own description.
        rows: of its table.
    """

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.ended_s = self._began_s = self._cpu_s = self._noted_s = 0.0
        self._sends = False
        self._noted: dict[str, float] = {}
        self.model: Model
        self.rows: list[Applicant] = []

    @property
    def at_s(self) -> float:
        """Seconds since the load began."""
        return time.perf_counter() - self._began_s

    @property
    def is_on(self) -> bool:
        """Whether it has begun and not ended."""
        return self._began_s > 0 and not self.ended_s

    def begin(self, environment: Environment) -> None:
        """Start the clock with empty books; a process that sends asks the service for its features."""
        options: Any = environment.parsed_options
        self._sends = not isinstance(environment.runner, MasterRunner)
        if self._sends:
            self.model = Target(environment.host or "", os.environ.get(KEY, "")).model()
            self.rows, _ = table_rows(Path(options.dataset), self.model)
        self.ledger = Ledger(slice_s=max(1.0, (options.run_time or 60) / SLICES))
        self.ended_s = self._noted_s = 0.0
        self._noted = {}
        self._began_s, self._cpu_s = time.perf_counter(), time.process_time()

    def take(self, process: str) -> Ledger:
        """The books since the last time, with the processor time of this process; they begin anew."""
        taken, self.ledger = self.ledger, Ledger(slice_s=self.ledger.slice_s)
        taken.cpu_s[process] = time.process_time() - self._cpu_s
        return taken

    def note_cpu(self) -> None:
        """Book the processor time of this process, if it sends itself."""
        if self._sends:
            self.ledger.cpu_s["this process"] = time.process_time() - self._cpu_s

    def busy(self) -> float:
        """The share of a core that the busiest process has used since the last call, or since the begin."""
        used_s = [total_s - self._noted.get(name, 0) for name, total_s in self.ledger.cpu_s.items()]
        passed_s, self._noted_s = self.at_s - self._noted_s, self.at_s
        self._noted = dict(self.ledger.cpu_s)
        return max(used_s, default=0) / max(passed_s, 1e-3)


LOAD = Load()


class Lost(Exception):  # noqa: N818 - what happened to the request
    """No answer, or a wrong one."""


class Asking:
    """What users of every protocol have in common: applicants of their own, and booking what became of a request."""

    kind: ClassVar[str]

    def begin(self) -> None:
        """Prepare the applicants of this user, and let it begin at a moment of its own."""
        self.model = LOAD.model.name
        self.applicants = Applicants(LOAD.model.features, LOAD.rows, secrets.randbits(32), secrets.token_hex(6))
        gevent.sleep(random.random() / CLASSES[self.kind].pace_per_s)  # noqa: S311 - no secret
        self._due_s = time.perf_counter()

    def wait_time(self) -> float:
        """Seconds until this user sends next, for locust.

        At the pace of its class, each interval half to one and a half times as long: users that keep step would send in
        bursts, in which they wait for each other. One that was held up goes on from there, and does not catch up.
        """
        interval_s = random.uniform(0.5, 1.5) / CLASSES[self.kind].pace_per_s  # noqa: S311 - no secret
        now_s = time.perf_counter()
        self._due_s = max(self._due_s + interval_s, now_s)
        return self._due_s - now_s

    def book(self, send: Callable[[list[Applicant]], str | None]) -> None:
        """Send one request and book it.

        Args:
            send: returns None for a right answer, or why it was refused; raises `Lost`.
        """
        # locust kills a user that it believes to wait; where many are due, some have begun to send by then. A greenlet
        # of its own lets the request end, and be booked, before its user does.
        request = gevent.spawn(self._book, send)
        try:
            request.get()
        except gevent.GreenletExit:
            request.get()
            raise

    def _book(self, send: Callable[[list[Applicant]], str | None]) -> None:
        taken = self.applicants.take(CLASSES[self.kind].rows)
        begin_s = time.perf_counter()
        LOAD.ledger.sent(self.kind, LOAD.at_s, (begin_s - self._due_s) * 1000)
        try:
            reason = send(taken)
        except Lost as lost:
            LOAD.ledger.lost(self.kind, LOAD.at_s, len(taken), str(lost))
        else:
            if reason is None:
                latency_ms = (time.perf_counter() - begin_s) * 1000
                LOAD.ledger.answered(self.kind, LOAD.at_s, len(taken), latency_ms)
            else:
                LOAD.ledger.refused(self.kind, LOAD.at_s, reason)


def key_header() -> dict[str, str]:
    """The header that carries the API key, if there is one; over gRPC the same in the metadata."""
    key = os.environ.get(KEY, "")
    return {"authorization": f"Bearer {key}"} if key else {}
