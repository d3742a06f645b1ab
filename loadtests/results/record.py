"""The record of a run, as `results.json` holds it, and the folder that it lies in.

Owns the layout of `var/load/`: a folder per run, named by its time in UTC, and the link `latest`. A folder appears
there when the run is judged and never before: until then it has a name that begins with a dot.
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from loadtests.calibration import Calibration
from loadtests.capacity import Step
from loadtests.counting.ledger import Ledger
from loadtests.totals import Totals
from loadtests.verdict import Check, Measured

FORMAT = 1
RESULTS, LATEST = "results.json", "latest"


class Record(Struct, frozen=True, kw_only=True):
    """A run and its verdict.

    Attributes:
        time: of its begin, `20261126T201500Z`, the name of its folder.
        target: URL of the service.
        on_this_machine: whether it ran here.
        model: name and version that was served.
        shape, users, run_s, processes: of the load.
        applicants: where they came from.
        measured: by user class, over the whole load.
        calibration: of this machine around the run.
        busy: share of a core that the busiest process of locust used.
        totals: sent, and counted by the service.
        steps: of a breakpoint.
        checks: everything that was judged.
        passed: whether none was missed.
        ledger: what happened when.
    """

    format: int = FORMAT
    time: str
    target: str
    on_this_machine: bool
    model: str
    shape: str
    users: int
    run_s: float
    processes: int
    applicants: str
    measured: dict[str, Measured]
    calibration: Calibration
    busy: float
    totals: Totals
    steps: list[Step]
    checks: list[Check]
    passed: bool
    ledger: Ledger

    @property
    def kind(self) -> str:
        """What two runs must have in common to be compared."""
        load = f"SHAPE={self.shape} USERS={self.users} PROCESSES={self.processes}"
        return f"{load}, {', '.join(self.measured)}, {self.model.partition(':')[0]}"


@contextmanager
def unfinished(out: Path) -> Iterator[tuple[str, Path]]:
    """A time and a hidden folder for a run; what is still hidden in the end is removed, and what a killed run left."""
    for left in out.glob(".*-[0-9]*"):
        if left.is_symlink():
            left.unlink()
        elif not Path(f"/proc/{left.name.rpartition('-')[2]}").exists():
            shutil.rmtree(left)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    folder = out / f".{stamp}-{os.getpid()}"
    folder.mkdir(parents=True)
    try:
        yield stamp, folder
    finally:
        if folder.exists():
            shutil.rmtree(folder)
            with suppress(OSError):  # not empty: there are other runs
                out.rmdir()


def keep(record: Record, folder: Path, out: Path) -> Path:
    """Write the record, give the folder its name and point `latest` at it."""
    (folder / RESULTS).write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1))
    name = record.time
    while (out / name).exists():  # another run of the same second
        name += "-2"
    kept = folder.rename(out / name)
    link = out / f".{LATEST}-{os.getpid()}"
    link.symlink_to(name)
    link.replace(out / LATEST)
    return kept


def last_passed(out: Path, kind: str, most_change: float) -> Record | None:
    """The newest run of a kind that passed while the machine kept its speed: no other is a yardstick.

    What cannot be read is passed over.
    """
    for path in sorted(out.glob(f"[0-9]*/{RESULTS}"), reverse=True):
        with suppress(OSError, msgspec.DecodeError):
            record = msgspec.json.decode(path.read_bytes(), type=Record)
            steady = record.calibration.change <= most_change
            if record.passed and steady and record.kind == kind and record.format == FORMAT:
                return record
    return None
