"""`python -m monitoring performance`: arguments, output and exit code.

Owns these. Leaves the work to `monitoring.performance.looking`, imported when it is needed.
"""

import argparse
import sys
from typing import TYPE_CHECKING

import msgspec

from configs.monitoring import Monitoring
from monitoring.console import moment
from monitoring.records.log_keys import LogKeys

if TYPE_CHECKING:
    from monitoring.performance.results import Figure, Performance

FINE, BREACH = 0, 3  # exit codes
NOTHING: dict[str, object] = {
    "model": None,
    "rows": 0,
    "with_outcome": 0,
    "realised": {},
    "estimated": {},
    "groups": [],
    "breach": False,
}


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to those of `python -m monitoring`."""
    command = commands.add_parser("performance", help="how well the model does, by outcomes and before they arrive")
    command.add_argument("--since", type=moment, metavar="T", help="decisions at T or later, as 2026-11-01")
    command.add_argument("--until", type=moment, metavar="T", help="decisions before T")
    command.add_argument("--model", metavar="TAG", help="name:version; by default that of the newest decision")
    command.add_argument("--json", action="store_true", help="print one line of JSON")
    command.set_defaults(command=run)


def run(settings: Monitoring, keys: LogKeys, options: argparse.Namespace) -> int:
    """Print the performance; exit code 3 if something is worse than it may be."""
    from monitoring.performance.looking import look

    found = look(settings, keys, options.since, options.until, options.model)
    if options.json:
        sys.stdout.write(f"{msgspec.json.encode(NOTHING if found is None else found).decode()}\n")
    else:
        sys.stdout.write("no decisions in that time\n" if found is None else _text(found))
    return BREACH if found is not None and found.breach else FINE


def _text(found: "Performance") -> str:
    """The performance for people."""
    lines = [
        f"{found.model}, decisions from {found.since} to {found.until}",
        f"{found.rows:,} decisions, {found.with_outcome:,} with an outcome, {found.immature:,} more too young to count",
        "",
        f"{'':22}{'realised':>26}{'estimated':>26}{'reference':>11}",
    ]
    for name in dict.fromkeys((*found.realised, *found.estimated)):
        reference = found.reference.get(name)
        shown = f"{reference:11.3f}" if reference is not None else f"{'':11}"
        lines.append(
            f"{name:22}{_figure(found.realised.get(name))}{_figure(found.estimated.get(name))}{shown}".rstrip()
        )
    if found.concept:
        one = found.concept
        lines += ["", f"outcomes {'no longer ' if one.breach else ''}follow the probabilities (p = {one.p_value:.2g})"]
        if one.breach and one.observed is not None and one.predicted is not None:
            lines.append(f"since {one.since}: {one.observed:.1%} events, {one.predicted:.1%} predicted")
    lines += [f"breach: {one.code} is {one.value:.3g}, the bound is {one.bound:.3g}" for one in found.breaches]
    return "".join(f"{line}\n" for line in lines)


def _figure(one: "Figure | None") -> str:
    if one is None or one.value is None:
        return f"{'-':>26}"
    return f"{f'{one.value:.3f} ({one.low:.3f} to {one.high:.3f})':>26}"
