"""Scores one part of a table and writes what comes of it: `score_part`, which every engine calls.

Owns the names of the files of a part, their order and their formats: refused rows first, then the profile, and last the
scores, whose file says that the part is done. Leaves scoring to `batch.rows.scorer`, reading to `batch.tables.reading`,
and how a file comes to be whole or not at all to `batch.output`.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
from pyarrow.parquet import ParquetFile, ParquetWriter

from batch.errors import BatchError
from batch.job import Job, Part, PartSummary
from batch.output import RUN, Output
from batch.profile import PartProfile
from batch.rows.scorer import DECISIONS, REFUSED_SCHEMA, BatchScorer, Refusal, Scored
from batch.tables.pieces import ReadBatch
from batch.tables.reading import batches
from models.artifact import MANIFEST, Artifact, ArtifactError, sha256

SUMMARY = b"credit_scorer.part"  # of the file's metadata


def score_part(job: Job, part: Part) -> PartSummary:
    """Score a part and write its files, unless they are there; return its summary.

    Raises:
        BatchError: the table or the model is not what the job says, or nothing can be written.
    """
    output = Output(job.out)
    if (done := done_part(output, part.number)) is not None:
        return done
    artifact, scorer = scorer_of(job.artifact, job.model, job.digest, job.run, job.started_ms, job.explain)
    rows = refused = 0
    decisions = np.zeros(len(DECISIONS), dtype=np.int64)
    with ExitStack() as stack:
        files = stack.enter_context(output.writing())
        scores = stack.enter_context(_writer(files.create(scores_name(part.number)), scorer.schema))
        asides: ParquetWriter | None = None
        profile = PartProfile(artifact.schema, job.model, job.started_ms)
        for scored in _scored(job, part, artifact, scorer):
            rows += scored.scores.num_rows
            decisions += np.bincount(scored.decisions, minlength=len(DECISIONS))
            scores.write_batch(scored.scores)
            profile.add(scored)
            if scored.refusals:
                if asides is None:
                    name = f"refused/{scores_name(part.number)}"
                    asides = stack.enter_context(ParquetWriter(files.create(name), REFUSED_SCHEMA, compression="zstd"))
                refused += len({refusal.row for refusal in scored.refusals})
                asides.write_batch(pa.RecordBatch.from_pylist([r._asdict() for r in scored.refusals], REFUSED_SCHEMA))
        counts = {str(name): int(number) for name, number in zip(DECISIONS, decisions, strict=True) if number}
        summary = PartSummary(number=part.number, rows=rows, refused=refused, decisions=counts)
        scores.add_key_value_metadata({SUMMARY: msgspec.json.encode(summary)})
        scores.close()
        if asides is not None:
            asides.close()
        files.create(profile_name(part.number)).write(profile.content())
        files.publish()
    return summary


def done_part(output: Output, number: int) -> PartSummary | None:
    """The summary of a part that is done, from its file; None for any other."""
    file = output.open(scores_name(number))
    if file is None:
        return None
    try:
        with file, ParquetFile(file) as scores:
            return msgspec.json.decode(scores.metadata.metadata[SUMMARY], type=PartSummary)
    except (pa.ArrowException, KeyError, TypeError, msgspec.DecodeError, OSError) as error:
        problem = f"{scores_name(number)} in the folder of the scores is damaged ({str(error).splitlines()[0]})"
        raise BatchError(f"{problem}; remove that file, and run the same command again") from None


def scores_name(number: int) -> str:
    """The name of the file of a part.

    >>> scores_name(7)
    'part-00007.parquet'
    """
    return f"part-{number:05d}.parquet"


def profile_name(number: int) -> str:
    """The name of the profile of a part; empty where no row of it was scored.

    >>> profile_name(7)
    '_run/profiles/part-00007.bin'
    """
    return f"{RUN}/profiles/part-{number:05d}.bin"


@lru_cache(maxsize=1)
def scorer_of(
    folder: str, model: str, digest: str, run: str, started_ms: int, explain: bool
) -> tuple[Artifact, BatchScorer]:
    """The model of a job, once per process."""
    try:
        artifact = Artifact(Path(folder), retrain="make train")
    except ArtifactError as error:
        raise BatchError(str(error)) from None
    if (artifact.tag, sha256((artifact.folder / MANIFEST).read_bytes())) != (model, digest):
        raise BatchError(f"{folder} holds {artifact.tag} and not the {model} of this run; bring that back")
    return artifact, BatchScorer(artifact, run, started_ms, explain)


def _scored(job: Job, part: Part, artifact: Artifact, scorer: BatchScorer) -> Iterator[Scored]:
    following = part.first_row
    for read in batches(job, part, artifact.schema):
        numbers, damaged = _numbers(read, following, part.first_row)
        following += read.batch.num_rows + len(read.damaged)
        scored = scorer.score(read.batch, numbers)
        scored.refusals.extend(damaged)
        scored.refusals.sort(key=lambda refusal: refusal.row)
        yield scored


def _numbers(read: ReadBatch, following: int, first_row: int) -> tuple[np.ndarray, list[Refusal]]:
    """The number of each row in the table, and the refusals of what is no row."""
    if read.numbers is None:
        numbers = np.arange(following, following + read.batch.num_rows)
    else:
        numbers = np.array(read.numbers, dtype=np.int64) + first_row
    return numbers, [Refusal(number + first_row, None, None, problem) for number, problem in read.damaged]


def _writer(file: object, schema: pa.Schema) -> ParquetWriter:
    """Scores: repeated texts as dictionaries, which readers see as plain text, and the rest as it is."""
    return ParquetWriter(
        file,
        schema,
        compression="zstd",
        compression_level=1,
        store_schema=False,
        use_dictionary=["decision", "model"],
        column_encoding={"row": "DELTA_BINARY_PACKED"},
        write_statistics=["row"],
    )
