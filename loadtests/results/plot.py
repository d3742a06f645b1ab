"""The plot of a run: users, requests per second and latencies over time, and for a breakpoint its steps."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from loadtests.counting.latencies import percentile_ms
from loadtests.counting.ledger import Ledger
from loadtests.mix import CLASSES
from loadtests.results.record import Record

WIDTH_IN, HEIGHT_IN, DPI = 9, 8, 110
COLOURS = dict(zip(CLASSES, ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56565a"), strict=True))  # Okabe and Ito's


def plot(record: Record, path: Path) -> None:
    """Write the plot as PNG."""
    ledger, end = record.ledger, max(1, int(record.run_s // record.ledger.slice_s))
    if record.steps:
        end = max(record.ledger.users, default=0) + 1
    seconds = [number * ledger.slice_s for number in range(end)]
    with mpl.rc_context({"axes.spines.top": False, "axes.spines.right": False, "font.size": 9}):
        figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), layout="constrained")
        users, rate, latency = figure.subplots(3, 1, sharex=True, height_ratios=(1, 2, 3))
        counts = [sum(ledger.users.get(number, {}).values()) for number in range(end)]
        users.step(seconds, counts, where="post", color="black")
        users.set(ylabel="users", ylim=(0, None))
        for name in record.measured:
            answered = [_rate(ledger, name, number) for number in range(end)]
            rate.plot(seconds, answered, color=COLOURS[name], label=name, linewidth=1.2)
            for share, style in ((0.5, "-"), (0.95, ":")):
                series = [
                    percentile_ms(ledger.total([name], number, number + 1).latencies, share) for number in range(end)
                ]
                found = [(at_s, value) for at_s, value in zip(seconds, series, strict=True) if value is not None]
                latency.plot(*zip(*found, strict=True), style, color=COLOURS[name], linewidth=1.2) if found else None
        rate.set(ylabel="requests answered per s", ylim=(0, None))
        rate.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(record.measured), frameon=False)
        latency.set(ylabel="latency, ms\n(line: p50, dots: p95)", xlabel="seconds", yscale="log")
        latency.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        latency.grid(visible=True, which="major", color="#dddddd")
        figure.suptitle(
            f"{record.model}, {record.shape}, {record.users} users: {'passed' if record.passed else 'missed'}"
        )
        figure.savefig(path, dpi=DPI, metadata={"Software": None})


def _rate(ledger: Ledger, name: str, number: int) -> float:
    return ledger.total([name], number, number + 1).answered / ledger.slice_s
