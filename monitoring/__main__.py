"""`python -m monitoring`: how many rows were served and profiled, and the process that profiles them.

Owns: arguments, output, exit codes. Leaves to others: everything they stand for. Paths and sizes come from
`configs/monitoring.yaml`; `SCORER_DIRECTORY` names another directory.
"""

import argparse
import json
import logging
import os
import sys
from pathlib import Path

import msgspec

from configs.monitoring import Monitoring, read_monitoring
from configs.service import read_service
from configs.source import ConfigError
from monitoring.checkpoint import CheckpointError
from monitoring.log_lines import speak_json
from monitoring.status import Status, count
from monitoring.stopping import block_signals

# The profiler is imported where it is used: with it comes whylogs, and `status` would take 2 s instead of 0.2.

EXPLANATIONS = {
    "served": "scored and written",
    "logged": "can be read back",
    "profiled": "in whylogs profiles",
    "pending": "logged, not yet profiled",
}


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        settings = read_monitoring()
        return int(options.command(settings, options))
    except (ConfigError, CheckpointError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


def status(settings: Monitoring, options: argparse.Namespace) -> int:
    """Print the four numbers; damage is said on standard error, and is no failure of this command."""
    now = count(Path(settings.directory))
    if options.json:
        print(json.dumps(msgspec.structs.asdict(now)))
        return 0
    for name, rows in msgspec.structs.asdict(now).items():
        print(f"{name:9}{rows:12,}  rows {EXPLANATIONS[name]}")
    _warn_of_damage(now)
    return 0


def catch_up(settings: Monitoring, options: argparse.Namespace) -> int:
    """Profile what is pending; exit code 0 when nothing logged before this call is pending any more.

    A damaged log is said on standard error and is 0 too: what can be read is profiled, no repetition would mend
    the rest, and `status` keeps showing `served` above `logged`.
    """
    from monitoring import profiler

    directory = Path(settings.directory)
    done = profiler.catch_up(directory, settings.window_s, settings.frame_rows, options.timeout)
    now = count(directory)
    result = "caught up" if done else "timed out"
    print(f"{result}: {now.profiled} of {now.logged} rows profiled, {now.pending} pending")
    _warn_of_damage(now)
    return 0 if done else 1


def profile(settings: Monitoring, options: argparse.Namespace) -> int:
    """Follow the log until told to stop."""
    block_signals()
    from monitoring import profiler

    # Like BentoML's lines, among which these stand.
    logging.basicConfig(
        format="%(asctime)s [%(levelname)s] [profiler] %(message)s", datefmt="%Y-%m-%dT%H:%M:%S%z", level=logging.INFO
    )
    if read_service().log_format == "json":
        speak_json()
    logging.getLogger("whylogs").setLevel(logging.WARNING)  # it tells of every column that it reads
    if options.child:
        os.nice(10)  # behind a service on the same cores: it catches up when there is less to do
    directory, leash = Path(settings.directory), sys.stdin if options.child else None
    profiler.run(directory, settings.window_s, settings.frame_rows, settings.interval_s, leash)
    return 0


def _warn_of_damage(now: Status) -> None:
    if now.served > now.logged:
        print(f"the log is damaged: {now.served - now.logged} served rows cannot be read back", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m monitoring", description="Decision log and profiles.")
    commands = parser.add_subparsers(required=True, metavar="command")
    command = commands.add_parser("status", help="rows served, logged, profiled and pending")
    command.add_argument("--json", action="store_true", help="the same as one line of JSON")
    command.set_defaults(command=status)
    command = commands.add_parser("catch-up", help="profile what is pending, or wait until it is")
    command.add_argument("--timeout", type=float, default=60.0, metavar="S", help="seconds to try for (default: 60)")
    command.set_defaults(command=catch_up)
    command = commands.add_parser("profile", help="follow the log until SIGTERM")
    command.add_argument("--child", action="store_true", help="until standard input ends, whatever signals come")
    command.set_defaults(command=profile)
    return parser


if __name__ == "__main__":
    sys.exit(main())
