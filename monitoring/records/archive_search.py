"""`python -m monitoring.records.archive_search`: finds the newest archived decision on one `application_id`.

Owns: input, output and exit code of this process. Leaves to others: reading an archive (archive), decisions that are
not archived yet, and starting this process (lookup).

A separate process, because pyarrow takes 0.25 s and 100 MB, which would stay in the worker. The id is read as JSON from
standard input, because every user of the machine can read a command line. The decision, or null, is written as JSON to
standard output.
"""

import os
import sys
from pathlib import Path

import msgspec

from configs.monitoring import read_monitoring
from configs.source import ConfigError
from monitoring.records.cipher import KeyMissing
from monitoring.records.log_keys import configured_keys
from monitoring.records.segments import archives


def main() -> int:
    """Search every archive of the configured directory; return the exit code."""
    from monitoring.records import archive

    application_id = msgspec.json.decode(sys.stdin.buffer.read(), type=str)
    try:
        settings = read_monitoring()
        keys = configured_keys(settings, os.environ)
        found = [archive.newest_decision(path, application_id, keys) for path in archives(Path(settings.directory))]
    except (ConfigError, KeyMissing, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    newest = max((one for one in found if one is not None), key=lambda one: one[0], default=None)
    sys.stdout.buffer.write(msgspec.json.encode(newest))
    return 0


if __name__ == "__main__":
    sys.exit(main())
