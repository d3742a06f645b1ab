"""The batch file: how tables are cut and scored, and how S3 is reached."""

import os
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from configs.source import read

BATCH_YAML = Path(__file__).with_name("batch.yaml")


class Batch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`configs/batch.yaml`, where each key has its unit, range and reason."""

    part_rows: Annotated[int, Meta(ge=1, le=100_000_000)]
    processes: Annotated[int, Meta(ge=0, le=1024)]
    s3_endpoint: Annotated[str, Meta(pattern=r"^(https?://\S+)?$")]
    s3_region: str
    s3_timeout_s: Annotated[float, Meta(ge=1, le=3600)]


def read_batch(path: Path = BATCH_YAML) -> Batch:
    """Read the file; `SCORER_PART_ROWS`, `SCORER_S3_ENDPOINT` … in the environment override it."""
    return read(path, Batch, os.environ)
