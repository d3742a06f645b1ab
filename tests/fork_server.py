"""`python -m tests.fork_server`: imports once, and forks for each program that a test runs (`tests.forks`).

Standard input is a socket on which it listens. It ends with the last worker of pytest that is connected.
"""

import atexit
import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from configs.opt_outs import opt_out
from tests.spares import make_spares

REAP_S = 1.0  # seconds after which the processor time of an ended fork is added to that of the server
in_each_fork: list[Callable[[], None]] = []


def serve(listening: socket.socket) -> None:
    """Fork for each request, until nobody is connected any more."""
    connections = [listening.accept()[0]]
    while connections:
        for ready in select.select([listening, *connections], [], [], REAP_S)[0]:
            if ready is listening:
                connections.append(listening.accept()[0])
                continue
            text, descriptors, _, _ = socket.recv_fds(ready, 2**20, 4)
            if not text:
                connections.remove(ready)
                ready.close()
            elif not os.fork():
                for ours in (listening, *connections):
                    ours.close()
                keep(json.loads(text), descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
        _reap()


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def keep(request: dict[str, Any], descriptors: Sequence[int]) -> NoReturn:
    """Run a program in a fork; tell its process id and then its exit code."""
    *files, replies = descriptors
    child = os.fork()
    if not child:
        os.close(replies)
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        run(**request)
    for number in (0, 1, 2, *files):
        os.close(number)
    os.write(replies, str(child).encode())
    with suppress(BrokenPipeError):
        os.write(replies, str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())
    os._exit(0)


def run(program: str, arguments: list[str], cwd: str, env: dict[str, str], spares: Sequence[int]) -> NoReturn:
    """Be `python -m program *arguments` in that directory and environment, with so many spares."""
    make_spares(spares, run)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    show([sys.executable, "-m", program, *arguments], env)
    sys.path[0], sys.argv = cwd, [program, *arguments]
    for name in (f"{program}.__main__", program):
        if not hasattr(sys.modules.get(name), "__path__"):
            sys.modules.pop(name, None)  # it is executed, even if something has imported it
    code: object = 0
    try:
        for begin in in_each_fork:
            begin()
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
        code = 1
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads, as the interpreter does
    atexit._run_exitfuncs()  # but not the rest of a normal end, where libraries wait for threads that no fork has
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def show(command: Sequence[str], env: dict[str, str]) -> None:
    """Write command line and environment where the kernel has those of the server, which are long and empty."""
    places = map(int, Path("/proc/self/stat").read_text().rpartition(")")[2].split()[45:49])
    for start, end, words in zip(
        places, places, (command, [f"{name}={value}" for name, value in env.items()]), strict=True
    ):
        text = b"".join(os.fsencode(word) + b"\0" for word in words)[: end - start]
        ctypes.memset(start, 0, end - start)
        ctypes.memmove(start, text, len(text))


def main() -> None:
    """Import what the arguments name, in order; then serve."""
    *imports, _ = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for pytest, with which the server ends
    opt_out(os.environ)  # ONNX Runtime would start a thread that reports
    for name in imports:
        module, _, function = name.partition(":")
        imported: Any = importlib.import_module(module)
        if function:
            getattr(imported, function)()
            in_each_fork.extend([imported.in_fork] if hasattr(imported, "in_fork") else [])
    assert threading.active_count() == 1, "a fork would lack the other threads"
    gc.collect()
    gc.freeze()  # the garbage collector of a fork does not touch, and so copy, what they share
    listening = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    serve(listening)


if __name__ == "__main__":
    main()
