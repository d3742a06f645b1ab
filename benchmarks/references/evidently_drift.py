"""Evidently's drift detection, as it comes, in an environment of its own: `evidently_drift.py REFERENCE WINDOWS ROWS`.

REFERENCE and WINDOWS are CSV files; each ROWS rows of WINDOWS are a window. Prints a JSON list: of each window the
columns in which Evidently's preset sees drift, by the method and threshold that it chooses for the column.
"""

import json
import os
import sys
from typing import Any

os.environ["DO_NOT_TRACK"] = "1"

import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset


def drifted(metric: dict[str, Any]) -> bool:
    """Whether a column's value is beyond its threshold: a p-value below it, a distance above it."""
    config, value = metric["config"], metric["value"]
    below = "p_value" in str(config["method"])
    return bool((value < config["threshold"]) == below)


def main() -> None:
    """Judge every window."""
    reference, windows = (pd.read_csv(path, keep_default_na=True) for path in sys.argv[1:3])
    rows, found = int(sys.argv[3]), []
    for begin in range(0, len(windows), rows):
        window = windows.iloc[begin : begin + rows].reset_index(drop=True)
        metrics = Report([DataDriftPreset()]).run(window, reference).dict()["metrics"]
        columns = [one for one in metrics if one["config"]["type"] == "evidently:metric_v2:ValueDrift"]
        found.append([one["config"]["column"] for one in columns if drifted(one)])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
