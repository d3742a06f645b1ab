"""`python -m monitoring`: count, profile, archive, delete, erase, replay and verify what has been logged.

Owns: arguments, output, exit codes. Leaves to others: the work itself. Paths and sizes come from
`configs/monitoring.yaml`; `SCORER_DIRECTORY` overrides the directory, `SCORER_LOG_KEY` holds the log's key.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import msgspec

from configs.monitoring import Monitoring, read_monitoring
from configs.opt_outs import opt_out
from configs.source import ConfigError
from monitoring import drifting, replaying, verifying
from monitoring.console import counted
from monitoring.findings import listing
from monitoring.performance import showing as performance_showing
from monitoring.records import retention
from monitoring.records.checkpoint import CheckpointError
from monitoring.records.cipher import LOG_KEY_VARIABLE, KeyMissing
from monitoring.records.erasure_journal import journal_path
from monitoring.records.log_keys import LogKeys, configured_keys
from monitoring.records.outcomes_upkeep import erase_outcomes, retain_outcomes
from monitoring.records.segments import BATCH, logs, logs_beside
from monitoring.records.upkeep import exclusive_upkeep
from monitoring.report import command as report_command
from monitoring.simulation import command as simulation_command
from monitoring.status import Status, count, inspect_log

# Commands import the profiler when they run: it imports whylogs, and `status` would take 2 s instead of 0.2 s.

EXPLANATIONS = {
    "served": "scored and written",
    "logged": "readable in the log",
    "profiled": "in whylogs profiles",
    "pending": "logged, not yet profiled",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit code."""
    options = _parser().parse_args(arguments)
    opt_out(os.environ)  # before commands import what they need
    try:
        settings = read_monitoring()
        keys = configured_keys(settings, os.environ)
        return int(options.command(settings, keys, options))
    except (ConfigError, CheckpointError, KeyMissing, OSError) as error:
        print(error, file=sys.stderr)
        return 1


def status(settings: Monitoring, keys: LogKeys, options: argparse.Namespace) -> int:
    """Print the four counts; a damaged log gives a warning on standard error and exit code 0."""
    counts, undecryptable = inspect_log(Path(settings.directory), keys)
    if undecryptable:
        rows = f"{counted(undecryptable, 'row')} encrypted with a key that is not in {LOG_KEY_VARIABLE}"
        print(f"{rows}: counted, not decrypted", file=sys.stderr)
    if options.json:
        print(json.dumps(msgspec.structs.asdict(counts)))
        return 0
    for name, number in msgspec.structs.asdict(counts).items():
        print(f"{name:9}{number:12,}  rows {EXPLANATIONS[name]}")
    _warn_of_damage(counts)
    if any(journal_path(log).exists() for log in logs(Path(settings.directory))):
        print("an erasure is running or was interrupted; `catch-up` finishes it", file=sys.stderr)
    return 0


def catch_up(settings: Monitoring, keys: LogKeys, options: argparse.Namespace) -> int:
    """Profile what is pending; exit code 0 when no row that was logged before this call is pending any more.

    A damaged log gives a warning on standard error and exit code 0 as well: every readable row is profiled, running
    the command again would not repair the rest, and `status` keeps reporting more `served` than `logged`.
    """
    directory = Path(settings.directory)
    for log in logs(directory):
        if journal_path(log).exists():
            with exclusive_upkeep(log, keys):
                pass
    done = _catch_up(settings, keys, options.timeout)
    counts = count(directory, keys)
    result = "caught up" if done else "timed out"
    print(f"{result}: {counts.profiled} of {counts.logged} rows profiled, {counts.pending} pending")
    _warn_of_damage(counts)
    return 0 if done else 1


def export_profiles(settings: Monitoring, keys: LogKeys, options: argparse.Namespace) -> int:
    """Write the profiles as ordinary whylogs binaries; what is held back is no profile yet."""
    from monitoring.profiles import files

    written = list(files.export(Path(settings.directory), options.target, keys))
    print(f"wrote {counted(len(written), 'profile')} to {options.target}")
    return 0


def profile(settings: Monitoring, keys: LogKeys, _: argparse.Namespace) -> int:
    """Follow the log until SIGTERM or SIGINT."""
    from monitoring.profiles import process

    process.follow(settings, keys, parent_pipe=None)
    return 0


def compact(settings: Monitoring, keys: LogKeys, options: argparse.Namespace) -> int:
    """Convert closed segments to Parquet; skipped segments are reported, with exit code 0."""
    from monitoring.records import compaction

    directory = Path(settings.directory)
    if not directory.exists():
        print("nothing has been logged yet")
        return 0
    with exclusive_upkeep(directory, keys):
        done = compaction.compact(directory, keys, options.plain)
    form = "plain" if options.plain or not keys else "encrypted"
    amount = f"{counted(done.rows, 'row')} from {counted(done.segments, 'segment')}"
    print(f"archived {amount}, {form}, in {directory / 'archive'}")
    skipped = {"still being written": done.still_open, "not profiled yet; run `catch-up` first": done.pending}
    for reason, number in skipped.items():
        if number:
            print(f"skipped {counted(number, 'segment')}: {reason}")
    if done.damaged:
        print(f"skipped {counted(done.damaged, 'segment')}: damaged after being profiled", file=sys.stderr)
    return 0


