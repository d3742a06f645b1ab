"""The leaderboard: every model file and every opponent on the same repeated folds of the whole table.

`make evaluate` prints it. It selects nothing: the candidates are fixed in advance, and each learns everything,
including its calibration, from the training part of a fold.
"""

import os
from pathlib import Path

import msgspec
import numpy as np

import train.opponents
from configs.model import read_model
from train.calibration import calibrate
from train.check import check
from train.console import Console
from train.evaluate import logit
from train.evaluation import figures, openings, study_page
from train.evaluation import study as study_module
from train.evaluation.cross_validation import Folds, cross_validate, interval
from train.evaluation.folding import plan
from train.evaluation.results import Estimate
from train.opponents.entrants import absent, networks, opponents
from train.population import row_weights
from train.tables.table import Table
from train.version import code_files
from train.workspace import HOME, Workspace

CONFIGS = Path("configs/models")
SHOWN = {"roc_auc": 4, "cost": 3, "brier": 4}  # metric and decimals
FOLDS = 10


def leaderboard(workspace: Workspace, repeats: int, console: Console) -> str:
    """Compare all candidates, save the result in `var/train/<dataset>/`, and return it as a Markdown table.

    Args:
        workspace: its dataset is used, and every model is paired with its model.
        repeats: of ten folds.
        console: shows the progress.
    """
    table = check(workspace.dataset, FOLDS)
    openings.record(HOME / workspace.dataset.name, table.target, "leaderboard", "the model files on all rows")
    planned = plan(table, FOLDS, repeats)
    folds = planned.folds
    say_absent(console)
    entrants = networks(sorted(CONFIGS.glob("*.yaml"))) | opponents()
    candidates = {name: (workspace.schema, candidate) for name, candidate in entrants.items()}
    with console.progress("comparing", len(folds)) as advance:
        found = cross_validate(candidates, table, folds, lambda: advance("folds"), workers=os.cpu_count() or 1)
    confidence, reference = workspace.gates.confidence, workspace.model_path.stem
    rows = {
        name: {metric: interval(one.values(metric), planned.a_repeat, confidence)[0] for metric in SHOWN}
        for name, one in found.items()
    }
    _save(workspace, rows)
    lines = [
        f"{workspace.dataset.name}: {len(folds)} folds, mean and {confidence:.0%} interval, gain against {reference}",
        "",
        "| model | " + " | ".join(SHOWN) + " | calibration slope | gain in ROC AUC, p |",
        "|---|" + "---|" * (len(SHOWN) + 2),
    ]
    for name in sorted(rows, key=lambda name: -rows[name]["roc_auc"].value):
        cells = [_cell(rows[name][metric], digits) for metric, digits in SHOWN.items()]
        cells.append(f"{_slope(found[name], table, workspace.dataset.prior):.2f}")
        paired = _paired(found, name, reference, confidence, planned.a_repeat)
        lines.append(f"| {name} | {' | '.join(cells)} | {paired} |")
    cost = found[reference].values("cost_of_declining_all").mean()
    lines += ["", f"Declining everyone costs {cost:.2f} per applicant."]
    return "\n".join(lines)


def study_of_files(named: list[str], model: Path, repeats: int, plot: Path, console: Console) -> str:
    """Compare a model file with every opponent on many tables, draw `plot`, and return the figures as Markdown.

    Args:
        named: dataset files, or patterns of them.
        model: the model file.
        repeats: how often the folds of a small table are drawn.
        plot: the SVG file to write.
        console: shows the progress.
    """
    files = [path for name in map(Path, named) for path in (sorted(name.parent.glob(name.name)) or [name])]
    say_absent(console)
    code = [*code_files(), Path(study_module.__file__), *sorted(Path(train.opponents.__path__[0]).glob("*.py"))]
    decides = b"".join([msgspec.json.encode(read_model(model)), *(path.read_bytes() for path in code)])
    results = study_module.study(files, model.stem, networks([model]) | opponents(), repeats, decides, console)
    plot.parent.mkdir(parents=True, exist_ok=True)
    plot.write_bytes(figures.svg(study_page.plot(results, model.stem)))
    console.print(f"drawn     {plot}")
    return study_page.markdown(results, model.stem)


def say_absent(console: Console) -> None:
    """Say which opponents are not installed where this runs."""
    if left_out := absent():
        console.print(f"left out  {', '.join(left_out)}: not installed here; make evaluate has them")


def _save(workspace: Workspace, rows: dict[str, dict[str, Estimate]]) -> None:
    folder = HOME / workspace.dataset.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "leaderboard.json").write_bytes(msgspec.json.format(msgspec.json.encode(rows)))
    drawn = figures.leaderboard(list(rows), [row["roc_auc"] for row in rows.values()], "ROC AUC")
    (folder / "leaderboard.png").write_bytes(figures.png(drawn))


def _cell(estimate: Estimate, digits: int) -> str:
    return f"{estimate.value:.{digits}f} ({estimate.low:.{digits}f} to {estimate.high:.{digits}f})"


def _slope(found: Folds, table: Table, prior: float | None) -> float:
    """Calibration slope over all held-out rows, mean over the repeats; in one small fold it is biased upwards."""
    slopes = []
    for probability in found.by_repeat:
        measured = table.rows(np.flatnonzero(~np.isnan(probability)))
        weights = row_weights(measured.target, measured.weight, prior)
        slopes.append(calibrate(logit(probability[~np.isnan(probability)]), measured.target, weights)[0])
    return float(np.mean(slopes))


def _paired(found: dict[str, Folds], name: str, reference: str, confidence: float, a_repeat: float) -> str:
    if name == reference or reference not in found:
        return ""
    difference = found[name].values("roc_auc") - found[reference].values("roc_auc")
    gain, p_value = interval(difference, a_repeat, confidence)
    shown = f"{p_value:.2f}" if p_value >= 0.005 else "< 0.01"
    return f"{gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f}), {shown}"
