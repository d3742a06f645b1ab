"""`python -m monitoring replay`: arguments, output and exit code.

Owns these. Leaves the work to `monitoring.records.replay`, imported when it is needed: ONNX Runtime takes 0.4 s.
"""

import argparse
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from configs.dataset import RESERVED
from configs.monitoring import Monitoring
from monitoring.console import moment
from monitoring.records.log_keys import LogKeys

if TYPE_CHECKING:
    from monitoring.records.replay import Outcome, Replay

EQUAL, NOT_LOOKED, DIFFERENT = 0, 1, 3  # exit codes


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to those of `python -m monitoring`."""
    command = commands.add_parser("replay", help="score past decisions again by the version that made them")
    command.add_argument("--application-id", metavar="ID", help="those on one applicant; - reads the id from stdin")
    command.add_argument(
        "--since", type=moment, metavar="T", help="those logged at T or later, as 2026-11-01 or 2026-11-01T12:30Z"
    )
    command.add_argument("--until", type=moment, metavar="T", help="those logged before T")
    command.add_argument("--sample", type=_count, metavar="N", help="N of them, drawn anew each time")
    command.add_argument("--json", action="store_true", help="print one line of JSON")
    command.set_defaults(command=run)


def run(settings: Monitoring, keys: LogKeys, options: argparse.Namespace) -> int:
    """Replay, print the result, and return the exit code.

    0 where every replayed decision is equal, 3 where one is different; 1 where a version is gone, or an id unknown.
    """
    from monitoring.records.models_archive import find_model
    from monitoring.records.replay import between, decisions, replay, sample

    found = between(decisions(Path(settings.directory), keys), options.since, options.until)
    if options.application_id is not None:
        wanted = options.application_id
        if wanted == "-":  # every user of the machine can read a command line
            wanted = sys.stdin.readline().rstrip("\n")
        found = (one for one in found if one.row.applicant.get(RESERVED) == wanted)
    if options.sample is not None:
        found = iter(sample(found, options.sample))
    result = replay(found, partial(find_model, settings, os.environ))
    sys.stdout.write(f"{msgspec.json.encode(result).decode() if options.json else _text(result)}\n")
    for version in result.gone:
        _say(f"not replayed, {version.rows:,} rows: {version.why}; put its folder there, or train it again")
    if result.different:
        return DIFFERENT
    if options.application_id is not None and not (result.replayed or result.gone):
        _say(f"the decision log has no such {RESERVED}; it may have been erased")
        return NOT_LOOKED
    return NOT_LOOKED if result.gone else EQUAL


def _text(result: "Replay") -> str:
    """The result for people."""
    lines = [f"replayed {result.replayed:,}: {result.equal:,} equal, {len(result.different):,} different"]
    if result.erased:
        lines.append(f"erased {result.erased:,}, which cannot be replayed")
    for one in result.different:
        now = "refuses the logged values" if one.now is None else f"gives {_outcome(one.now)}"
        known = msgspec.json.encode(one.application_id).decode()  # it may hold what a terminal obeys
        lines.append(f"{known}  {one.time:%Y-%m-%dT%H:%M:%SZ}  {_outcome(one.logged)}; {one.model} {now}")
    return "\n".join(lines)


def _outcome(outcome: "Outcome") -> str:
    return f"{outcome.probability} {outcome.decision}"


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)
