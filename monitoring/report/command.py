"""`python -m monitoring report`: arguments, output and exit code."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from configs.monitoring import Monitoring
from monitoring.records.log_keys import LogKeys


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to those of `python -m monitoring`."""
    command = commands.add_parser("report", help="write the page on how the model does, and its figures")
    command.add_argument("--out", type=Path, metavar="DIR", help="folder (default: monitor beside the records)")
    command.add_argument("--json", action="store_true", help="print the figures as one JSON document instead")
    command.set_defaults(command=run)


def run(settings: Monitoring, keys: LogKeys, options: argparse.Namespace) -> int:
    """Write the page and print where it is."""
    import msgspec

    from monitoring.report.figures import figures
    from monitoring.report.place import FOLDER
    from monitoring.report.writing import write

    found = figures(settings, keys, datetime.now(UTC))
    if options.json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
        return 0
    sys.stdout.write(f"{write(options.out or Path(settings.directory) / FOLDER, found)}\n")
    return 0
