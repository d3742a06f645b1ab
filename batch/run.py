"""A run: from a table, a model and a folder to every row scored once.

Owns the order: model, columns, lock, record, parts that are left, engine, totals. Leaves each to its module.
"""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from batch import record
from batch.archiving import archive
from batch.engines.engine import Engine
from batch.errors import BatchError
from batch.finish import Watched, watch
from batch.job import Job, Part, PartSummary
from batch.lock import exclusive
from batch.output import Output
from batch.part import done_part, scores_name
from batch.record import Record
from batch.tables import planning
from batch.tables.files import files_of
from models.artifact import MANIFEST, Artifact, sha256


class Options(NamedTuple):
    """What is asked of a run.

    Attributes:
        table: a file, a folder or a pattern.
        out: the folder of the scores.
        explain: whether scores have reasons.
        archive: whether rows are archived.
        part_rows: rows per part.
    """

    table: str
    out: str
    explain: bool
    archive: bool
    part_rows: int


class Totals(NamedTuple):
    """Every part together; `resumed` rows were done before this call."""

    job: Job
    rows: int
    refused: int
    decisions: dict[str, int]
    resumed: int
    watched: Watched


Progress = Callable[[int, int], None]  # rows done, and refused among them


def run(artifact: Artifact, engine: Engine, options: Options, started: Callable[[int, int], Progress]) -> Totals:
    """Score what is not scored yet.

    Args:
        artifact: the model.
        engine: has parts scored.
        options: what is asked.
        started: called with the rows of the table, and those that are done; gives what is told of each part.
    """
    output = Output(options.out)
    with exclusive(options.out, output):
        output.clean()
        known = _record(artifact, options, output)
        done = _done(output, known.parts)
        progress = started(sum(part.rows for part in known.parts), sum(one.rows + one.refused for one in done))
        resumed = sum(one.rows + one.refused for one in done)
        numbers = {one.number for one in done}
        left = [part for part in known.parts if part.number not in numbers]
        if left:
            for summary in engine.run(known.job, left):
                done.append(summary)
                progress(summary.rows + summary.refused, summary.refused)
        _complete(known, done)
        if known.job.archive:
            archive(known.job, known.parts, output)
        watched = watch(known.job, known.parts, output)
        return _totals(known, done, resumed, watched)


def _record(artifact: Artifact, options: Options, output: Output) -> Record:
    """The record of this folder, made and saved where it has none."""
    files = files_of(options.table)
    before = record.find(output, options.out)
    ids = record.New(before.job.run, before.job.started_ms) if before else record.new_ids()
    if before is not None:
        record.check_files(before, options.out, options.table, files)
    columns = planning.columns_of(files, artifact.schema)
    job = Job(
        model=artifact.tag,
        artifact=str(artifact.folder.absolute()),
        digest=sha256((artifact.folder / MANIFEST).read_bytes()),
        kind=columns.kind,
        columns=columns.read,
        header=columns.header,
        out=options.out if "://" in options.out else os.path.abspath(options.out),  # noqa: PTH100 - keeps its text
        run=ids.run,
        started_ms=ids.started_ms,
        explain=options.explain,
        archive=options.archive,
    )
    if before is not None:
        record.check_job(before, options.out, job)
        return Record(job=job, table=before.table, files=before.files, parts=before.parts)
    parts = planning.parts_of(files, columns, artifact.schema, options.part_rows)
    made = Record(job=job, table=options.table, files=files, parts=parts)
    record.save(output, made)
    return made


def _done(output: Output, parts: Sequence[Part]) -> list[PartSummary]:
    """The parts that are done."""
    there = set(output.names())
    names = [part.number for part in parts if scores_name(part.number) in there]
    return [summary for number in names if (summary := done_part(output, number)) is not None]


def _complete(known: Record, done: Sequence[PartSummary]) -> None:
    if missing := {part.number for part in known.parts} - {one.number for one in done}:
        raise BatchError(f"{len(missing)} parts were not scored; run the same command again")


def _totals(known: Record, done: Sequence[PartSummary], resumed: int, watched: Watched) -> Totals:
    decisions = sum((Counter(one.decisions) for one in done), Counter[str]())
    rows, refused = sum(one.rows for one in done), sum(one.refused for one in done)
    return Totals(known.job, rows, refused, dict(decisions), resumed, watched)
