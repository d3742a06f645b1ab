"""`python -m monitoring.records.archive_search`: finds the newest archived decision on one `application_id`.

Owns: input, output and exit code of this process. Leaves to others: reading an archive (archive), decisions that are
not archived yet, which archives to search, and starting this process (lookup).

A separate process, because pyarrow takes 0.25 s and 100 MB, which would stay in the worker. The question is read as
JSON from standard input, because every user of the machine can read a command line. The decision, or null, is written
as JSON to standard output.
Archives without a filter of their ids get one, so that the next search need not start this process for them.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from configs.monitoring import read_monitoring
from configs.source import ConfigError
from monitoring.records.cipher import KeyMissing
from monitoring.records.id_filter import filter_path, read_filter
from monitoring.records.id_indexing import write_archive_filter
from monitoring.records.locks import UpkeepLock
from monitoring.records.log_keys import LogKeys, configured_keys


class Question(msgspec.Struct):
    """What is searched, where (paths relative to the directory of the records), and whose; None for everybody's."""

    application_id: str
    archives: list[str]
    owner: str | None = None


def main() -> int:
    """Search archives of the configured directory; return the exit code."""
    from monitoring.records import archive

    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    found = []
    try:
        settings = read_monitoring()
        directory, keys = Path(settings.directory), configured_keys(settings, os.environ)
        for name in question.archives:
            with suppress(FileNotFoundError):  # retention may delete it meanwhile
                path = directory / name
                found.append(archive.newest_decision(path, question.application_id, keys, question.owner))
                with suppress(OSError):  # a full disk, which is no reason not to answer
                    _complete_filter(directory, path, keys)
    except (ConfigError, KeyMissing, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    newest = max((one for one in found if one is not None), key=lambda one: one[0], default=None)
    sys.stdout.buffer.write(msgspec.json.encode(newest))
    return 0


def _complete_filter(directory: Path, path: Path, keys: LogKeys) -> None:
    """Make the filter of an archive that has none of all its ids, unless somebody else changes archives now."""
    from monitoring.records import archive

    known = read_filter(filter_path(directory, path), keys)
    if known is not None and known.head.complete:
        return
    with UpkeepLock(directory) as lock:
        if lock.acquire():
            write_archive_filter(directory, path, archive.application_ids(path, keys), keys)


if __name__ == "__main__":
    sys.exit(main())
