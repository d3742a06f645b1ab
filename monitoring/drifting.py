"""`python -m monitoring drift`: arguments, output and exit code.

Owns these. Leaves the work to `monitoring.drift.looking`, imported when it is needed: whylogs takes 2 s.
"""

import argparse
import sys
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import msgspec

from configs.monitoring import Monitoring
from monitoring.console import counted, moment
from monitoring.records.log_keys import LogKeys

if TYPE_CHECKING:
    from monitoring.drift.looking import ColumnDrift

NOTHING, NOT_LOOKED, FOUND = 0, 1, 3  # exit codes
KINDS = ("rows", "hour", "day")


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to those of `python -m monitoring`."""
    command = commands.add_parser("drift", help="compare what was served with what the model was trained on")
    command.add_argument("--since", type=moment, metavar="T", help="windows that end after T, as 2026-11-01T12:30Z")
    command.add_argument("--until", type=moment, metavar="T", help="profiles that begin before T")
    command.add_argument(
        "--window", choices=KINDS, default="rows", help="hours, days, or as many rows as can be judged (default: rows)"
    )
    command.add_argument("--json", action="store_true", help="print one line of JSON")
    command.set_defaults(command=run)


def run(settings: Monitoring, keys: LogKeys, options: argparse.Namespace) -> int:
    """Look, print what was found, and return the exit code.

    3 where a column of a window has drifted; else 1 where a profile or a reference cannot be read; else 0.
    """
    from monitoring.drift.looking import inspect

    looked = inspect(settings, keys, options.since, options.until, options.window, "both")
    if options.json:
        sys.stdout.write(f"{msgspec.json.encode(looked.drift).decode()}\n")
    elif looked.drift or not (looked.unread or looked.gone):
        sys.stdout.write(_text(looked.drift))
    for path, why in looked.unread.items():
        _say(why if str(path) in why else f"{path}: {why}")
    for why in looked.gone.values():
        _say(f"not compared: {why}; put its folder there, or train it again")
    if any(drifted.breach for drifted in looked.drift):
        return FOUND
    return NOT_LOOKED if looked.unread or looked.gone else NOTHING


def _text(found: "Sequence[ColumnDrift]") -> str:
    """The windows for people: one line each, and one per column that has drifted."""
    if not found:
        return "no profile to compare; `catch-up` profiles what has been logged\n"
    lines = []
    for (model, start, until, run), columns in groupby(
        found, key=lambda one: (one.model, one.start, one.until, one.batch_run)
    ):
        window = list(columns)
        drifted = [one for one in window if one.breach]
        span = f"{start:%Y-%m-%dT%H:%MZ} to {until:%Y-%m-%dT%H:%MZ}"
        rows = max(one.rows for one in window)
        verdict = f"{counted(len(drifted), 'column')} of {len(window)} drifted" if drifted else "no drift"
        scored = f"  batch run {run}" if run else ""
        lines.append(f"{span}  {model}  {rows:9,} rows{scored}  {verdict}")
        lines += [f"  {one.column}: {'; '.join(_reasons(one))}" for one in drifted]
    return "\n".join(lines) + "\n"


def _reasons(one: "ColumnDrift") -> list[str]:
    """Every statistic that is above its bound, in words."""
    said = [f"PSI {one.psi:.2f}, above {one.psi_bound:.2f}"] if one.psi > one.psi_bound else []
    if one.ks is not None and one.ks_bound is not None and one.ks > one.ks_bound:
        said.append(f"KS {one.ks:.2f}, above {one.ks_bound:.2f}")
    for what, share, bound in (("null", one.nulls, one.nulls_bound), ("unknown", one.unknown, one.unknown_bound)):
        if share > bound:
            said.append(f"{share:.1%} {what}, above {bound:.1%}")
    return said


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
