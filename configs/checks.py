"""The checks file: the limits beyond which a table stops the pipeline."""

import os
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from configs.source import read

CHECKS_YAML = Path(__file__).with_name("checks.yaml")

Share = Annotated[float, Meta(ge=0, le=1)]
Rows = Annotated[int, Meta(ge=1, le=1_000_000)]
Ratio = Annotated[float, Meta(ge=1, le=100)]
Index = Annotated[float, Meta(ge=0.01, le=10)]


class Checks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`configs/checks.yaml`, where each key has its unit, range and reason."""

    most_duplicated_share: Share
    most_missing_share: Share
    least_events: Rows
    few_events: Rows
    most_event_share: Annotated[float, Meta(ge=0.5, le=1)]
    psi_warn: Index
    psi_stop: Index
    ks_warn: Share
    ks_stop: Share
    rate_warn: Ratio
    rate_stop: Ratio
    significance: Annotated[float, Meta(ge=1e-6, le=0.5)]
    bins: Annotated[int, Meta(ge=2, le=100)]


def read_checks(path: Path = CHECKS_YAML) -> Checks:
    """Read the file; `SCORER_PSI_STOP`, `SCORER_BINS` … in the environment override it."""
    return read(path, Checks, os.environ)
