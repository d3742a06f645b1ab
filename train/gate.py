"""Stage gate: decides whether a model may enter the store.

Owns the verdicts. Leaves the figures to `train.evaluation.evidence`, and the bounds to `configs/gates.yaml`. A gate
fails when the whole interval of its figure lies beyond the bound, and warns when only the value does. A figure that is
undefined, such as a difference from a group without a single event, is not judged, and its gate says so.
"""

import statistics
import time
from functools import partial

import msgspec
import numpy as np
from msgspec import structs

from configs.dataset import Dataset
from configs.gates import Gates, Waiver
from configs.model import ModelConfig
from models import artifact
from models.schema import Schema
from models.scorer import Scorer
from train.errors import PipelineError
from train.evaluation.candidates import network
from train.evaluation.cross_validation import cross_validate, folds_of, interval
from train.evaluation.evidence import sample
from train.evaluation.results import Estimate, Evidence, Status, Unit, Verdict, format_number
from train.fit import fit
from train.network.onnx_graph import build_graph
from train.publishing.store import champion_of_store
from train.tables.table import Table
from train.workspace import Workspace

CALLS = 200  # timed calls of each graph; the two graphs take turns
TIMED_ROWS = (1, 64)


def judge(dataset: Dataset, gates: Gates, evidence: Evidence) -> list[Verdict]:
    """The verdicts on the figures from folds and resampling."""
    low, high = gates.calibration_slope
    ceiling = gates.ceiling(dataset.name)
    verdicts = [
        at_most("no leak: ROC AUC", evidence.roc_auc, ceiling, "look for a column that gives the outcome away"),
        at_least("calibration slope", evidence.calibration_slope, low, "train less, or regularise more"),
        at_most("calibration slope", evidence.calibration_slope, high, "train more, or regularise less"),
        at_least(
            "saving against one decision for all",
            evidence.saving,
            gates.least_saving,
            "check the costs",
        ),
    ]
    if evidence.gain_over_baseline is not None:
        remedy = "publish the simpler model: MODEL=" + gates.baseline
        verdicts.append(
            at_least("gain over the baseline", evidence.gain_over_baseline, gates.least_gain_over_baseline, remedy)
        )
    if evidence.walks:
        worst = max(evidence.walks, key=lambda walk: walk.departure)
        remedy = f"narrow the range of {worst.feature} in the dataset file, or train on rows that fill it"
        verdicts.append(exact("departure at unseen values", worst.departure, gates.most_departure, remedy))
    verdicts += [
        exact(f"monotone, {walk.feature}", walk.against, 0.0, "report a bug: the network cannot do that")
        for walk in evidence.walks
        if walk.against is not None
    ]
    remedy = "use more members, or less dropout, so that a seed changes less"
    verdicts.append(at_least("reasons kept by a retraining", evidence.reasons_kept, gates.least_reasons_kept, remedy))
    for audit in evidence.fairness:
        bounds, remedy = gates.fairness, f"look for a column that stands in for {audit.column}"
        ratio = at_least(f"approval ratio, {audit.column}", audit.approval_ratio, bounds.least_approval_ratio, remedy)
        odds = at_most(f"equalised odds, {audit.column}", audit.odds_difference, bounds.most_odds_difference, remedy)
        verdicts += [ratio, odds]
    return verdicts


def judge_graph(workspace: Workspace) -> tuple[list[Verdict], float]:
    """The verdicts on the graph itself, and the ratio of its latency to that of the baseline's graph."""
    gates, schema, training = workspace.gates, workspace.schema, sample(workspace.parts[0])
    graph = workspace.path("model.onnx").read_bytes()
    difference = workspace.read_json("parity.json", dict[str, float])["largest_difference"]
    simple = build_graph(schema, fit(schema, training, workspace.baseline).network)
    smaller = "use fewer members or smaller layers"
    ratio = latency_ratio(Scorer(graph, schema), Scorer(simple.SerializeToString(), schema), schema, training)
    verdicts = [
        exact("ONNX parity", difference, gates.onnx_difference, "report a bug: export should have stopped"),
        exact("artifact size", len(graph), gates.most_artifact_bytes, smaller, "bytes"),
        exact("latency over the baseline's", ratio, gates.most_latency_ratio, smaller, "times", reproducible=False),
    ]
    return verdicts, ratio


