"""`python -m monitoring.records.archive_search`: the newest archived decision on one `application_id`.

Owns: this process's input, output and exit code. Leaves to others: reading an archive (archive), the decisions that
are not archived yet and who asks (lookup).

A process of its own, because pyarrow costs 0.25 s and 100 MB and would stay in the process that asks. The id comes as
JSON on standard input, because every user of the machine can read a command line. The answer is JSON on standard
output: the decision, or null.
"""

import os
import sys
from pathlib import Path

import msgspec

from configs.monitoring import read_monitoring
from configs.source import ConfigError
from monitoring.records.cipher import KeyMissing
from monitoring.records.log_keys import log_keys_from
from monitoring.records.segments import archives


def main() -> int:
    """Search every archive of the configured directory; returns the exit code."""
    from monitoring.records import archive

    application_id = msgspec.json.decode(sys.stdin.buffer.read(), type=str)
    try:
        settings, keys = read_monitoring(), log_keys_from(os.environ)
        found = [archive.newest_decision(path, application_id, keys) for path in archives(Path(settings.directory))]
    except (ConfigError, KeyMissing, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    newest = max((one for one in found if one is not None), key=lambda one: one[0], default=None)
    sys.stdout.buffer.write(msgspec.json.encode(newest))
    return 0


if __name__ == "__main__":
    sys.exit(main())
