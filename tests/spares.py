"""The processes that a forked service starts, as forks too, and those of the packing.

BentoML starts its workers by `python -m …`, and a worker its profiler, the watch and the process that explains; the
packing starts `python -m bentoml`. A fork of `tests.fork_server` is the parent of these, so they are forked before it
has done anything: spares, which wait until the program starts a process. Then one of them takes its command line,
environment, directory and descriptors, and runs the module. Where there is no spare, as for a worker that was killed,
Python is started.
"""

import fcntl
import json
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

MODULES = (
    *("bentoml", "_bentoml_impl.worker.service", "serving.explaining_process"),
    *("monitoring.profiles.process", "monitoring.watch.process"),
)
LIMITS = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]
MOST_DESCRIPTORS = 100


@dataclass(frozen=True)
class Spare:
    """A process that waits, and our end of the connection to it."""

    pid: int
    orders: socket.socket


def make_spares(counts: Sequence[int], run: Callable[..., NoReturn]) -> None:
    """Fork one spare per count, which will have as many spares of its own, and use them for what this process starts.

    Args:
        counts: of the spares of each spare.
        run: runs a program in this process: `tests.fork_server.run`.
    """
    spares: list[Spare] = []
    for count in counts:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if not pid:
            for end in (ours, *(spare.orders for spare in spares)):
                end.close()
            _wait(theirs, count, run)
        theirs.close()
        spares.append(Spare(pid, ours))
    if spares:
        _use(spares)


def _wait(orders: socket.socket, count: int, run: Callable[..., NoReturn]) -> NoReturn:
    """Be what the next order says; end with the process that would have given one."""
    text, descriptors, _, _ = socket.recv_fds(orders, 2**20, MOST_DESCRIPTORS)
    orders.close()
    if not text:
        os._exit(0)
    order = json.loads(text)
    _place(descriptors, order["descriptors"])
    if order["session"]:
        os.setsid()
    os.umask(order["umask"])
    for limit, values in zip(LIMITS, order["limits"], strict=True):
        resource.setrlimit(limit, values)
    signal.pthread_sigmask(signal.SIG_SETMASK, order["blocked"])
    run(order["program"], order["arguments"], order["cwd"], order["env"], [0] * count)


def _place(descriptors: list[int], numbers: list[int]) -> None:
    """Give the received descriptors the numbers that the program was told, by way of numbers that nobody has."""
    above = max([*descriptors, *numbers]) + 1
    moved = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, above) for descriptor in descriptors]
    for descriptor in descriptors:
        os.close(descriptor)
    for descriptor, number in zip(moved, numbers, strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)


def _use(spares: list[Spare]) -> None:
    """Have `subprocess` give the start of a module to a spare, as long as there are some."""
    really: Any = subprocess._fork_exec  # type: ignore[attr-defined]

    def fork_exec(args: list[Any], *more: Any) -> int:
        if spares and args[:2] == [sys.executable, "-m"] and args[2] in MODULES:
            spare = spares.pop(0)
            _order(spare, [str(word) for word in args[2:]], more)
            return spare.pid
        return int(really(args, *more))

    subprocess._fork_exec = fork_exec  # type: ignore[attr-defined]


def _order(spare: Spare, command: list[str], more: tuple[Any, ...]) -> None:
    """What `_posixsubprocess.fork_exec` does with its arguments, as far as BentoML and this project give any."""
    _, close_others, keep, cwd, env, stdin, _, _, stdout, _, stderr, _, ending, _, session, *_, preexec, _ = more
    given = {number: own if own >= 0 else number for number, own in enumerate((stdin, stdout, stderr))}
    others = {number for number in keep if number != ending}
    if not close_others:
        numbers = [int(path.name) for path in Path("/proc/self/fd").iterdir()]
        others |= {number for number in numbers if number > 2 and _inheritable(number)}
    given |= {number: number for number in others}
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - as descriptor
        if preexec is not None:  # circus gives one, which does these two things
            session, given[0] = True, nothing.fileno()
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        umask = os.umask(0)
        os.umask(umask)
        pairs = [entry.partition(b"=") for entry in env] if env is not None else list(os.environb.items())
        order = {
            "program": command[0],
            "arguments": command[1:],
            "cwd": os.fsdecode(cwd) if cwd else str(Path.cwd()),
            "env": {os.fsdecode(pair[0]): os.fsdecode(pair[-1]) for pair in pairs},
            "descriptors": list(given),
            "session": bool(session),
            "umask": umask,
            "limits": [resource.getrlimit(limit) for limit in LIMITS],
            "blocked": [int(number) for number in blocked],
        }
        socket.send_fds(spare.orders, [json.dumps(order).encode()], list(given.values()))
    spare.orders.close()


def _inheritable(descriptor: int) -> bool:
    try:
        return os.get_inheritable(descriptor)
    except OSError:  # the one by which they were listed
        return False