def apply_waivers(dataset: Dataset, gates: Gates, verdicts: list[Verdict]) -> list[Verdict]:
    """The verdicts after this dataset's waivers; a waiver of an unknown gate is an error."""
    waivers = {waiver.gate: waiver for waiver in gates.waivers if waiver.dataset == dataset.name}
    if stray := waivers.keys() - {verdict.gate for verdict in verdicts}:
        known = ", ".join(sorted(verdict.gate for verdict in verdicts))
        raise PipelineError(f"waivers of unknown gates: {', '.join(sorted(stray))}; the gates are: {known}")
    return [apply_waiver(verdict, waivers.get(verdict.gate)) for verdict in verdicts]


def compare_with_champion(workspace: Workspace, evidence: Evidence) -> list[Verdict]:
    """The verdict against the champion's model file, fitted again on the same folds; none where it is the same file."""
    name, gates, training = workspace.dataset.name, workspace.gates, sample(workspace.parts[0])
    found = champion_of_store(name)
    if found is None:
        return []
    config = msgspec.json.decode((found.folder / artifact.CONFIG).read_bytes(), type=ModelConfig)
    if config == workspace.config:
        return []
    folds = folds_of(training.target, gates.folds, gates.repeats)
    theirs = cross_validate({"champion": (workspace.schema, partial(network, config))}, training, folds)["champion"]
    difference = np.array(evidence.fold_roc_auc) - theirs.values("roc_auc")
    estimate, _ = interval(difference, gates.folds, gates.confidence)
    gate = f"gain over the champion, {found.manifest.version}"
    return [
        at_least(
            gate, estimate, gates.least_gain_over_champion, "keep the champion, or find out why this model is worse"
        )
    ]


def at_least(gate: str, figure: Estimate | None, bound: float, remedy: str) -> Verdict:
    """A verdict that fails below the bound; on an undefined figure there is none.

    >>> at_least("saving", Estimate(-0.1, -0.2, 0.1), 0.0, "").status, at_least("saving", None, 0.0, "").status
    ('warn', 'not judged')
    """
    status: Status = "not judged"
    if figure is not None:
        status = "pass" if figure.value >= bound else "warn" if figure.high >= bound else "fail"
    return Verdict(gate=gate, status=status, figure=figure, bound=f"at least {format_number(bound)}", remedy=remedy)


def at_most(gate: str, figure: Estimate | None, bound: float, remedy: str, unit: Unit = "") -> Verdict:
    """A verdict that fails above the bound; on an undefined figure there is none."""
    status: Status = "not judged"
    if figure is not None:
        status = "pass" if figure.value <= bound else "warn" if figure.low <= bound else "fail"
    allowed = f"at most {format_number(bound, unit)}"
    return Verdict(gate=gate, status=status, figure=figure, bound=allowed, remedy=remedy, unit=unit)


def apply_waiver(verdict: Verdict, waiver: Waiver | None) -> Verdict:
    """The verdict by the waiver's bound, if there is a waiver and the gate has failed."""
    if waiver is None or verdict.status != "fail" or verdict.figure is None:
        return verdict
    if verdict.bound.startswith("at least"):
        second = at_least(verdict.gate, verdict.figure, waiver.bound, verdict.remedy)
    else:
        second = at_most(verdict.gate, verdict.figure, waiver.bound, verdict.remedy, verdict.unit)
    status: Status = "fail" if second.status == "fail" else "waived"
    return structs.replace(second, status=status, waiver=waiver.reason)


def exact(gate: str, value: float, bound: float, remedy: str, unit: Unit = "", *, reproducible: bool = True) -> Verdict:
    """A verdict on a figure without an interval; one that is not reproducible is left out of it."""
    verdict = at_most(gate, Estimate(value, value, value), bound, remedy, unit)
    return verdict if reproducible else structs.replace(verdict, figure=None)


def latency_ratio(scorer: Scorer, baseline: Scorer, schema: Schema, table: Table) -> float:
    """Median time per call over the baseline's, for 1 row or for 64, whichever is larger; the two graphs take turns."""
    feed = schema.feed_columns(table.columns)
    ratios = []
    for rows in TIMED_ROWS:
        part = {name: column[:rows] for name, column in feed.items()}
        taken_s: tuple[list[float], list[float]] = ([], [])
        for _ in range(CALLS):
            for graph, times in zip((scorer, baseline), taken_s, strict=True):
                started_s = time.perf_counter()
                graph.probabilities(part)
                times.append(time.perf_counter() - started_s)
        ratios.append(statistics.median(taken_s[0]) / statistics.median(taken_s[1]))
    return max(ratios)
