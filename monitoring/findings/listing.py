"""`python -m monitoring findings`: arguments, output and exit code, for cron and CI.

Owns these. Leaves the work to `monitoring.findings.looking`, imported when it is needed: whylogs takes 2 s.
"""

import argparse
import sys
from datetime import UTC, datetime

import msgspec

from configs.monitoring import Monitoring
from monitoring.findings.finding import Finding, Findings
from monitoring.records.log_keys import LogKeys

NOTHING, FOUND = 0, 3  # exit codes; 1 where it could not look


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to those of `python -m monitoring`."""
    command = commands.add_parser("findings", help="list everything that is wrong now; exit code 3 if something is")
    command.add_argument("--json", action="store_true", help="print one line of JSON")
    command.set_defaults(command=run)


def run(settings: Monitoring, keys: LogKeys, options: argparse.Namespace) -> int:
    """Look, print what was found, and return the exit code."""
    from monitoring.findings.looking import look

    found = look(settings, keys, datetime.now(UTC))
    if options.json:
        sys.stdout.write(f"{msgspec.json.encode(Findings(found)).decode()}\n")
    else:
        sys.stdout.write("".join(f"{_text(one)}\n" for one in found) or "nothing found\n")
    return FOUND if found else NOTHING


def _text(one: Finding) -> str:
    """A finding for people."""
    return f"{one.code}  {one.subject}  since {one.since:%Y-%m-%dT%H:%M:%SZ}\n  {one.message}\n  {one.remedy}"