def retain(settings: Monitoring, keys: LogKeys, _: argparse.Namespace) -> int:
    """Delete what is older than `retention_days`."""
    directory = Path(settings.directory)
    if not settings.retention_days or not directory.exists():
        reason = "nothing has been logged yet" if settings.retention_days else "retention_days is 0"
        print(f"nothing deleted: {reason}")
        return 0
    with exclusive_upkeep(directory, keys):
        done = retention.retain(directory, settings.retention_days, keys)
    for log in logs_beside(directory):
        with exclusive_upkeep(log, keys):
            deleted = retention.retain(log, settings.retention_days, keys)
        done = done._replace(segments=done.segments + deleted.segments, deferred=done.deferred + deleted.deferred)
    amount = f"{counted(done.segments, 'segment')} and {counted(done.archives, 'archive')}"
    print(f"deleted {amount} older than {counted(settings.retention_days, 'day')}")
    if outcomes := retain_outcomes(settings, keys):
        print(f"deleted {counted(outcomes, 'outcome')}")
    if done.deferred:
        print(f"kept {counted(done.deferred, 'old segment')}: still being written, or not profiled yet")
    return 0


def erase(settings: Monitoring, keys: LogKeys, options: argparse.Namespace) -> int:
    """Erase an applicant's id and values from every row; exit code 1 if some of the rows are not profiled yet."""
    from monitoring.records import erasure

    directory = Path(settings.directory)
    application_id = options.application_id
    if application_id == "-":  # every user of the machine can read a command line
        application_id = sys.stdin.readline().rstrip("\n")
    if not directory.exists():
        print("erased 0 rows")
        return 0
    with exclusive_upkeep(directory, keys) as recovered:
        if recovered:
            print(f"finished an interrupted erasure of {counted(recovered, 'row')}")
        _catch_up(settings, keys, options.timeout)
        done = erasure.erase(directory, application_id, keys)
    print(f"erased {counted(done.rows, 'row')}")
    for log in logs_beside(directory):
        with exclusive_upkeep(log, keys):
            more = erasure.erase(log, application_id, keys)
        of_batch = f"{counted(more.rows, 'row')} of batch runs"
        print(f"erased {of_batch if log.name == BATCH else counted(more.rows, 'explanation')}")
    if outcomes := erase_outcomes(settings, keys, application_id):
        print(f"erased {counted(outcomes, 'outcome')}")
    if done.pending:
        print(f"not erased, because not profiled yet: {counted(done.pending, 'row')}; run again", file=sys.stderr)
    return 1 if done.pending else 0


def _catch_up(settings: Monitoring, keys: LogKeys, timeout_s: float) -> bool:
    from monitoring.profiles import profiler

    return profiler.catch_up(
        Path(settings.directory),
        settings.window_s,
        settings.frame_rows,
        timeout_s,
        keys,
        least_window_rows=settings.least_window_rows,
        sync_log=settings.sync != "none",
    )


def _warn_of_damage(counts: Status) -> None:
    lost = counts.served - counts.logged
    if lost > 0:
        print(f"the log is damaged: {counted(lost, 'served row')} cannot be read back", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m monitoring", description="Records: the logs, their proof, archives and profiles."
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    command = commands.add_parser("status", help="count the rows served, logged, profiled and pending")
    command.add_argument("--json", action="store_true", help="print one line of JSON")
    command.set_defaults(command=status)
    command = commands.add_parser("catch-up", help="profile the pending rows, or wait until they are profiled")
    command.add_argument("--timeout", type=float, default=60.0, metavar="S", help="seconds to try for (default: 60)")
    command.set_defaults(command=catch_up)
    command = commands.add_parser("compact", help="convert closed, profiled log files to Parquet")
    command.add_argument("--plain", action="store_true", help="write plain Parquet even if the log is encrypted")
    command.set_defaults(command=compact)
    command = commands.add_parser("retain", help="delete what is older than retention_days")
    command.set_defaults(command=retain)
    command = commands.add_parser("erase", help="erase an applicant's id and values from every row")
    command.add_argument("application_id", help="the id as sent or answered; - reads it from standard input")
    command.add_argument(
        "--timeout",
        type=float,
        default=60.0,
        metavar="S",
        help="seconds to profile for (default: 60)",
    )
    command.set_defaults(command=erase)
    verifying.add_command(commands)
    replaying.add_command(commands)
    listing.add_command(commands)
    report_command.add_command(commands)
    drifting.add_command(commands)
    performance_showing.add_command(commands)
    simulation_command.add_command(commands)
    command = commands.add_parser("profiles", help="`profiles export DIR` writes ordinary whylogs binaries")
    command.add_argument("verb", choices=["export"])
    command.add_argument("target", type=Path, metavar="DIR", help="made if missing; not inside the profiles themselves")
    command.set_defaults(command=export_profiles)
    command = commands.add_parser("profile", help="follow the log until SIGTERM or SIGINT")
    command.set_defaults(command=profile)
    return parser


if __name__ == "__main__":
    sys.exit(main())
