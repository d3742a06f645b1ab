"""`python -m monitoring verify`: arguments, output and exit code.

Owns these. Leaves the work to `monitoring.records.proof.verification`, imported when it is needed.
"""

import argparse
import sys
from pathlib import Path

import msgspec

from configs.monitoring import Monitoring
from monitoring.console import counted
from monitoring.records.log_keys import LogKeys

INTACT, BROKEN = 0, 3  # exit codes


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to those of `python -m monitoring`."""
    command = commands.add_parser("verify", help="show that no record was altered, removed, added or reordered")
    command.add_argument("--json", action="store_true", help="print one line of JSON")
    command.add_argument(
        "--anchor", action="append", default=[], metavar="HASH", help="a hash that the chain has to have; repeatable"
    )
    command.set_defaults(command=run)


def run(settings: Monitoring, keys: LogKeys, options: argparse.Namespace) -> int:
    """Say whether the records are those that were written; exit code 3 if some are not."""
    from monitoring.records.proof import verification

    directory = Path(settings.directory)
    if not directory.is_dir():
        raise FileNotFoundError(f"{directory}: no such folder, so there are no records to verify")
    found = verification.verify_logs(directory, keys, options.anchor)
    broken = [one._asdict() for one in found.broken]
    if options.json:
        result = {"segments": found.segments, "rows": found.rows, "intact": found.intact, "broken": broken}
        lines = [msgspec.json.encode(result).decode()]
    else:
        amount = f"{counted(found.rows, 'row')} in {counted(found.segments, 'segment')}"
        lines = [f"{'intact' if found.intact else 'broken'}: {amount}"]
        lines += [f"{one.segment}{'' if one.line is None else f', line {one.line}'}: {one.why}" for one in found.broken]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stderr.write("".join(f"{note}\n" for note in found.notes))
    return INTACT if found.intact else BROKEN
