"""Pictures of the Grafana dashboards, from their own queries: `python -m benchmarks.dashboards --out DIR`.

Asks a running Prometheus what each panel of `monitoring/grafana/dashboards` asks, over the last `--minutes`, and draws
one SVG, or PNG, per dashboard: lines over time, bars and numbers for now. Not as Grafana draws, but its panels, places
and data.
"""

import argparse
import json
import math
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

ROOT = Path(__file__).parents[1]
DASHBOARDS = ROOT / "monitoring/grafana/dashboards"
COLUMNS, COLUMN_IN, ROW_IN = 24, 0.5, 0.3  # of Grafana's grid, inches
HEAD, TITLE = 2, 2.6  # rows of the grid that the dashboard's title takes, and a panel's title and axis
LABELS = 5  # columns of the grid that the names of bars take
POINTS, MOST_SERIES, MOST_BARS = 120, 8, 16
LEGEND = 0.16  # of the height of a panel, for each line of its legend
SECONDS = (("s", 1.0), ("ms", 1e3), ("µs", 1e6))
RATES = ("reqps",)
VARIABLES = {"$__rate_interval": "1m", "$model": ".*"}
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999933", "#56565a")

Series = list[tuple[str, np.ndarray, np.ndarray]]  # legend, times in seconds, values


def ask(prometheus: str, query: str, legend: str, minutes: float) -> Series:
    """The series of a query over the last minutes, each with its legend."""
    for name, value in VARIABLES.items():
        query = query.replace(name, value)
    end = time.time()
    start, step = end - minutes * 60, max(1.0, minutes * 60 / POINTS)
    arguments = urllib.parse.urlencode({"query": query, "start": start, "end": end, "step": step})
    with urllib.request.urlopen(f"{prometheus}/api/v1/query_range?{arguments}", timeout=60) as response:
        found = json.load(response)["data"]["result"]
    series = []
    for one in found:
        text = legend
        for name, value in one["metric"].items():
            text = text.replace("{{" + name + "}}", value)
        points = np.array([[float(at), float(value)] for at, value in one["values"]])
        series.append((text, points[:, 0] - end, points[:, 1]))
    return series


def spoken(value: float, unit: str) -> str:
    """A number as Grafana shows it in a unit.

    >>> [spoken(0.00012, "s"), spoken(0.25, "percentunit"), spoken(6640, "short"), spoken(30.84, "reqps")]
    ['120 µs', '25%', '6,640', '30.8/s']
    """
    if unit == "s":
        name, factor = next(((name, f) for name, f in SECONDS if abs(value) >= 1 / f), SECONDS[-1])
        return f"{value * factor:.3g} {name}" if value else "0"
    if unit == "percentunit":
        return f"{value * 100:.3g}%"
    rate = "/s" if unit in RATES else ""
    return (f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}") + rate


def draw(axes: Axes, panel: dict[str, Any], series: Series) -> None:
    """Draw one panel."""
    axes.set_title(panel["title"], fontsize=10, loc="left")
    unit = panel["fieldConfig"]["defaults"].get("unit", "short")
    known = [one for one in series if np.isfinite(one[2]).any()]
    if not known:
        axes.axis("off")
        axes.text(0.5, 0.5, "no data", ha="center", va="center", fontsize=12, color="#767676")
        return
    if panel["type"] == "timeseries":
        shown = [one for one in known if np.nanmax(np.abs(one[2])) > 0] or known[:1]  # a line at 0 says nothing
        for (legend, times, values), colour in zip(shown, COLOURS, strict=False):
            axes.plot(times / 60, values, color=colour, linewidth=1.4, label=legend or None)
        axes.set_ylim(min(0, axes.get_ylim()[0]), axes.get_ylim()[1])
        if any(legend for legend, _, _ in shown):
            rows = math.ceil(min(len(shown), MOST_SERIES) / 2)
            axes.set_ylim(top=axes.get_ylim()[1] * (1 + LEGEND * rows))
            axes.legend(fontsize=7, frameon=False, loc="upper left", ncols=2)
        axes.tick_params(labelsize=8)
        axes.xaxis.set_major_formatter(lambda minute, _: f"{minute:g} min" if minute else "now")
        axes.yaxis.set_major_formatter(lambda value, _: spoken(value, unit))
        return
    last = sorted(((values[np.isfinite(values)][-1], legend) for legend, _, values in known), reverse=True)
    if panel["type"] == "stat":
        axes.axis("off")
        axes.text(0, 0.4, spoken(last[0][0], unit), ha="left", va="center", fontsize=18)
        return
    bars = last[:MOST_BARS][::-1]
    axes.barh([legend for _, legend in bars], [value for value, _ in bars], color=COLOURS[0])
    axes.xaxis.set_major_formatter(lambda value, _: spoken(value, unit))
    axes.tick_params(labelsize=7)


def place_of(panel: dict[str, Any], height: int) -> tuple[float, float, float, float]:
    """Left, bottom, width and height of a panel's axes, as shares of a figure of `height` rows.

    >>> place = {"gridPos": {"x": 12, "y": 0, "w": 12, "h": 8}, "type": "timeseries"}
    >>> [round(one, 3) for one in place_of(place, 20)]
    [0.542, 0.55, 0.442, 0.27]
    """
    x, y, w, h = (panel["gridPos"][name] for name in ("x", "y", "w", "h"))
    words = LABELS if panel["type"] == "bargauge" else 1
    bottom = height - HEAD - y - h + 1
    return (x + words) / COLUMNS, bottom / height, (w - words - 0.4) / COLUMNS, (h - TITLE) / height


def picture(board: dict[str, Any], prometheus: str, minutes: float, path: Path) -> None:
    """Write the picture of one dashboard."""
    height = HEAD + max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    with mpl.rc_context({"axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "dashboards"}):
        figure = Figure(figsize=(COLUMNS * COLUMN_IN, height * ROW_IN))
        for panel in board["panels"]:
            series: Series = []
            for target in panel["targets"]:
                series += ask(prometheus, target["expr"], target.get("legendFormat", ""), minutes)
            draw(figure.add_axes(place_of(panel, height)), panel, series)
        figure.suptitle(board["title"], fontsize=13)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def main(arguments: list[str] | None = None) -> None:
    """Read the arguments, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090", metavar="URL")
    parser.add_argument("--out", type=Path, default=Path("var/dashboards"), metavar="DIR")
    parser.add_argument("--minutes", type=float, default=60.0, metavar="N")
    parser.add_argument("--kind", choices=("svg", "png"), default="svg")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    for path in sorted(DASHBOARDS.glob("*.json")):
        target = options.out / f"{path.stem}.{options.kind}"
        try:
            picture(json.loads(path.read_text()), options.prometheus, options.minutes, target)
        except OSError as error:
            sys.exit(f"{options.prometheus} cannot be asked ({error}); give its address with --prometheus")
        print(target)


if __name__ == "__main__":
    main()
