"""How well performance is told: `python -m benchmarks.performance`, or `--quick` for a tenth of it.

Prints the figures of docs/performance.md as Markdown tables, from seeds: how often a change of concept is found, false
alarms of windows without one and of years that are looked at every day, how often intervals hold what they should, and
what a look at a day of a million rows takes. Some minutes on one core. Applicants are those of `applicants`: scores as
a model of ROC AUC 0.78 gives them, and outcomes that follow them.
"""

import argparse
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np

from configs.monitoring import read_monitoring
from monitoring.performance.concept import change, detect
from monitoring.performance.looking import PerformanceLooker
from monitoring.performance.sample import DECLINED, Sample, estimated, realised
from monitoring.records.decision_log import DecisionLog
from monitoring.records.lines import Row
from monitoring.records.log_keys import NO_KEYS
from monitoring.records.outcomes import Outcome, OutcomeStore

SIZES = (50, 200, 500, 2000, 10_000)  # outcomes
FLIPPED = 0.075  # of the outcomes, which costs 0.05 of ROC AUC
MONTH_S, DAY_S = 30 * 86_400.0, 86_400.0
COVERED = ("roc_auc", "ks", "brier", "cost", "event_rate", "calibration_slope")
DAY_ROWS, DAY_OUTCOMES = 1_000_000, 100_000
BATCH_ROWS = 64
CONFIDENCE, LEAST = 0.95, 50


def applicants(rows: int, seed: int, flipped: float = 0.0) -> Sample:
    """Decided rows with their outcomes; a share of the outcomes is flipped."""
    drawn = np.random.default_rng(seed)
    probability = 1 / (1 + np.exp(-drawn.normal(-1.1, 1.25, rows)))
    event = (drawn.random(rows) < probability) ^ (drawn.random(rows) < flipped)
    declined = probability >= 1 / 6
    decision = np.where(declined, DECLINED, 0).astype(np.int8)
    return Sample(probability, decision, declined, np.full(rows, 5.0), np.ones(rows), event.astype(np.float64))


def alarms(rows: Sample, allowed: float, span_s: float) -> bool:
    """Whether a change of concept is found in rows that were decided evenly over a time."""
    found = detect(rows.probability, rows.event, np.linspace(0, span_s, len(rows)))
    return found.p_value < allowed and change(rows.probability, rows.event).matters


def found_in(outcomes: int, flipped: float, windows: int, allowed: float) -> tuple[float, float]:
    """The share of windows of a month in which a change is found, and the mean loss of ROC AUC."""
    found, losses = 0, []
    for seed in range(windows):
        rows = applicants(outcomes, seed, flipped)
        found += alarms(rows, allowed, MONTH_S)
        losses.append(change(rows.probability, rows.event).auc_loss or 0.0)
    return found / windows, float(np.mean(losses))


def false_alarms_of_years(years: int, daily: int, allowed: float) -> int:
    """False alarms of years without a change that are looked at every day from the tenth on."""
    found = 0
    for seed in range(years):
        rows = applicants(365 * daily, 1_000_000 + seed)
        time_s = np.repeat(np.arange(365) * DAY_S, daily)
        for day in range(10, 366):
            end = day * daily
            if detect(rows.probability[:end], rows.event[:end], time_s[:end]).p_value < allowed:
                found += 1
                break
    return found


def coverage(rows: int, windows: int) -> dict[str, tuple[float, float]]:
    """How often the interval of a realised figure holds the truth, and that of an estimate what comes."""
    truth = realised(applicants(1_000_000, 2_000_000), LEAST, CONFIDENCE)
    held = {name: [0, 0] for name in COVERED}
    for seed in range(windows):
        sample = applicants(rows, 3_000_000 + seed)
        came, expected = realised(sample, LEAST, CONFIDENCE), estimated(sample, LEAST, CONFIDENCE)
        for name in COVERED:
            value, ours = truth[name].value or 0.0, came[name]
            held[name][0] += (ours.low or 0.0) <= value <= (ours.high or 0.0)
            if name in expected:
                held[name][1] += (expected[name].low or 0.0) <= (ours.value or 0.0) <= (expected[name].high or 0.0)
    return {name: (one / windows, other / windows) for name, (one, other) in held.items()}


Applicant = msgspec.defstruct("Applicant", [("purpose", str), ("amount", float), ("application_id", str)], gc=False)


def write_day(directory: Path, rows: int, outcomes: int) -> None:
    """A log of a day, in batches as of a busy service, and outcomes of its first rows."""
    sample = applicants(rows, 4_000_000)
    log = DecisionLog(directory, segment_bytes=2**28)
    for start in range(0, rows, BATCH_ROWS):
        log.append(
            "loans:1f",
            [
                Row("http", float(p), "decline" if p >= 1 / 6 else "approve", Applicant("car", 1.0, f"A-{start + at}"))
                for at, p in enumerate(sample.probability[start : start + BATCH_ROWS])
            ],
        )
    log.close()
    yesterday = datetime.now(UTC) - timedelta(days=1)
    with OutcomeStore(msgspec.structs.replace(read_monitoring(), directory=str(directory))) as store:
        for start in range(0, outcomes, 10_000):
            several = sample.event[start : start + 10_000]
            store.keep([Outcome(f"A-{start + at}", bool(one), yesterday) for at, one in enumerate(several)])


def looks_at_a_day(rows: int, outcomes: int) -> tuple[float, float, int]:
    """Seconds of processor time of the first look and of the next, and the largest size in MB."""
    with tempfile.TemporaryDirectory() as folder:
        write_day(Path(folder), rows, outcomes)
        settings = msgspec.structs.replace(read_monitoring(), directory=folder)
        taken = []
        looker = PerformanceLooker(settings, NO_KEYS)
        for _ in range(2):
            start_s = time.process_time()
            looker.look()
            taken.append(time.process_time() - start_s)
    return taken[0], taken[1], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main(arguments: list[str] | None = None) -> int:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.performance", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the windows and rows")
    part = 10 if parser.parse_args(arguments).quick else 1
    windows, allowed = 2000 // part, read_monitoring().performance_false_alarms_per_year
    say(f"| outcomes in a month | false alarms of {windows:,} | found, {FLIPPED:.1%} flipped | loss of ROC AUC |")
    say("|---|---|---|---|")
    for size in SIZES:
        wrong, _ = found_in(size, 0.0, windows, allowed)
        right, loss = found_in(size, FLIPPED, windows // 4, allowed)
        say(f"| {size:,} | {wrong:.2%} | {right:.1%} | {loss:.3f} |")
    years = 40 // part
    for daily in (3, 30):
        found = false_alarms_of_years(years, daily, allowed)
        say(f"\n{found} false alarms in {years} years of {daily} outcomes a day, looked at every day")
    say(f"\n| interval of {CONFIDENCE:.0%}, 600 rows | holds the truth | holds what comes |")
    say("|---|---|---|")
    for name, (truth, comes) in coverage(600, windows // 4).items():
        say(f"| {name} | {truth:.1%} | {f'{comes:.1%}' if comes else ''} |")
    first, again, size = looks_at_a_day(DAY_ROWS // part, DAY_OUTCOMES // part)
    say(f"\n{DAY_ROWS // part:,} rows: first look {first:.1f} s of processor time, next {again:.1f} s, {size} MB")
    return 0


def say(line: str, end: str = "\n") -> None:
    """Print at once: a table takes a minute."""
    sys.stdout.write(f"{line}{end}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
