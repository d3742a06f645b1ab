"""A table of applications with dates, customers and weights, drawn by outcome: small, and true by construction."""

import csv
from pathlib import Path

import numpy as np

PRIOR = 0.05
FILE = """\
name: dated
source: {{path: {table}, time: applied, group: customer, weight: counts}}
target: {{column: outcome, event: late, non_event: [paid]{target}}}
costs: {{missed_event: 10, false_alarm: 1}}
prior: {prior}
features:
  - {{name: income, type: number, minimum: -10, maximum: 10}}
  - {{name: home, type: categorical, categories: [own, rent]}}
"""


def rows(count: int = 1200, months: int = 20, seed: int = 0) -> list[dict[str, str]]:
    """Applications of some 60 a month from January 2022 on; every other customer applies twice or more."""
    drawn = np.random.default_rng(seed)
    income = drawn.normal(size=count).round(6)
    home = drawn.integers(0, 2, count)
    late = drawn.random(count) < 1 / (1 + np.exp(-(-1 - 1.5 * income + 0.5 * home)))
    month = np.arange(count) * months // count
    customer = drawn.integers(0, count * 2 // 3, count)
    return [
        {
            "applied": f"{2022 + month[row] // 12}-{month[row] % 12 + 1:02}-{drawn.integers(1, 28):02}",
            "customer": f"C{customer[row]}",
            "counts": str(1 + row % 3),
            "income": str(income[row]),
            "home": ["own", "rent"][home[row]],
            "outcome": "late" if late[row] else "paid",
        }
        for row in range(count)
    ]


def write(home: Path, applications: list[dict[str, str]], prior: float = PRIOR, target: str = "") -> Path:
    """The table and its dataset file in `home`; gives the file."""
    with (home / "dated.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, applications[0])
        writer.writeheader()
        writer.writerows(applications)
    path = home / "dated.yaml"
    path.write_text(FILE.format(table=home / "dated.csv", prior=prior, target=target))
    return path
