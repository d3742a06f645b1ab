"""The search: every variant on the same folds of the training part, at several thresholds, beside the model as it is.

Owns which figures an option has, and writes `alternatives.json`. Chooses nothing. A threshold is the same for
everybody: one for each group would treat applicants differently for what they are (15 U.S.C. 1691(a)). The test part
stays closed: what a person chooses is trained, and the gates judge it there.
"""

from collections.abc import Sequence
from functools import partial

import msgspec
import numpy as np
from numpy.typing import NDArray

from configs.dataset import Dataset
from models.schema import Schema
from train.alternatives.frontier import frontier, judged, resampled_ratios
from train.alternatives.proxies import association
from train.alternatives.results import Option, Ratio, Search
from train.alternatives.variants import Variant, variants
from train.console import Console
from train.errors import PipelineError
from train.evaluate import mean_cost
from train.evaluation.candidates import network
from train.evaluation.cross_validation import Fold, Folds, cross_validate, interval
from train.evaluation.estimate import percentile_estimate
from train.evaluation.evidence import sample
from train.evaluation.fairness import audit_groups, audits_of
from train.evaluation.folding import Plan, plan
from train.population import mean_of, row_weights
from train.stakes import stakes_of
from train.tables.table import Table
from train.version import data_sha256, evidence_settings
from train.workspace import Workspace

FILE = "alternatives.json"
ODDS = (1.0, 1 / 1.5, 1 / 1.25, 1.25, 1.5)  # of the threshold, times those that the costs imply, which come first

Members = dict[str, NDArray[np.object_]]


def search(workspace: Workspace, within: float, console: Console) -> Search:
    """Look at every variant, and write what came of it; some minutes.

    Args:
        workspace: its model file is where the search starts.
        within: share of the cheapest cost that an option may cost more.
        console: shows the progress.
    """
    dataset, gates, table = workspace.dataset, workspace.gates, sample(workspace.parts[0])
    if workspace.config.scorecard:
        raise PipelineError(f"{workspace.model_path}: a search varies networks, and this is a scorecard; give another")
    if dataset.threshold is None:
        raise PipelineError(
            f"{workspace.dataset_path}: costs of each applicant make a threshold of their own for each, and a search "
            "compares thresholds for everybody; give costs as two numbers"
        )
    members = comparable(dataset, table, gates.fairness.least_rows)
    if not members:
        raise PipelineError(
            f"no audit has two groups of {gates.fairness.least_rows} rows, so there are no approval ratios to compare; "
            f"name groups under audit in {workspace.dataset_path}, or add rows"
        )
    looked_at = variants(workspace.config, proxies(workspace.schema, table, members))
    planned = plan(table, gates.folds, gates.repeats)
    candidates = {one.what: (Schema(without(dataset, one.dropped)), partial(network, one.config)) for one in looked_at}
    with console.progress("searching", len(planned.folds)) as advance:
        found = cross_validate(candidates, table, planned.folds, lambda: advance(f"of {len(candidates)} models"))
    options = options_of(workspace, dataset.threshold, looked_at, found, table, planned, members)
    on = frontier([one.cost for one in options], [[r.ratio.value for r in one.ratios] for one in options], within)
    result = Search(
        settings=evidence_settings(dataset, workspace.config, workspace.baseline, gates),
        data_sha256=data_sha256(dataset),
        rows=int((~np.isnan(found[looked_at[0].what].held_out)).sum()),
        folds=len(planned.folds) // len(found[looked_at[0].what].by_repeat),
        repeats=len(found[looked_at[0].what].by_repeat),
        confidence=gates.confidence,
        within=within,
        options=[msgspec.structs.replace(one, frontier=is_on) for one, is_on in zip(options, on, strict=True)],
    )
    workspace.write_json(FILE, result)
    return result


def comparable(dataset: Dataset, table: Table, least_rows: int) -> Members:
    """The group of each row by audit, of the audits that have two groups with enough rows."""
    found = {audit.column: audit_groups(audit, table.columns[audit.column]) for audit in audits_of(dataset, table)}
    return {column: member for column, member in found.items() if len(judged(member, least_rows)) > 1}


def proxies(schema: Schema, table: Table, members: Members) -> list[str]:
    """The inputs, those first that tell most of the groups of some audit; one is always left."""
    arrays = table.arrays
    told = {
        feature.name: max((association(member, arrays[feature.name]) for member in members.values()), default=0.0)
        for feature in schema.inputs
    }
    return sorted(told, key=lambda name: -told[name])[: len(told) - 1]


def without(dataset: Dataset, dropped: Sequence[str]) -> Dataset:
    """The dataset file without some features."""
    features = tuple(feature for feature in dataset.features if feature.name not in dropped)
    return msgspec.structs.replace(dataset, features=features)


def options_of(
    workspace: Workspace,
    threshold: float,
    looked_at: Sequence[Variant],
    found: dict[str, Folds],
    table: Table,
    planned: Plan,
    members: Members,
) -> list[Option]:
    """Every variant at every threshold around that of the costs; the first is the model as it is."""
    dataset, gates = workspace.dataset, workspace.gates
    implied = threshold / (1 - threshold)
    thresholds = [implied * times / (1 + implied * times) for times in ODDS]
    pairs = [(one, own) for one in looked_at for own in thresholds]
    known = np.flatnonzero(~np.isnan(found[looked_at[0].what].held_out))  # a walk forward only learns from the first
    measured = table.rows(known)
    approved = np.array([found[one.what].held_out[known] < own for one, own in pairs])
    counts, least = row_weights(measured.target, measured.weight, dataset.prior), gates.fairness.least_rows
    resampled = {
        column: resampled_ratios(member[known], approved, least, gates.bootstrap, counts, measured.group)
        for column, member in members.items()
        if len(judged(member[known], least)) > 1
    }
    costs = [costs_by_fold(dataset, found[one.what], table, planned.folds, own) for one, own in pairs]
    options = []
    for place, (one, own) in enumerate(pairs):
        ratios = [
            Ratio(
                column,
                percentile_estimate(float(values[place]), drawn[:, place], gates.confidence),
                percentile_estimate(float(values[place] - values[0]), drawn[:, place] - drawn[:, 0], gates.confidence),
            )
            for column, (values, drawn) in resampled.items()
        ]
        options.append(
            Option(
                name=f"a{place:02}",
                what=one.what if own == thresholds[0] else f"{one.what}, threshold {own:.4f}",
                config=one.config,
                dropped=one.dropped,
                threshold=own,
                approved=mean_of(approved[place], counts),
                cost=float(costs[place].mean()),
                change=interval(costs[place] - costs[0], planned.a_repeat, gates.confidence)[0],
                ratios=ratios,
            )
        )
    return options


def costs_by_fold(
    dataset: Dataset, found: Folds, table: Table, folds: Sequence[Fold], threshold: float
) -> NDArray[np.float64]:
    """The cost per applicant of each fold, `[folds * repeats]`, in their order."""
    per_repeat = len(folds) // len(found.by_repeat)
    costs = []
    for place, (_, test) in enumerate(folds):
        rows = table.rows(test)
        declined = found.by_repeat[place // per_repeat][test] >= threshold
        counts = row_weights(rows.target, rows.weight, dataset.prior)
        costs.append(mean_cost(rows.target, declined, stakes_of(dataset, rows.arrays), counts))
    return np.array(costs)
