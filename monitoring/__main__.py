"""`python -m monitoring`: how many rows were served and profiled, the profiler, and what becomes of the log after it.

Owns: arguments, output, exit codes. Leaves to others: everything they stand for. Paths and sizes come from
`configs/monitoring.yaml`; `SCORER_DIRECTORY` names another directory, `SCORER_LOG_KEY` the key of an encrypted log.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import msgspec

from configs.monitoring import Monitoring, read_monitoring
from configs.source import ConfigError
from monitoring.records import retention
from monitoring.records.checkpoint import CheckpointError
from monitoring.records.cipher import LOG_KEY_VARIABLE, KeyMissing
from monitoring.records.erasure_journal import journal_path
from monitoring.records.log_keys import LogKeys, log_keys_from
from monitoring.records.upkeep import exclusive_upkeep
from monitoring.status import Status, count, inspect_log

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
        settings, keys = read_monitoring(), log_keys_from(os.environ)
        return int(options.command(settings, keys, options))
    except (ConfigError, CheckpointError, KeyMissing, OSError) as error:
        print(error, file=sys.stderr)
        return 1


def status(settings: Monitoring, keys: LogKeys, options: argparse.Namespace) -> int:
    """Print the four numbers; damage is said on standard error, and is no failure of this command."""
    now, undecryptable = inspect_log(Path(settings.directory), keys)
    if undecryptable:
        print(
            f"{undecryptable} rows are encrypted with a key not in {LOG_KEY_VARIABLE}: counted, not opened",
            file=sys.stderr,
        )
    if options.json:
        print(json.dumps(msgspec.structs.asdict(now)))
        return 0
    for name, rows in msgspec.structs.asdict(now).items():
        print(f"{name:9}{rows:12,}  rows {EXPLANATIONS[name]}")
    _warn_of_damage(now)
    if journal_path(Path(settings.directory)).exists():
        print("an erasure is being done or was cut short; `catch-up` finishes it", file=sys.stderr)
    return 0


def catch_up(settings: Monitoring, keys: LogKeys, options: argparse.Namespace) -> int:
    """Profile what is pending; exit code 0 when nothing logged before this call is pending any more.

    A damaged log is said on standard error and is 0 too: what can be read is profiled, no repetition would mend
    the rest, and `status` keeps showing `served` above `logged`.
    """
    from monitoring.profiles import profiler

    directory = Path(settings.directory)
    if journal_path(directory).exists():
        with exclusive_upkeep(directory):
            pass
    done = profiler.catch_up(directory, settings.window_s, settings.frame_rows, options.timeout, keys)
    now = count(directory, keys)
    result = "caught up" if done else "timed out"
    print(f"{result}: {now.profiled} of {now.logged} rows profiled, {now.pending} pending")
    _warn_of_damage(now)
    return 0 if done else 1


def profile(settings: Monitoring, keys: LogKeys, _: argparse.Namespace) -> int:
    """Follow the log until told to stop."""
    from monitoring.profiles import process

    process.follow(settings, keys, parent_pipe=None)
    return 0


def compact(settings: Monitoring, keys: LogKeys, options: argparse.Namespace) -> int:
    """Turn closed segments into Parquet; what has to wait is said, and is no failure."""
    from monitoring.records import compaction

    directory = Path(settings.directory)
    if not directory.exists():
        print("nothing is logged yet")
        return 0
    with exclusive_upkeep(directory):
        done = compaction.compact(directory, keys, options.plain)
    form = "plain" if options.plain or not keys else "encrypted"
    print(f"archived {done.rows} rows of {done.segments} segments, {form}, in {directory / 'archive'}")
    waiting = {"still being written": done.still_open, "not profiled yet, `catch-up` does that": done.pending}
    for reason, number in waiting.items():
        if number:
            print(f"left {number} segments: {reason}")
    if done.damaged:
        print(f"left {done.damaged} segments: damaged since they were profiled", file=sys.stderr)
    return 0


def retain(settings: Monitoring, keys: LogKeys, _: argparse.Namespace) -> int:
    """Delete what is older than `retention_days`."""
    directory = Path(settings.directory)
    if not settings.retention_days or not directory.exists():
        print("nothing is deleted: retention_days is 0" if not settings.retention_days else "nothing is logged yet")
        return 0
    with exclusive_upkeep(directory):
        done = retention.retain(directory, settings.retention_days, keys)
    print(f"deleted {done.segments} segments and {done.archives} archives older than {settings.retention_days} days")
    if done.deferred:
        print(f"kept {done.deferred} segments as old: still being written, or not profiled yet")
    return 0


def erase(settings: Monitoring, keys: LogKeys, options: argparse.Namespace) -> int:
    """Erase an applicant's id and values from every row; exit code 1 while rows of theirs are not profiled yet."""
    from monitoring.profiles import profiler
    from monitoring.records import erasure

    directory = Path(settings.directory)
    application_id = options.application_id
    if application_id == "-":  # a command line is seen by everyone on the machine
        application_id = sys.stdin.readline().rstrip("\n")
    if not directory.exists():
        print("erased 0 rows")
        return 0
    with exclusive_upkeep(directory) as recovered:
        if recovered:
            print(f"finished an erasure of {recovered} rows that was cut short")
        profiler.catch_up(directory, settings.window_s, settings.frame_rows, options.timeout, keys)
        done = erasure.erase(directory, application_id, keys)
    print(f"erased {done.rows} rows")
    if done.pending:
        print(f"{done.pending} rows are not profiled yet, so they are still there; run it again", file=sys.stderr)
    return 1 if done.pending else 0


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
    command = commands.add_parser("compact", help="turn closed, profiled log files into Parquet")
    command.add_argument("--plain", action="store_true", help="plain Parquet, although the log is encrypted")
    command.set_defaults(command=compact)
    command = commands.add_parser("retain", help="delete what is older than retention_days")
    command.set_defaults(command=retain)
    command = commands.add_parser("erase", help="erase an applicant's id and values from every row")
    command.add_argument("application_id", help="as it was sent or answered; - reads it from standard input")
    command.add_argument(
        "--timeout", type=float, default=60.0, metavar="S", help="seconds to profile for (default: 60)"
    )
    command.set_defaults(command=erase)
    command = commands.add_parser("profile", help="follow the log until SIGTERM")
    command.set_defaults(command=profile)
    return parser


if __name__ == "__main__":
    sys.exit(main())
