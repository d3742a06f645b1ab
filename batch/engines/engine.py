"""What an engine is, and which there are.

An engine is a way to have `batch.part.score_part(job, part)` called for each part, on as many processes or machines as
it has. That function does everything else: it skips a part that is done, reads its rows from the table, scores them,
and writes `refused/part-NNNNN.parquet`, a profile and last `part-NNNNN.parquet`, each of them whole or not at all. It
can be called for the same part any number of times, by several processes at once too: every call writes the same bytes
under the same names. So an engine needs no coordination, may retry what it likes, and may lose any process.

What an engine has to do:

- `run` yields the summary of each part as soon as that is done, in any order, each once;
- a part whose process is killed is scored again, and after `MOST_ATTEMPTS` of them `PartFailed` says so;
- an exception that `score_part` raises is a fault of the table, the model or the disk, not of the process: `run` raises
  `PartFailed` with its text, and does not try again;
- when `run` ends, by an exception or because its generator is closed too, no process of its own is left.

`job` and `part` can be pickled (msgspec structs of plain values). The module `batch.part` imports pyarrow, ONNX Runtime
and whylogs, which takes a second, so a process should score several parts. ONNX Runtime takes one thread per process.
`job.artifact` is a folder: where the machines share no file system, copy it (a few MB), and give `score_part` the job
that `msgspec.structs.replace(job, artifact=...)` makes. Tables and output that are not on shared storage want `s3://`.
"""

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Protocol

from batch.errors import BatchError
from batch.job import Job, Part, PartSummary

MOST_ATTEMPTS = 3  # processes that one part may take with it
ENGINES = {"local": "batch.engines.local", "ray": "batch.engines.ray", "spark": "batch.engines.spark"}


class Engine(Protocol):
    """A way to have every part scored."""

    def run(self, job: Job, parts: Sequence[Part]) -> Iterator[PartSummary]:
        """Score the parts, and yield the summary of each when it is done."""


class PartFailed(BatchError):  # noqa: N818 - named for what happened
    """A part cannot be scored; its message says why."""


def engine_of(name: str, processes: int, address: str) -> Engine:
    """The engine of this name: the result of `engine(processes, address)` of its module.

    Args:
        name: one of `ENGINES`.
        processes: at most so many score at a time; 0 for as many as there are cores.
        address: of a cluster; empty for this machine alone.
    """
    try:
        made: Engine = import_module(ENGINES[name]).engine(processes, address)
    except ModuleNotFoundError as error:
        problem = f"the engine {name} needs the package {error.name}, which this environment has not"
        raise BatchError(f"{problem}; run: make score ENGINE={name}") from None
    return made
