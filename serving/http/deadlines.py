"""The time by which a request must have its answer.

Owns telling who is overdue: one timer a worker looks at all requests that are on their way. A timer a request, as
`asyncio.timeout` has it, costs 5 us, a tenth of the request; this costs 0.3.
"""

import asyncio

LOOKS = 20  # in one timeout: a request is given up at most a twentieth of it too late


class Deadlines:
    """The requests of one worker that are on their way.

    Args:
        timeout_s: seconds that a request may take.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._due_s: dict[asyncio.Task[object], float] = {}
        self._overdue: set[asyncio.Task[object]] = set()
        self._looking = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def enter(self) -> asyncio.Task[object]:
        """Begin a request: the running task is cancelled when it takes too long. Gives that task, for `leave`."""
        loop = self._loop = self._loop or asyncio.get_running_loop()  # which calls the system each time
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("a request is answered by a task")
        self._due_s[task] = loop.time() + self._timeout_s
        if not self._looking:
            self._looking = True
            loop.call_later(self._timeout_s / LOOKS, self._look, loop)
        return task

    def leave(self, task: asyncio.Task[object]) -> bool:
        """End a request; whether it was cancelled for being overdue, which is then no cancellation any more."""
        self._due_s.pop(task, None)
        if task in self._overdue:
            self._overdue.discard(task)
            task.uncancel()
            return True
        return False

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now_s = loop.time()
        for task in [task for task, due_s in self._due_s.items() if due_s <= now_s]:
            del self._due_s[task]
            self._overdue.add(task)
            task.cancel()
        self._looking = bool(self._due_s)
        if self._looking:
            loop.call_later(self._timeout_s / LOOKS, self._look, loop)
