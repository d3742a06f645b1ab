"""The profiler process, started by the service or with `python -m monitoring profile`.

Owns: setting the process up: settings, signals, logging. Leaves to others: profiling (profiler), when to stop
(stopping), priority (priority), starting and restarting the child (supervision), which runs
`python -m monitoring.profiles.process`.

Blocks the stop signals before it imports whylogs, which takes 2 s and starts threads (stopping).
"""

import logging
import os
import sys
from pathlib import Path
from typing import IO

from configs.monitoring import Monitoring, read_monitoring
from configs.service import read_service
from configs.source import ConfigError
from monitoring.json_logging import log_as_json
from monitoring.profiles.priority import run_when_idle
from monitoring.profiles.stopping import block_signals
from monitoring.records.checkpoint import CheckpointError
from monitoring.records.cipher import KeyMissing
from monitoring.records.log_keys import LogKeys, configured_keys
from monitoring.records.outcomes_upkeep import OutcomesUpkeep
from monitoring.records.segments import batch_directory, explanations_directory
from monitoring.records.upkeep import Upkeep


def follow(settings: Monitoring, keys: LogKeys, parent_pipe: IO[str] | None) -> None:
    """Follow the log until the parent or a signal stops it.

    Args:
        settings: where the records are, and how they are profiled.
        keys: of the decision log.
        parent_pipe: of a child process; its end means stop. None to stop on SIGTERM or SIGINT.
    """
    block_signals()
    from monitoring.profiles import profiler
    from monitoring.records.id_indexing import IdIndexing

    # The format of BentoML's log lines, which share the stream.
    logging.basicConfig(
        format="%(asctime)s [%(levelname)s] [profiler] %(message)s", datefmt="%Y-%m-%dT%H:%M:%S%z", level=logging.INFO
    )
    if read_service().log_format == "json":
        log_as_json()
    logging.getLogger("whylogs").setLevel(logging.WARNING)  # at INFO it reports every column that it reads
    if parent_pipe:
        run_when_idle()
    directory = Path(settings.directory)
    logs = (directory, explanations_directory(directory), batch_directory(directory))
    upkeeps = [Upkeep(log, settings.retention_days, keys) for log in logs]
    of_outcomes = OutcomesUpkeep(settings, keys)

    def upkeep() -> None:
        for one in upkeeps:
            one.run()
        of_outcomes.run()

    profiler.run(
        directory,
        settings.window_s,
        settings.frame_rows,
        settings.interval_s,
        parent_pipe,
        keys,
        upkeep,
        IdIndexing(directory, keys).step,
        least_window_rows=settings.least_window_rows,
        sync_log=settings.sync != "none",
    )


def main() -> int:
    """Run as the child of a service until standard input ends; return the exit code."""
    try:
        settings = read_monitoring()
        follow(settings, configured_keys(settings, os.environ), sys.stdin)
    except (ConfigError, CheckpointError, KeyMissing, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
