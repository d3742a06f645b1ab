"""Two tables to test on: German Credit, and one made by hand with what German Credit has not."""

import csv
import random
from pathlib import Path

import msgspec

from configs.dataset import Dataset, read_dataset

ROOT = Path(__file__).parents[2]
HAND_MADE = """\
name: hand_made
description: nullable columns, codes that look like numbers, spaces, quotes and letters beyond ASCII
source: {path: applications (new).csv, license: CC0-1.0}
target: {column: "paid back?", event: no}
costs: {missed_event: 3, false_alarm: 1}
features:
  - {name: code, type: categorical, categories: ["1", "2", "01", 1_000, no, null]}
  - {name: Größe der Wohnung, type: number, minimum: 0, maximum: 500, nullable: true, unit: m²}
  - {name: 都市, type: categorical, categories: [東京, são paulo, 'a "quoted", long name', none], nullable: true}
  - {name: children, type: integer, minimum: 0, maximum: 20}
  - {name: balance, type: number}
  - {name: months known, type: integer, minimum: -1, nullable: true}
  - {name: alter, type: integer, minimum: 18, maximum: 120, protected: true}
audit:
  - {column: alter, edges: [25]}
"""


def german_credit() -> Dataset:
    """The shipped dataset file, its table found from any working directory."""
    dataset = read_dataset(ROOT / "configs/datasets/german_credit.yaml")
    source = msgspec.structs.replace(dataset.source, path=str(ROOT / dataset.source.path))
    return msgspec.structs.replace(dataset, source=source)


def write_hand_made(folder: Path, rows: int = 240) -> Path:
    """Write the dataset file and its table into `folder`; gives the dataset file."""
    path = folder / "hand_made.yaml"
    path.write_text(HAND_MADE, encoding="utf-8")
    dataset = read_dataset(path)
    drawn = random.Random(0)
    with (folder / dataset.source.path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["not a feature", *(feature.name for feature in dataset.features), dataset.target.column])
        for row in range(rows):
            size = round(drawn.uniform(20, 200), 1)
            risk = drawn.random() + (0.5 if size < 60 else 0.0)
            writer.writerow(
                [
                    f"row {row}",
                    drawn.choice(dataset.features[0].categories),
                    "" if row % 7 == 0 else size,
                    drawn.choice(["", *dataset.features[2].categories]),
                    drawn.randrange(5),
                    f"{drawn.gauss(0, 1e4):.3e}",
                    "" if row % 5 == 0 else drawn.randrange(-1, 400),
                    drawn.randrange(18, 90),
                    "no" if risk > 0.8 else "yes",
                ]
            )
    return path


def hand_made(folder: Path) -> Dataset:
    """The dataset made by hand, its table in `folder`."""
    dataset = read_dataset(write_hand_made(folder))
    source = msgspec.structs.replace(dataset.source, path=str(folder / dataset.source.path))
    return msgspec.structs.replace(dataset, source=source)
