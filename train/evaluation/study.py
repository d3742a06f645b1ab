"""One recipe on many tables: a model file against every opponent, on the same protocol, and who is ahead of whom.

Owns the protocol, the ranks and the tests. Leaves fitting to `train.evaluation.cross_validation`, the opponents to
`train.opponents`, and the page to `train.evaluation.study_page`. A small table is judged by ten folds, drawn again
while that is cheap; a large one by a tenth of its rows, which are enough. Differences are paired: over folds that
overlap by Nadeau and Bengio (2003), over the rows of a single part by DeLong (1988) and a test of each row's loss.
"""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy import stats

from configs.dataset import read_dataset
from models.artifact import content_version
from models.schema import Schema
from train.check import check
from train.console import Console
from train.evaluation import openings
from train.evaluation.candidates import Candidate
from train.evaluation.cross_validation import Folds, cross_validate, interval
from train.evaluation.folding import Plan, plan
from train.evaluation.paired import roc_auc_gain
from train.stakes import Stakes, stakes_of
from train.tables.table import Table
from train.version import data_sha256
from train.workspace import HOME

FOLDS = 10
SMALL, LARGE = 2_000, 50_000  # rows up to which folds are drawn again, and from which one of them is enough
METRICS = {"roc_auc": 1, "brier": -1, "cost": -1}  # and the sign of what is better
ERROR = 0.05  # of a family: one metric on one table


class Standing(Struct, frozen=True):
    """One candidate in one metric on one table.

    Attributes:
        value: the mean over the folds.
        ahead: by how much ours is better, in the metric's unit; 0 for ours.
        p_value: that there is no difference, corrected for the number of opponents by Holm (1979); 1 for ours.
    """

    value: float
    ahead: float
    p_value: float

    @property
    def verdict(self) -> int:
        """1 where ours is significantly better, -1 where it is significantly worse, else 0."""
        return int(np.sign(self.ahead)) if self.p_value < ERROR else 0


class TableResult(Struct, frozen=True):
    """What was found on one table: by metric, then by candidate."""

    table: str
    rows: int
    events: int
    folds: int
    standings: dict[str, dict[str, Standing]]
    settings: str = ""  # digest of what decides it


def study(
    files: list[Path], ours: str, candidates: Mapping[str, Candidate], repeats: int, settings: bytes, console: Console
) -> list[TableResult]:
    """Compare all candidates on the tables of all dataset files.

    Each result is kept in `var/train/<dataset>/`, and not sought again while nothing has changed that decides it: a
    study takes hours, and goes on where it was stopped.

    Args:
        files: dataset files.
        ours: the candidate that all others are compared with.
        candidates: by name.
        repeats: how often the folds of a small table are drawn.
        settings: what decides a result beside the table: the model file, the code.
        console: shows the progress.
    """
    results = []
    for file in files:
        dataset = read_dataset(file)
        path = HOME / dataset.name / "study.json"
        decides = [settings, msgspec.json.encode([repeats, sorted(candidates)]), msgspec.json.encode(dataset)]
        digest = content_version([*decides, data_sha256(dataset).encode()])
        if (kept := _kept(path, digest)) is not None:
            console.print(f"kept      the result of {dataset.name}")
            results.append(kept)
            continue
        table, schema = check(dataset, FOLDS), Schema(dataset)
        openings.record(HOME / dataset.name, table.target, "study", f"{ours} and its opponents on all rows")
        planned = protocol(table, repeats, dataset.prior)
        folds = planned.folds
        named = {name: (schema, candidate) for name, candidate in candidates.items()}
        with console.progress(dataset.name, len(folds)) as advance:
            workers = min(len(folds), os.cpu_count() or 1)
            found = cross_validate(named, table, folds, partial(advance, "folds"), workers)
        stakes = stakes_of(dataset, table.arrays)
        standings = {metric: compared(found, ours, metric, planned, table.target, stakes) for metric in METRICS}
        result = TableResult(dataset.name, len(table.target), int(table.target.sum()), len(folds), standings, digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(result)))
        results.append(result)
    return results


