"""The comparison with the last run: medians as multiples of the calibration around each of the two.

A slow runner slows the load, its clients and the calibration alike, so the multiples stay. They are compared only
between runs of the same kind on the same kind of machine, and only if the machine kept its speed during both.
"""

from collections.abc import Mapping

from loadtests.objectives import Slo
from loadtests.results.record import Record
from loadtests.verdict import Check, shown

LEAST_ANSWERS = 100  # of a class in both runs: the median of fewer is chance


def compare_runs(now: Record, last: Record | None, slo: Slo) -> list[Check]:
    """A check for each user class of both runs, or one that says why nothing is compared."""
    if reason := why_not(now, last, slo.calibration_change):
        return [Check(subject="comparison", what="last run", word="not judged", note=reason)]
    assert last is not None  # noqa: S101 - `why_not` names that
    checks = []
    for name, ratio in ratios(now, last).items():
        word = "pass" if ratio <= slo.regression else "MISSED"
        note = f"{name}: p50 is {shown(ratio)} times that of {last.time}, calibrated; at most {shown(slo.regression)}"
        checks.append(
            Check(subject="comparison", what=name, measured=ratio, bound=slo.regression, word=word, note=note)  # type: ignore[arg-type] # one of two
        )
    few = f"fewer than {LEAST_ANSWERS} answers of any class"
    return checks or [Check(subject="comparison", what="last run", word="not judged", note=few)]


def ratios(now: Record, last: Record) -> Mapping[str, float]:
    """How many times as long a class takes as it did, both in units of their calibrations."""
    found = {}
    for name, one in now.measured.items():
        other = last.measured.get(name)
        if other is None or min(one.count.answered, other.count.answered) < LEAST_ANSWERS:
            continue
        if one.p50_ms is not None and other.p50_ms is not None:
            found[name] = (one.p50_ms / now.calibration.round_trip_ms) / (other.p50_ms / last.calibration.round_trip_ms)
    return found


def why_not(now: Record, last: Record | None, most_change: float) -> str:
    """Why two runs cannot be compared; empty if they can."""
    if last is None:
        return f"no run of this kind has passed yet on a machine that kept its speed: {now.kind}"
    if not now.on_this_machine:
        return "the service is on another machine, which no calibration here describes"
    if now.calibration.machine != last.calibration.machine:
        return f"{last.time} ran on another machine: {last.calibration.machine}"
    if now.calibration.change > most_change:
        return f"the speed of the machine changed by {now.calibration.change:.0%} during this run"
    return ""
