"""Drift detection beside Evidently's and NannyML's, on the same windows: `python -m benchmarks.drift_rivals [--quick]`.

Prints a Markdown table, from seeds. Each of the two runs as it comes, in an environment of its own (`.venv-evidently`,
`.venv-nannyml`), and judges rows; ours judges the exact counts of the same rows. Of a window is counted whether any
column alarms. Windows are those of `benchmarks.drift_windows`; the shifted column changes from window to window.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.drift_windows import POPULATION_ROWS, Shift, draw, reference
from benchmarks.monitoring import counts_of, judged
from configs.monitoring import read_monitoring

ROOT = Path(__file__).parents[1]
REFERENCE_ROWS, REFERENCE = 2_000, 90_000_000
QUIET, SHIFTED = 91_000_000, 92_000_000  # numbers of the first windows
SIZES = (200, 500)
PSI = 0.25
WINDOWS = 50  # 2 s each for Evidently

Verdicts = list[list[str]]  # of each window the columns that alarm
Judge = Callable[[pd.DataFrame, int], Verdicts]


def rival(name: str, folder: Path) -> Judge:
    """A judge in the environment `.venv-<name>`; the reference is in `folder`."""

    def judge(windows: pd.DataFrame, rows: int) -> Verdicts:
        windows.to_csv(folder / "windows.csv", index=False)
        program = ROOT / f"benchmarks/references/{name}_drift.py"
        command: list[str | Path] = [ROOT / f".venv-{name}/bin/python", "-W", "ignore", program]
        done = subprocess.run(
            [*command, folder / "reference.csv", folder / "windows.csv", str(rows)], stdout=subprocess.PIPE, check=False
        )
        if done.returncode:
            sys.exit(f"{name} failed: see above")
        found: Verdicts = json.loads(done.stdout)
        return found

    return judge


def ours(windows: pd.DataFrame, rows: int) -> Verdicts:
    """Our own verdicts, on exact counts."""
    against, settings = reference(REFERENCE_ROWS, REFERENCE), read_monitoring()
    found = []
    for begin in range(0, len(windows), rows):
        columns = {str(name): values.to_numpy() for name, values in windows.iloc[begin : begin + rows].items()}
        compared = judged(against, counts_of(against, columns), settings)
        found.append([name for name, one in compared.items() if one.breach])
    return found


def table(windows: int) -> None:
    """Print the table."""
    population = draw(POPULATION_ROWS, REFERENCE + 1)
    shifts = {name: Shift(values, PSI) for name, values in population.items()}
    print(f"Against a reference of {REFERENCE_ROWS:,} rows; {windows} windows each.\n")
    print("| detector | rows of the window | windows without drift that alarm |", end="")
    print(f" a shift of PSI {PSI:g} in one column is found | another column alarms | ms a window |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        pd.DataFrame(draw(REFERENCE_ROWS, REFERENCE)).to_csv(folder / "reference.csv", index=False)
        judges = {"ours": ours, "Evidently": rival("evidently", folder), "NannyML": rival("nannyml", folder)}
        for rows in SIZES:
            quiet = [draw(rows, QUIET + number) for number in range(windows)]
            moved = [list(shifts)[number % len(shifts)] for number in range(windows)]
            shifted = [
                draw(rows, SHIFTED + number) | {name: shifts[name].draw(rows, SHIFTED + number)}
                for number, name in enumerate(moved)
            ]
            for label, judge in judges.items():
                started = time.perf_counter()
                alarms = judge(_joined(quiet), rows)
                found = judge(_joined(shifted), rows)
                ms = (time.perf_counter() - started) / 2 / windows * 1000
                hits = np.mean([name in one for name, one in zip(moved, found, strict=True)])
                others = np.mean([bool(set(one) - {name}) for name, one in zip(moved, found, strict=True)])
                share = np.mean([bool(one) for one in alarms])
                print(f"| {label} | {rows} | {share:.1%} | {hits:.1%} | {others:.1%} | {ms:.0f} |", flush=True)


def _joined(windows: list[dict[str, np.ndarray]]) -> pd.DataFrame:
    return pd.concat([pd.DataFrame(one) for one in windows], ignore_index=True)


def main() -> None:
    """Read the arguments, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the windows")
    table(WINDOWS // 5 if parser.parse_args().quick else WINDOWS)


if __name__ == "__main__":
    main()
