"""`python -m monitoring simulate`: arguments, output and exit code.

Owns these. Leaves the work to `monitoring.simulation.simulation`, imported when it is needed: whylogs takes 2 s.
"""

import argparse
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from configs.monitoring import Monitoring
from monitoring.records.log_keys import LogKeys
from monitoring.simulation.schedule import NAMES

if TYPE_CHECKING:
    from monitoring.simulation.simulation import Simulation

SILENT, NOT_LOOKED, FIRED = 0, 1, 3  # exit codes
LEAST_ROWS = 600  # 50 per window, the fewest of which drift is judged


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to those of `python -m monitoring`."""
    command = commands.add_parser(
        "simulate", help="send a scenario's traffic and truth through the running service; print what is found"
    )
    command.add_argument("--scenario", choices=NAMES, default="none", help="what happens half way (default: none)")
    command.add_argument("--rows", type=_rows, default=6_000, metavar="N", help="applications in all (default: 6000)")
    command.add_argument("--seed", type=int, default=0, metavar="N", help="of everything drawn (default: 0)")
    command.add_argument("--url", default="http://127.0.0.1:3000", help="of the service (default: %(default)s)")
    command.add_argument("--json", action="store_true", help="print one line of JSON")
    command.set_defaults(command=run)


def run(settings: Monitoring, _: LogKeys, options: argparse.Namespace) -> int:
    """Run a scenario, print what fired in which window, and return the exit code.

    0 where nothing fired, 3 where something did, 1 where the service or its model could not be asked.
    """
    from monitoring.records.models_archive import VersionGone, find_model
    from monitoring.simulation.records import SimulatedRecords
    from monitoring.simulation.service import KEY_VARIABLE, Service, ServiceError
    from monitoring.simulation.simulation import simulate

    try:
        service = Service(options.url, os.environ.get(KEY_VARIABLE, ""))
        model = find_model(settings, os.environ, service.model())
        with tempfile.TemporaryDirectory(prefix="simulation-") as folder:
            records = SimulatedRecords(settings, Path(folder), model)
            end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
            result = simulate(options.scenario, options.rows, options.seed, service, model, records, end)
    except (ServiceError, VersionGone) as error:
        sys.stderr.write(f"{error}\n")
        return NOT_LOOKED
    sys.stdout.write(f"{msgspec.json.encode(result).decode() if options.json else _text(result)}\n")
    for code in result.missing:
        sys.stderr.write(f"expected, and not found: {code}\n")
    for one in result.unexpected:
        sys.stderr.write(f"found, and not expected: {one}\n")
    return FIRED if result.fired else SILENT


def _text(result: "Simulation") -> str:
    """The result for people."""
    lines = [f"{'window':>6}  {'until':17}{'rows':>5}{'mean':>7}{'truths':>8}  found"]
    for one in result.windows:
        mark = "*" if result.begins is not None and one.window >= result.begins else " "
        figures = f"{one.rows:5}{one.mean_probability:7.3f}{one.outcomes:8}"
        lines.append(f"{one.window:5}{mark}  {one.end:%Y-%m-%dT%H:%MZ}{figures}  {', '.join(one.findings) or '-'}")
    lines += [f"window {one.window}: {one.code} {one.subject}: {one.message}" for one in result.fired]
    begins = "" if result.begins is None else f", which begins in window {result.begins} (*)"
    fired = f"{len(result.fired)} fired" if result.fired else "nothing fired"
    return "\n".join([*lines, f"{result.scenario}{begins}: {fired}"])


def _rows(text: str) -> int:
    if not text.isdecimal() or int(text) < LEAST_ROWS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {LEAST_ROWS}, 50 per window")
    return int(text)
