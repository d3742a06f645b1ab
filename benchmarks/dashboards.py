"""Pictures of the Grafana dashboards, from their own queries: `python -m benchmarks.dashboards --out DIR`.

Asks a running Prometheus what each panel of `monitoring/grafana/dashboards` asks, over the last `--minutes`, and draws
one SVG per dashboard: lines over time, bars and numbers for now. Not as Grafana draws, but its panels, places and data.
"""

import argparse
import json
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
LABELS = 4  # columns of the grid that the names of bars take
POINTS, MOST_SERIES = 120, 8
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


def draw(axes: Axes, panel: dict[str, Any], series: Series) -> None:
    """Draw one panel."""
    axes.set_title(panel["title"], fontsize=8, loc="left")
    known = [one for one in series if np.isfinite(one[2]).any()]
    if panel["type"] == "timeseries":
        for (legend, times, values), colour in zip(known, COLOURS, strict=False):
            axes.plot(times / 60, values, color=colour, linewidth=1.1, label=legend or None)
        if any(legend for legend, _, _ in known):
            axes.legend(fontsize=5, frameon=False, loc="upper left", ncols=2)
        axes.tick_params(labelsize=6)
        axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
        return
    last = sorted(((values[np.isfinite(values)][-1], legend) for legend, _, values in known), reverse=True)
    if panel["type"] == "stat":
        axes.axis("off")
        axes.text(0.5, 0.4, f"{last[0][0]:.3g}" if last else "no data", ha="center", va="center", fontsize=17)
        return
    shown = last[: 3 * MOST_SERIES][::-1]
    axes.barh([legend for _, legend in shown], [value for value, _ in shown], color=COLOURS[0])
    axes.tick_params(labelsize=5)


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
        figure.suptitle(board["title"], fontsize=10)
        figure.savefig(path, metadata={"Date": None})


def main(arguments: list[str] | None = None) -> None:
    """Read the arguments, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090", metavar="URL")
    parser.add_argument("--out", type=Path, default=Path("var/dashboards"), metavar="DIR")
    parser.add_argument("--minutes", type=float, default=60.0, metavar="N")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    for path in sorted(DASHBOARDS.glob("*.json")):
        target = options.out / f"{path.stem}.svg"
        try:
            picture(json.loads(path.read_text()), options.prometheus, options.minutes, target)
        except OSError as error:
            sys.exit(f"{options.prometheus} cannot be asked ({error}); give its address with --prometheus")
        print(target)


if __name__ == "__main__":
    main()
