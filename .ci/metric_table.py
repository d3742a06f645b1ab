"""The metrics of two trainings as a Markdown table: `python .ci/metric_table.py <folder of the base> <folder>`.

Each folder is searched for `metrics.json`, as DVC's stages write them. Owns the comparison only; no figure is judged
here, that is what gates do.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def flat(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Numbers by their dotted names.

    >>> flat({"roc_auc": {"value": 0.8, "low": 0.7}, "rows": 200, "name": "x"})
    {'roc_auc.value': 0.8, 'roc_auc.low': 0.7, 'rows': 200}
    """
    found: dict[str, float] = {}
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[prefix + name] = value
    return found


def read(folder: Path) -> dict[tuple[str, str], float]:
    """Every metric under a folder, by the training that it is of and its name."""
    return {
        (path.parent.relative_to(folder).as_posix(), name): value
        for path in sorted(folder.glob("**/metrics.json"))
        for name, value in flat(json.loads(path.read_text(encoding="utf-8"))).items()
    }


def table(base: Mapping[tuple[str, str], float], here: Mapping[tuple[str, str], float]) -> str:
    """The table: what differs line by line, what does not in one sentence.

    >>> print(table({("a/b", "cost"): 0.5, ("a/b", "rows"): 200}, {("a/b", "cost"): 0.52, ("a/b", "rows"): 200}))
    | training | metric | base | here | change |
    |---|---|---:|---:|---:|
    | a/b | cost | 0.5 | 0.52 | +0.02 |
    <BLANKLINE>
    1 of 2 metrics unchanged.
    """
    names = sorted(base.keys() | here.keys())
    changed = [name for name in names if base.get(name) != here.get(name)]
    lines = ["| training | metric | base | here | change |", "|---|---|---:|---:|---:|"] if changed else []
    for name in changed:
        before, after = base.get(name), here.get(name)
        change = f"{after - before:+.5g}" if before is not None and after is not None else ""
        lines.append(f"| {name[0]} | {name[1]} | {shown(before)} | {shown(after)} | {change} |")
    return "\n".join([*lines, *[""][: len(lines)], f"{len(names) - len(changed)} of {len(names)} metrics unchanged."])


def shown(value: float | None) -> str:
    """A value for people, or a dash where there is none."""
    return "-" if value is None else f"{value:.5g}"


def main(arguments: list[str]) -> int:
    """Print the table of two folders."""
    base, here = (read(Path(argument)) for argument in arguments)
    if not here:
        print(f"{arguments[1]} has no metrics.json: train first, make repro", file=sys.stderr)
        return 1
    print(f"### Metrics\n\n{table(base, here)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