def _kept(path: Path, digest: str) -> TableResult | None:
    """The result of an earlier run, if the same was compared."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=TableResult)
    except (OSError, msgspec.DecodeError):
        return None
    return found if found.settings == digest else None


def protocol(table: Table, repeats: int, prior: float | None = None) -> Plan:
    """The folds on which a table is judged: all of them where rows are not alike, by date, customer, weight or prior.

    >>> [len(protocol(Table({}, np.arange(rows) % 2), 3).folds) for rows in (1_000, 10_000, 100_000)]
    [30, 10, 1]
    """
    rows = len(table.target)
    planned = plan(table, FOLDS, repeats if rows <= SMALL else 1)
    alike = prior is None and not (len(table.time) or len(table.group) or len(table.weight))
    return Plan(planned.folds[:1], planned.a_repeat) if rows > LARGE and alike else planned


def compared(
    found: Mapping[str, Folds], ours: str, metric: str, planned: Plan, target: NDArray[np.int64], stakes: Stakes
) -> dict[str, Standing]:
    """Every candidate in one metric, beside `ours`."""
    differences = {
        name: _difference(found[ours], one, metric, planned, target, stakes)
        for name, one in found.items()
        if name != ours
    }
    corrected = holm({name: difference.p_value for name, difference in differences.items()})
    values = {name: float(one.values(metric).mean()) for name, one in found.items()}
    return {
        name: Standing(value, *((differences[name].ahead, corrected[name]) if name != ours else (0.0, 1.0)))
        for name, value in values.items()
    }


class _Difference(NamedTuple):
    ahead: float
    p_value: float


def _difference(
    ours: Folds, theirs: Folds, metric: str, planned: Plan, target: NDArray[np.int64], stakes: Stakes
) -> _Difference:
    sign = METRICS[metric]
    if len(planned.folds) > 1:
        estimate, p_value = interval(sign * (ours.values(metric) - theirs.values(metric)), planned.a_repeat, 0.9)
        return _Difference(estimate.value, p_value)
    rows = planned.folds[0][1]
    outcome, mine, other = target[rows], ours.by_repeat[0][rows], theirs.by_repeat[0][rows]
    if metric == "roc_auc":
        gain = roc_auc_gain(outcome, mine, other, 0.9)
        spread = (gain.high - gain.value) / stats.norm.ppf(0.95)
        return _Difference(gain.value, float(2 * stats.norm.sf(abs(gain.value) / spread)) if spread else 1.0)
    own = stakes.rows(rows)
    saved = _losses(outcome, other, metric, own) - _losses(outcome, mine, metric, own)
    spread = float(saved.std(ddof=1)) / np.sqrt(len(saved))
    ahead = float(saved.mean())
    return _Difference(ahead, float(2 * stats.norm.sf(abs(ahead) / spread)) if spread else 1.0)


def _losses(
    outcome: NDArray[np.int64], probability: NDArray[np.float64], metric: str, stakes: Stakes
) -> NDArray[np.float64]:
    """What each row adds to a metric, `[rows]`."""
    if metric == "brier":
        return (probability - outcome) ** 2
    declined = stakes.declined(probability)
    return np.where(declined, stakes.false_alarm * (1.0 - outcome), stakes.missed_event * outcome)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Each p value, corrected so that all are right together with the same error (Holm, 1979).

    >>> holm({"a": 0.01, "b": 0.04, "c": 0.03})
    {'a': 0.03, 'c': 0.06, 'b': 0.06}
    """
    corrected, worst = {}, 0.0
    for place, (name, p_value) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        worst = max(worst, min(1.0, p_value * (len(p_values) - place)))
        corrected[name] = worst
    return corrected


def mean_ranks(results: list[TableResult]) -> dict[str, dict[str, float]]:
    """By candidate and metric, the mean over the tables of its rank, from 1, the best; equals share theirs."""
    names = list(results[0].standings["roc_auc"])
    ranks = {
        metric: np.mean(
            [stats.rankdata([-sign * result.standings[metric][name].value for name in names]) for result in results],
            axis=0,
        )
        for metric, sign in METRICS.items()
    }
    return {name: {metric: float(ranks[metric][place]) for metric in METRICS} for place, name in enumerate(names)}
