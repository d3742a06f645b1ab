"""`python -m batch score TABLE --out DIR`: a table in, scores out.

Standard output holds the summary; progress and errors go to standard error. Exit code 0, 3 where rows were refused, and
1 where it could not.
"""

import os

from configs.opt_outs import opt_out

opt_out(os.environ)  # before the imports below: ONNX Runtime reports as soon as it is imported

import argparse
import sys

from batch.engines.engine import ENGINES
from batch.errors import BatchError
from configs.source import ConfigError
from monitoring.records.checkpoint import CheckpointError
from monitoring.records.cipher import KeyMissing

REFUSED = 3  # exit code


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return score(options)
    except (BatchError, ConfigError, CheckpointError, KeyMissing, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130


def score(options: argparse.Namespace) -> int:
    """Score a table."""
    from batch.console import Console
    from batch.engines.engine import engine_of
    from batch.model import find
    from batch.run import Options, run
    from configs.batch import read_batch

    artifact = find(options.model)
    engine = engine_of(options.engine, options.processes, options.address)
    part_rows = options.part_rows or read_batch().part_rows
    asked = Options(options.table, options.out, options.explain, options.archive, part_rows)
    console = Console()
    with console:
        totals = run(artifact, engine, asked, console.start)
    console.summary(totals, options.json)
    return REFUSED if totals.refused else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m batch", description="Score whole tables.")
    commands = parser.add_subparsers(required=True, metavar="command")
    command = commands.add_parser("score", help="score a table of CSV or Parquet")
    command.add_argument("table", help="a file, a folder or a pattern; local or s3://")
    command.add_argument("--out", required=True, metavar="DIR", help="folder of the scores; local or s3://")
    command.add_argument("--model", default="", metavar="TAG", help="name:version; by default the service's model")
    command.add_argument("--engine", choices=ENGINES, default="local", help="what runs it (default: local)")
    command.add_argument("--address", default="", metavar="URL", help="of a cluster of that engine")
    command.add_argument("--processes", type=int, default=0, metavar="N", help="at a time (default: one per core)")
    command.add_argument("--part-rows", type=int, default=0, metavar="N", help="rows per part (configs/batch.yaml)")
    command.add_argument("--explain", action="store_true", help="add the reasons of each decision")
    command.add_argument("--archive", action="store_true", help="keep the rows as the service's archives do")
    command.add_argument("--json", action="store_true", help="print the summary as one line of JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
