"""Keeps the rows of a run as the service keeps its decisions: `--archive`.

Owns: which rows, and that each is there once however often the run was killed. They go into a log of their own beside
the decision log, `batch` in its folder, in the same form: encrypted with the same keys, sealed, chained, and reached by
`python -m monitoring verify`, `erase` and `retain`. No row of it counts as served, and none is in a profile of what
was. Leaves the log to `monitoring.records`.

One process writes them when every part is done: they are Python objects then, some 20 us per row.
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from pyarrow.parquet import ParquetFile

from batch.errors import BatchError
from batch.job import Job, Part
from batch.output import RUN, Output
from batch.part import scorer_of, scores_name
from batch.rows.applicants import Applicants
from batch.rows.columns import plain
from batch.tables.reading import batches
from configs.dataset import RESERVED
from configs.monitoring import Monitoring, read_monitoring
from monitoring.records.decision_log import DecisionLog
from monitoring.records.lines import Row
from monitoring.records.log_keys import LogKeys, configured_keys
from monitoring.records.log_place import LogUnavailable
from monitoring.records.models_archive import keep_model
from monitoring.records.segments import batch_directory, read, segments

PROTOCOL = "batch"  # of these rows, where those of the service have http, v2 or grpc
LINE_ROWS = 512
DONE = f"{RUN}/archived"


def archive(job: Job, parts: Sequence[Part], output: Output) -> None:
    """Archive the rows of every part that are not archived yet."""
    if output.read(DONE) is not None:
        return
    settings = read_monitoring()
    keys = configured_keys(settings, os.environ)
    artifact, _ = scorer_of(job.artifact, job.model, job.digest, job.run, job.started_ms, job.explain)
    applicants = Applicants(artifact.schema)
    keep_model(settings, artifact)
    directory = batch_directory(Path(settings.directory))
    there = _archived(directory, job, keys)
    log = _log(directory, settings, keys)
    try:
        for part in parts:
            request = _request(job, part.number)
            for rows in _lines(_rows(job, part, output, applicants, request), there[request]):
                log.append(job.model, rows)
            log.sync()
    except LogUnavailable as error:
        raise BatchError(f"{error}; free disk space, and run the same command again") from None
    finally:
        log.close()
    output.write(DONE, b"")


def _log(directory: Path, settings: Monitoring, keys: LogKeys) -> DecisionLog:
    return DecisionLog(directory, settings.segment_bytes, settings.segment_s, keys, begin=False, sync="batch")


def _request(job: Job, part: int) -> str:
    """What marks the rows of a part, in the place of the id of a request."""
    return f"{job.run}-{part}"


def _archived(directory: Path, job: Job, keys: LogKeys) -> Counter[str]:
    """Rows of this run that a call which was killed has archived, by their mark."""
    found: Counter[str] = Counter()
    for segment in segments(directory):
        if segment.stat().st_mtime >= job.started_ms // 1000:
            for batch, _ in read(segment, keys=keys):
                found.update(row.request_id for row in batch.rows if row.request_id.startswith(job.run))
    return found


def _rows(job: Job, part: Part, output: Output, applicants: Applicants, request: str) -> Iterator[Row]:
    """The scored rows of a part, in order."""
    scores = _scores(output, part.number)
    row, following = next(scores, None), part.first_row
    for one in batches(job, part, applicants.schema):
        within = range(following - part.first_row, following - part.first_row + one.batch.num_rows)
        following += one.batch.num_rows + len(one.damaged)
        cells = plain(one.batch, applicants.schema.names).to_pylist()
        for number, cell in zip(one.numbers or within, cells, strict=True):
            if row is not None and row["row"] == number + part.first_row:
                applicant = msgspec.structs.replace(applicants.row(cell), application_id=row[RESERVED])
                yield Row(PROTOCOL, row["probability"], row["decision"], applicant, "", request)
                row = next(scores, None)


def _scores(output: Output, part: int) -> Iterator[dict[str, Any]]:
    file = output.open(scores_name(part))
    if file is None:
        raise BatchError(f"{scores_name(part)} has gone; run the same command again")
    with file, ParquetFile(file) as scores:
        for batch in scores.iter_batches(LINE_ROWS, columns=["row", RESERVED, "probability", "decision"]):
            yield from batch.to_pylist()


def _lines(rows: Iterator[Row], skip: int) -> Iterator[list[Row]]:
    """Rows as they share a line of the log, without the first `skip`, which are there."""
    line: list[Row] = []
    for number, row in enumerate(rows):
        if number >= skip:
            line.append(row)
        if len(line) == LINE_ROWS:
            yield line
            line = []
    if line:
        yield line
