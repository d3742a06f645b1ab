"""A worker that outlives the process that started it ends: after kill -9 of `bentoml serve`, for instance.

It would go on answering with nobody to stop it, and the next start would find its ports taken. Owns noticing, by the
end of a pipe as the profiler does (`monitoring.profiles.stopping`): the process that starts the workers holds the only
end that could be written to, and the kernel closes it. Leaves ending to the signal that ends a worker otherwise.

BentoML's process manager hands its descriptors on to the workers, which find this one by a variable.
"""

import asyncio
import logging
import os
import signal
import stat
from collections.abc import Callable

PARENT_PIPE = "CREDIT_SCORER_PARENT_PIPE"  # the number of a descriptor, in the environment of the workers
logger = logging.getLogger("bentoml.scorer")


def open_parent_pipe() -> None:
    """In the process that starts the workers, before it does: have them notice its end."""
    read_end, _ = os.pipe()  # the other end is closed with this process
    os.set_inheritable(read_end, True)
    os.environ[PARENT_PIPE] = str(read_end)


def end_with_parent(on_end: Callable[[], None]) -> None:
    """In a worker: once the parent is gone call `on_end`, and end as on SIGTERM; nothing where there is no pipe."""
    number = os.environ.get(PARENT_PIPE, "")
    if not number.isdecimal() or not _is_pipe(int(number)):
        return
    loop = asyncio.get_running_loop()

    def end() -> None:
        loop.remove_reader(int(number))
        logger.error("the process that started this worker is gone, so it ends")
        on_end()
        signal.raise_signal(signal.SIGTERM)

    loop.add_reader(int(number), end)


def _is_pipe(number: int) -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(number).st_mode)
    except OSError:
        return False
