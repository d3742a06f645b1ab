"""How well drift is found: `python -m benchmarks.monitoring`, or `--quick` for a tenth of it.

Prints the figures of docs/drift.md as Markdown tables, from seeds: false alarms of windows without drift and of a year
of hours that is looked at again and again, how often a shift is found, how near sketches come to the rows, and what a
day of a million rows takes. Some minutes on one core. Windows are those of `benchmarks.drift_windows`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.drift_windows import (
    DATASET,
    MIDNIGHT,
    MODEL,
    POPULATION_ROWS,
    Shift,
    counted,
    draw,
    profile,
    reference,
    write_version,
)
from configs.monitoring import Monitoring, read_monitoring
from monitoring.drift.columns import Counts
from monitoring.drift.comparison import Comparison, compare
from monitoring.drift.references import Reference
from monitoring.drift.sequential import significance
from monitoring.profiles.whylogs_compat import read_sketches, serialize
from monitoring.profiles.windows import profile_path

HOUR_S, HOURS = 3600, 8766  # of a year
LOOKS = 4  # at a window while it fills; each is as many rows more
REFERENCES = (800, 10_000)  # rows
SIZES = (50, 200, 500, 2000)
SHIFT = 0.25  # PSI
DAY_ROWS = 1_000_000


def judged(
    against: Reference, counts: dict[str, Counts], settings: Monitoring, window_s: float = HOUR_S
) -> dict[str, Comparison]:
    """The comparison of each column of a window."""
    alpha = significance(settings.most_false_alarms_per_year, window_s, len(against.layouts))
    return {
        name: compare(against.layouts[name], against.counts[name], counts[name], alpha, settings) for name in counts
    }


def counts_of(against: Reference, drawn: dict[str, np.ndarray]) -> dict[str, Counts]:
    """The exact counts of a window."""
    return {name: counted(layout, drawn[name]) for name, layout in against.layouts.items()}


def false_alarms(rows: int, reference_rows: int, windows: int, settings: Monitoring) -> float:
    """The share of windows without drift in which any column breaches; each 200 have a reference of their own."""
    found = 0
    for number in range(windows):
        if number % 200 == 0:
            against = reference(reference_rows, 10_000_000 + number)
        found += any(one.breach for one in judged(against, counts_of(against, draw(rows, number)), settings).values())
    return found / windows


def a_year(reference_rows: int, hours: int, settings: Monitoring) -> tuple[int, int, float]:
    """Breaches of columns in hours without drift, looked at `LOOKS` times; rows; the smallest `p_value / alpha`."""
    against = reference(reference_rows, 20_000_000 + reference_rows)
    random = np.random.default_rng(reference_rows)
    breaches = rows = 0
    nearest = np.inf
    for hour in range(hours):
        size = LOOKS * int(random.poisson(25 + 100 * np.sin(np.pi * (hour % 24) / 24) ** 2))  # a night, and a day
        drawn = draw(size, 30_000_000 + hour)
        alarmed: set[str] = set()
        for look in range(1, LOOKS + 1):
            part = {name: values[: size * look // LOOKS] for name, values in drawn.items()}
            found = judged(against, counts_of(against, part), settings)
            alarmed |= {name for name, one in found.items() if one.breach}
            nearest = min(nearest, *(one.p_value / one.alpha for one in found.values()))
        breaches, rows = breaches + len(alarmed), rows + size
    return breaches, rows, nearest


def power(rows: int, reference_rows: int, windows: int, settings: Monitoring) -> tuple[float, float, str]:
    """How often a shift of one column is found: in the mean of the columns, in the worst of them, and which that is."""
    population, shares = draw(POPULATION_ROWS, 40_000_000), {}
    against = [reference(reference_rows, 50_000_000 + number) for number in range(min(10, windows))]
    for place, name in enumerate(population):
        shifted, found = Shift(population[name], SHIFT), 0
        for number in range(windows):
            one = against[number % len(against)]
            values = shifted.draw(rows, 60_000_000 + 1000 * place + number)
            found += judged(one, {name: counted(one.layouts[name], values)}, settings)[name].breach
        shares[name] = found / windows
    worst = min(shares, key=shares.__getitem__)
    return float(np.mean(list(shares.values()))), shares[worst], worst


def deviations(rows: int, settings: Monitoring) -> tuple[float, float]:
    """The largest differences of PSI and of KS between sketches and rows in any column, against 10,000 rows."""
    against, drawn = reference(10_000, 70_000_000), draw(rows, 70_000_001)
    sketches = read_sketches(serialize(profile(drawn)))
    sketched = {name: layout.count(sketches[name]) for name, layout in against.layouts.items()}
    pairs = zip(
        judged(against, sketched, settings).values(),
        judged(against, counts_of(against, drawn), settings).values(),
        strict=True,
    )
    differences = [(abs(one.psi - other.psi), abs((one.ks or 0) - (other.ks or 0))) for one, other in pairs]
    return max(psi for psi, _ in differences), max(ks for _, ks in differences)


def write_day(directory: Path, rows: int) -> None:
    """The profiles of a day, and the artifact of the model with its reference."""
    reference_profile = serialize(profile(draw(10_000, 80_000_000)))
    write_version(directory / read_monitoring().models_archive, DATASET, MODEL, reference_profile)
    for hour in range(24):
        start = MIDNIGHT + timedelta(hours=hour)
        path = profile_path(directory / "profiles", MODEL, start)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(serialize(profile(draw(rows // 24, 80_000_001 + hour))))


TIMED = """
import resource, sys, time
started = time.perf_counter()
from monitoring.__main__ import main
code = main(["drift", "--window", "day", "--json"])
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(time.perf_counter() - started, time.process_time(), memory, code, file=sys.stderr)
"""


def a_day(rows: int) -> tuple[float, float, float]:
    """Seconds, those of processor time, and MiB of the command for a day, in a process of its own with its imports."""
    with tempfile.TemporaryDirectory() as folder:
        write_day(Path(folder), rows)
        environment = os.environ | {"SCORER_DIRECTORY": folder}
        done = subprocess.run(
            [sys.executable, "-c", TIMED], env=environment, check=True, capture_output=True, text=True
        )
    seconds, processor, memory, code = done.stderr.split()
    if code != "0" or f'"rows":{rows // 24 * 24}' not in done.stdout:
        sys.exit(f"the day was not looked at: {done.stderr}{done.stdout[:500]}")
    return float(seconds), float(processor), float(memory)


def tables(settings: Monitoring, quick: bool) -> Iterator[str]:
    """The figures, line by line."""
    part = 10 if quick else 1
    columns = len(DATASET.features) + 2
    budget = settings.most_false_alarms_per_year
    yield f"Windows of an hour, {columns} columns; expected false alarms a year: {budget:g} at most.\n"
    heads = ["rows of the window", "of the reference", "windows without drift that breach"]
    heads += [f"a shift of PSI {SHIFT:g} is found: mean of the columns", "worst column"]
    yield f"| {' | '.join(heads)} |"
    yield "|---|---|---|---|---|"
    for reference_rows in REFERENCES:
        for rows in SIZES:
            alarms = false_alarms(rows, reference_rows, 2000 // part, settings)
            mean, worst, name = power(rows, reference_rows, 200 // part, settings)
            yield (
                f"| {rows:,} | {reference_rows:,} | {alarms:.2%} of {2000 // part:,} | {mean:.1%} "
                f"| {worst:.1%} (`{name}`) |"
            )
    yield "\n| a year of hours without drift | rows | breaches | nearest to a breach, p_value / alpha |"
    yield "|---|---|---|---|"
    reference_rows = min(REFERENCES)
    breaches, rows, nearest = a_year(reference_rows, HOURS // part, settings)
    yield f"| reference of {reference_rows:,}, {LOOKS} looks an hour | {rows:,} | {breaches} | {nearest:.1f} |"
    yield "\n| rows of the window | sketches differ from rows: PSI | KS |"
    yield "|---|---|---|"
    for rows in (1000, 10_000, 100_000):
        psi, ks = deviations(rows, settings)
        yield f"| {rows:,} | {psi:.4f} | {ks:.4f} |"
    rows = DAY_ROWS // part
    seconds, processor, memory = a_day(rows)
    yield f"\nA day of {rows:,} rows in 24 profiles: {seconds:.1f} s, {processor:.1f} s on a core, {memory:.0f} MiB."


def main() -> None:
    """Print the tables, and to standard error how long they took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the windows")
    options = parser.parse_args()
    settings = msgspec.structs.replace(read_monitoring())
    started = time.perf_counter()
    for line in tables(settings, options.quick):
        print(line, flush=True)
    print(f"{time.perf_counter() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
