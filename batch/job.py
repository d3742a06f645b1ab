"""What a run is: its job, the parts of its table, and what is told of a part that is done.

Owns these types. They are frozen, hold plain values, and can be pickled and written as JSON, so that any engine can
hand them to any process of any machine. Leaves cutting a table to `batch.tables.planning`, and scoring a part to
`batch.part`.
"""

from typing import Literal

from msgspec import Struct

Kind = Literal["csv", "parquet"]


class Part(Struct, frozen=True, kw_only=True):
    """A piece of the table that is scored, written and checkpointed as a whole.

    Attributes:
        number: from 0, in the order of the table; it names the files that are written.
        path: of the file that it is in, as `batch.tables.places` takes it.
        first_row: number of its first row in the whole table, from 0.
        rows: how many it has; damaged ones included.
        start: first row group of a Parquet file, or first byte of a CSV file.
        stop: the row group, or the byte, after the last.
        skip: rows to leave out at the beginning of the row group, where a large one is several parts.
    """

    number: int
    path: str
    first_row: int
    rows: int
    start: int
    stop: int
    skip: int = 0


class Job(Struct, frozen=True, kw_only=True):
    """All that a process needs to score any part.

    Attributes:
        model: name and version.
        artifact: folder of the model; an engine that has copied it elsewhere replaces this.
        digest: SHA-256 of the model's manifest, which covers every file of it.
        kind: of the files of the table.
        columns: those that are read: features, and `application_id` where the table has it.
        header: every column of a CSV file, in order.
        out: folder of the scores, local or `s3://`.
        run: 32 hexadecimal digits from which ids are made for rows that have none.
        started_ms: when the run was started first, Unix time; a part of these ids.
        explain: whether scores have reasons.
        archive: whether the rows are archived too.
    """

    model: str
    artifact: str
    digest: str
    kind: Kind
    columns: tuple[str, ...]
    header: tuple[str, ...]
    out: str
    run: str
    started_ms: int
    explain: bool = False
    archive: bool = False


class PartSummary(Struct, frozen=True, kw_only=True):
    """What is told of a part that is done; written into its file of scores.

    Attributes:
        number: of the part.
        rows: that were scored.
        refused: rows that were not.
        decisions: scored rows by decision.
    """

    number: int
    rows: int
    refused: int
    decisions: dict[str, int]
