"""The record of a run in its folder: what was scored by what, so that a resumed run goes on with just that.

Owns `_run/run.json`, and why a folder is refused. Leaves parts that are done to `batch.part`.
"""

import secrets
import time
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from msgspec import Struct

from batch.errors import BatchError
from batch.job import Job, Part
from batch.output import RUN, Output
from batch.tables.files import TableFile

NAME = f"{RUN}/run.json"


class Record(Struct, frozen=True, kw_only=True):
    """What a run was begun with."""

    job: Job
    table: str
    files: list[TableFile]
    parts: list[Part]


class New(NamedTuple):
    """Ids of a run that begins."""

    run: str
    started_ms: int


def new_ids() -> New:
    """A run that begins now."""
    return New(secrets.token_hex(16), time.time_ns() // 1_000_000)


def find(output: Output, out: str) -> Record | None:
    """The record of the run that this folder holds; None of an empty one."""
    content = output.read(NAME)
    if content is None:
        if left := [name for name in output.names() if not name.startswith((".", "_"))]:
            raise BatchError(f"{out} holds files that are no run's ({left[0]}); give another --out")
        return None
    try:
        return msgspec.json.decode(content, type=Record)
    except msgspec.DecodeError as error:
        raise BatchError(f"{out}/{NAME} cannot be read ({error}); {_elsewhere(out)}") from None


def save(output: Output, record: Record) -> None:
    """Write the record; from here on the folder is this run's."""
    output.write(NAME, msgspec.json.encode(record))


def check_files(record: Record, out: str, table: str, files: Sequence[TableFile]) -> None:
    """Raise `BatchError` where a folder was begun with another table, and say what to do."""
    if {file.path: file for file in record.files} != {file.path: file for file in files}:
        raise BatchError(f"{out} was begun with {_difference(record, table, files)}; {_elsewhere(out)}")


def check_job(record: Record, out: str, job: Job) -> None:
    """Raise `BatchError` where a folder was begun with another model or other options, and say what to do."""
    known = record.job
    if (known.model, known.digest) != (job.model, job.digest):
        wanted = f"{out} was begun with {known.model}, and this is {job.model}"
        raise BatchError(f"{wanted}; finish it with --model {known.model}, or {_elsewhere(out)}")
    for name in ("explain", "archive"):
        if getattr(known, name) != getattr(job, name):
            said = "with" if getattr(known, name) else "without"
            raise BatchError(f"{out} was begun {said} --{name}; finish it so, or {_elsewhere(out)}")


def _difference(record: Record, table: str, files: Sequence[TableFile]) -> str:
    before, now = ({file.path: file for file in some} for some in (record.files, files))
    if changed := [path for path in before if path in now and before[path] != now[path]]:
        return f"{changed[0]} as it was before somebody wrote it again"
    if before.keys() == now.keys():
        return f"{record.table}"
    other = min(before.keys() ^ now.keys())
    return f"the table {record.table}, and this is {table}: {other} is in one of them alone"


def _elsewhere(out: str) -> str:
    return f"give another --out, or remove {out}"
