"""The engine of one machine: processes that take part after part.

Owns the processes: each is new and has one model, ONNX Runtime on one thread. One that is killed is replaced, and its
part given out again; all end with the process that started them, whatever ends that.
"""

import multiprocessing
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from batch.engines.engine import MOST_ATTEMPTS, PartFailed
from batch.job import Job, Part, PartSummary
from configs.batch import read_batch


class LocalEngine:
    """Scores on this machine.

    Args:
        processes: at most so many at a time; 0 for what `configs/batch.yaml` says.
    """

    def __init__(self, processes: int) -> None:
        self.processes = processes or read_batch().processes or len(os.sched_getaffinity(0))

    def run(self, job: Job, parts: Sequence[Part]) -> Iterator[PartSummary]:
        """Score the parts."""
        waiting, attempts = deque(parts), Counter[int]()
        workers: list[_Worker] = []
        try:
            while waiting or any(worker.part for worker in workers):
                idle = sum(worker.part is None for worker in workers)
                workers += [_Worker(job) for _ in range(min(self.processes - len(workers), len(waiting) - idle))]
                for worker in workers:
                    if waiting and worker.part is None:
                        worker.give(waiting.popleft())
                yield from _collect(workers, waiting, attempts)
        finally:
            for worker in workers:
                worker.end()


def engine(processes: int, address: str) -> LocalEngine:
    """The engine; it has no address."""
    if address:
        raise PartFailed(f"--address {address}: the engine local has none; use --engine ray or spark")
    return LocalEngine(processes)


class _Worker:
    """A process, and the part that it has."""

    def __init__(self, job: Job) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would share threads of Arrow in an unknown state
        self.pipe, theirs = context.Pipe()
        self.part: Part | None = None
        self.process: SpawnProcess = context.Process(target=_work, args=(job, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def give(self, part: Part) -> None:
        """Have a part scored."""
        self.part = part
        with suppress(OSError):  # it has been killed, which `wait` tells
            self.pipe.send(part)

    def end(self) -> None:
        """Stop it, whatever it does."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _collect(workers: list[_Worker], waiting: deque[Part], attempts: Counter[int]) -> Iterator[PartSummary]:
    """Wait for whatever happens first, and yield what is done by then."""
    by_pipe: dict[Any, _Worker] = {worker.pipe: worker for worker in workers}
    for pipe in wait(list(by_pipe)):
        worker = by_pipe[pipe]
        part = worker.part
        try:
            answer = worker.pipe.recv()
        except (EOFError, OSError):
            worker.end()
            workers.remove(worker)
            if part is None:
                continue
            attempts[part.number] += 1
            if attempts[part.number] >= MOST_ATTEMPTS:
                raise PartFailed(_deadly(part, worker)) from None
            waiting.appendleft(part)
            continue
        worker.part = None
        if isinstance(answer, PartSummary):
            yield answer
        else:
            raise PartFailed(answer)


def _deadly(part: Part, worker: _Worker) -> str:
    rows = f"rows {part.first_row:,} to {part.first_row + part.rows - 1:,} of {part.path}"
    how = f"{MOST_ATTEMPTS} processes ended while they scored {rows}, the last with code {worker.process.exitcode}"
    return f"{how}; -9 is mostly for want of memory: give a smaller SCORER_PART_ROWS, or fewer --processes"


def _work(job: Job, pipe: Connection) -> None:
    """Score each part that comes, until the process that sends them has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that ends this one
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from batch.part import score_part  # a second of imports, in which the process can end already

    while True:
        try:
            part = pipe.recv()
        except EOFError:
            return
        try:
            answer: PartSummary | str = score_part(job, part)
        except Exception as error:  # noqa: BLE001 - the engine tells it
            answer = str(error) or type(error).__name__
        pipe.send(answer)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
