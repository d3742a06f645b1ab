"""The watch process, a child of the service: it looks every `watch_every_s`.

Owns: setting the process up, when it looks, and that at most one process looks at a folder. Leaves to others: a look
(look), when to stop (`monitoring.profiles.stopping`), starting and restarting it (children), which runs
`python -m monitoring.watch.process`.

What a look needs takes 2 s to import, so that waits for the first look.
"""

import logging
import os
import sys
import time
from pathlib import Path
from typing import IO

from configs.monitoring import Monitoring, read_monitoring
from configs.opt_outs import opt_out
from configs.service import read_service
from configs.source import ConfigError
from monitoring.json_logging import log_as_json
from monitoring.profiles.priority import run_when_idle
from monitoring.profiles.stopping import block_signals, wait_for_stop
from monitoring.records import private
from monitoring.records.locks import FileLock
from monitoring.records.log_keys import LogKeys, configured_keys
from monitoring.watch.files import monitor_folder

FIRST_S = 10.0  # seconds from the start to the first look, which would compete with the start of the service

_log = logging.getLogger(__name__)


class WatchLock(FileLock):
    """`<directory>/monitor/watch.lock`; its holder looks, writes and sends."""

    def __init__(self, directory: Path) -> None:
        super().__init__(monitor_folder(directory) / "watch.lock")


def watch(settings: Monitoring, keys: LogKeys, parent_pipe: IO[str] | None) -> None:
    """Look again and again until the parent or a signal stops it; the caller must have blocked the signals.

    While another process holds the lock, wait until it exits.
    """
    with WatchLock(Path(settings.directory)) as lock:
        wait_s = min(FIRST_S, settings.watch_every_s)
        while not wait_for_stop(wait_s, parent_pipe):
            began_s = time.monotonic()
            try:
                private.make_folder(monitor_folder(Path(settings.directory)))
                if lock.acquire():
                    from monitoring.watch.look import look_once

                    look_once(settings, keys)
            except Exception as error:  # noqa: BLE001 - a watch that ends sees nothing any more
                _log.error("cannot look: %s; trying again in %d s", error, settings.watch_every_s)
            wait_s = max(began_s + settings.watch_every_s - time.monotonic(), 1.0)


def main() -> int:
    """Run as the child of a service until standard input ends; return the exit code."""
    block_signals()
    opt_out(os.environ)  # before a look imports what would report
    try:
        settings = read_monitoring()
        # The format of BentoML's log lines, which share the stream.
        logging.basicConfig(
            format="%(asctime)s [%(levelname)s] [watch] %(message)s", datefmt="%Y-%m-%dT%H:%M:%S%z", level=logging.INFO
        )
        if read_service().log_format == "json":
            log_as_json()
        logging.getLogger("whylogs").setLevel(logging.WARNING)  # at INFO it reports every column that it reads
        run_when_idle()
        watch(settings, configured_keys(settings, os.environ), sys.stdin)
    except (ConfigError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
