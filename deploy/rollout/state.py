"""The state of a deployment, durable at every step, and the lock of the one command that may change it.

Owns: the types, `state.json`, `lock`. Leaves to others: what the states mean for processes and weights (rollout,
recovery). A step is saved before it is taken, so whatever a kill interrupts is found in the file:

    operation   phase       a kill here, and the next command ...
    up          starting    stops what was started
    switch      starting    stops the new instance
    canary      shifting    gives the weight back and stops the new instance; `canary --resume` goes on instead
    any         returning   the same: it was being rolled back
    any         promoted    finishes: all weight to the new instance, the old one drained and stopped
    down        stopping    finishes stopping
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from deploy.rollout.errors import RolloutError

SLOTS = ("blue", "green")
LOOK_S = 0.5  # `status` holds the lock for the moment that it takes to look
KEPT = 50  # outcomes that the file remembers


class Instance(Struct, frozen=True, kw_only=True):
    """One running version.

    Attributes:
        name: of its folder under `instances/`: a number and the version.
        version: of the bento.
        slot: of HAProxy.
        port, grpc_port: on loopback; 0 where gRPC is off.
        pid: of its first process; 0 until it is started.
    """

    name: str
    version: str
    slot: str
    port: int
    grpc_port: int
    pid: int = 0


class Totals(Struct, frozen=True):
    """Requests sent to an instance, and those of them that failed, since HAProxy started."""

    requests: int = 0
    failures: int = 0


class Operation(Struct, frozen=True, kw_only=True):
    """What is being done.

    Attributes:
        percent: share of the requests that the new instance has.
        began: totals of the new and the stable instance when the canary began, for the error budget.
        why: of a rollback.
    """

    command: str
    phase: Literal["starting", "shifting", "returning", "promoted", "stopping"]
    new: str = ""
    old: str = ""
    percent: int = 0
    began: tuple[Totals, Totals] = (Totals(), Totals())
    why: str = ""


class Outcome(Struct, frozen=True, kw_only=True):
    """How an operation ended: `result` is `done`, `rolled back` or `undone`."""

    at: str
    command: str
    result: str
    version: str
    why: str = ""


class State(Struct, frozen=True, kw_only=True):
    """Everything that is known about a deployment; `weights` are HAProxy's, by slot."""

    port: int = 0
    grpc_port: int = 0
    number: int = 0
    instances: dict[str, Instance] = {}
    weights: dict[str, int] = {}
    stable: str = ""
    previous: str = ""
    operation: Operation | None = None
    history: tuple[Outcome, ...] = ()

    @property
    def is_up(self) -> bool:
        """Whether there is a stable instance, as far as this file knows."""
        return bool(self.stable)

    def in_slot(self, slot: str) -> Instance | None:
        """The instance that a slot of HAProxy belongs to."""
        return next((one for one in self.instances.values() if one.slot == slot), None)

    def free_slot(self) -> str:
        """The slot for the next instance."""
        return next(slot for slot in SLOTS if self.in_slot(slot) is None)

    def without(self, name: str) -> "State":
        """The state when an instance is gone."""
        gone = self.instances[name]
        return msgspec.structs.replace(
            self,
            instances={other: one for other, one in self.instances.items() if other != name},
            weights={slot: weight for slot, weight in self.weights.items() if slot != gone.slot},
        )

    def ended(self, command: str, result: str, version: str, why: str = "") -> "State":
        """The state when the operation is over."""
        outcome = Outcome(
            at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", command=command, result=result, version=version, why=why
        )
        return msgspec.structs.replace(self, operation=None, history=(*self.history, outcome)[-KEPT:])


class StateFile:
    """`state.json` in the directory of a deployment."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "state.json"

    def load(self) -> State:
        """Read it; an empty state where there is none."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=State)
        except FileNotFoundError:
            return State()
        except (msgspec.DecodeError, OSError) as error:
            remedy = "stop HAProxy and the instances by hand, move the file away, and run: python -m deploy up VERSION"
            raise RolloutError(f"{self._path} cannot be read ({error}); {remedy}") from None

    def save(self, state: State) -> None:
        """Replace it; when this returns, the new state survives a kill and a power failure."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_durably(self._path, msgspec.json.format(msgspec.json.encode(state), indent=1))


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file by way of a temporary one, synced with its folder."""
    temporary = path.with_name(f"{path.name}.next")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def exclusive(directory: Path, command: str, wait_s: float = LOOK_S) -> Iterator[None]:
    """Be the only command that changes this deployment; the kernel frees the lock when the process ends for any reason.

    Args:
        directory: of the deployment.
        command: of this process, for the message that another one prints.
        wait_s: how long to wait for the other one.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(PermissionError):  # another user's, who has given rights to this one
        directory.chmod(0o700)  # logs, sockets and records of the instances are in it
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + wait_s
        while not _locked(descriptor):
            if time.monotonic() >= deadline:
                raise RolloutError(
                    f"another command is at work here: {holder(directory)}; wait for it, or end a canary with: "
                    "python -m deploy rollback"
                )
            time.sleep(0.05)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{command}, process {os.getpid()}".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def holder(directory: Path) -> str:
    """Who has the lock, or had it last."""
    return (directory / "lock").read_text(encoding="utf-8") or "unknown"


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_locked(directory: Path) -> bool:
    """Whether a command is at work."""
    try:
        descriptor = os.open(directory / "lock", os.O_RDWR)
    except OSError:
        return False
    try:
        return not _locked(descriptor)
    finally:
        os.close(descriptor)
