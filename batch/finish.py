"""What follows when every part is done: one profile of the table, its window in monitoring, and its drift.

Owns this order. Each step can be taken again: it writes the same under the same names. Leaves profiles to
`batch.profile` and `monitoring.profiles.batch_windows`, and comparing to `monitoring.drift`.
"""

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from batch.job import Job, Part
from batch.output import Output
from batch.part import profile_name
from batch.profile import merged, time_of
from configs.monitoring import Monitoring, read_monitoring
from monitoring.drift.looking import ColumnDrift, inspect
from monitoring.profiles import batch_windows
from monitoring.records.log_keys import LogKeys, configured_keys

PROFILE = "_profile.bin"
RUN_DIGITS = 12  # of a run, by which monitoring names it


class Watched(NamedTuple):
    """The drift of a table, by column; `why_not` says why there is none."""

    drift: Sequence[ColumnDrift]
    why_not: str = ""


def run_name(job: Job) -> str:
    """The name of a run in monitoring."""
    return job.run[:RUN_DIGITS]


def watch(job: Job, parts: Sequence[Part], output: Output) -> Watched:
    """Merge the profiles of a run, keep them for monitoring, and compare them with the model's reference."""
    settings = read_monitoring()
    keys = configured_keys(settings, os.environ)
    content = merged(output.read(profile_name(part.number)) or b"" for part in parts)
    output.write(PROFILE, content)
    path = batch_windows.keep(settings, keys, run_name(job), job.model, time_of(job.started_ms), content)
    if path is None:
        least = settings.least_window_rows
        return Watched([], f"fewer than {least} rows were scored (least_window_rows in configs/monitoring.yaml)")
    return _drift(settings, keys, job)


def _drift(settings: Monitoring, keys: LogKeys, job: Job) -> Watched:
    start = time_of(job.started_ms)
    looked = inspect(settings, keys, start, start + timedelta(seconds=1), "hour", "batch")
    if job.model in looked.gone:
        return Watched([], looked.gone[job.model])
    return Watched([one for one in looked.drift if one.batch_run == run_name(job)])
