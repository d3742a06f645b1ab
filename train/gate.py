"""Stage gate: whether a model may enter the store.

Owns the verdicts. Leaves finding the figures to `train.evaluation.evidence`, and the bounds to `configs/gates.yaml`. A
gate fails when the whole interval of its figure lies beyond the bound, and warns when only the value does.
"""

import statistics
import time
from collections.abc import Sequence
from functools import partial
from typing import Literal

import msgspec
import numpy as np
from msgspec import Struct, structs

from configs.dataset import Dataset
from configs.gates import Gates, Waiver
from configs.model import ModelConfig
from models import artifact
from models.schema import Schema
from models.scorer import Scorer
from train.errors import PipelineError
from train.evaluation.candidates import network
from train.evaluation.cross_validation import Estimate, cross_validate, folds_of, interval
from train.evaluation.evidence import Evidence, sample
from train.fit import fit
from train.network.onnx_graph import build_graph
from train.publishing.store import champion_of_store
from train.tables.table import Table
from train.workspace import Workspace

Status = Literal["pass", "warn", "waived", "fail"]
CALLS = 200  # timed calls of each graph, taken in turns
TIMED_ROWS = (1, 64)


class Verdict(Struct, frozen=True, kw_only=True):
    """One gate: what was found, what is allowed, and what to do where it is not."""

    gate: str
    status: Status
    figure: Estimate | None  # null where it differs from run to run
    bound: str
    remedy: str
    waiver: str = ""


class GateError(PipelineError):
    """A model that may not be published."""

    def __init__(self, failed: Sequence[Verdict]) -> None:
        lines = [
            f"{verdict.gate}: {shown(verdict.figure)}, allowed is {verdict.bound}; {verdict.remedy}"
            for verdict in failed
        ]
        noun = "gate" if len(lines) == 1 else "gates"
        super().__init__("\n  ".join([f"{len(lines)} {noun} failed, so nothing was published:", *lines]))


def shown(figure: Estimate | None) -> str:
    """A figure for people.

    >>> shown(Estimate(0.5, 0.4, 0.6)), shown(Estimate(2.0, 2.0, 2.0))
    ('0.5 (0.4 to 0.6)', '2')
    """
    if figure is None:
        return "beyond it"
    interval = f" ({figure.low:.4g} to {figure.high:.4g})" if figure.low < figure.high else ""
    return f"{figure.value:.4g}{interval}"


def judge(dataset: Dataset, gates: Gates, evidence: Evidence) -> list[Verdict]:
    """The verdicts on what folds and resampling have shown."""
    low, high = gates.calibration_slope
    ceiling = gates.ceiling(dataset.name)
    verdicts = [
        at_most("no leak: ROC AUC", evidence.roc_auc, ceiling, "look for a column that knows the outcome"),
        at_least("calibration slope", evidence.calibration_slope, low, "train less, or regularise more"),
        at_most("calibration slope", evidence.calibration_slope, high, "train more, or regularise less"),
        at_least(
            "saving against one decision for all",
            evidence.saving,
            gates.least_saving,
            "see whether the costs are right",
        ),
    ]
    if evidence.gain_over_baseline is not None:
        remedy = "publish the simpler model: MODEL=" + gates.baseline
        verdicts.append(
            at_least("gain over the baseline", evidence.gain_over_baseline, gates.least_gain_over_baseline, remedy)
        )
    for audit in evidence.fairness:
        if audit.approval_ratio is None or audit.odds_difference is None:
            continue
        bounds, remedy = gates.fairness, f"find what stands for {audit.column} among the columns"
        ratio = at_least(f"approval ratio, {audit.column}", audit.approval_ratio, bounds.least_approval_ratio, remedy)
        odds = at_most(f"equalised odds, {audit.column}", audit.odds_difference, bounds.most_odds_difference, remedy)
        verdicts += [ratio, odds]
    return verdicts


def measure(workspace: Workspace) -> tuple[list[Verdict], float]:
    """The verdicts on the graph itself, and the ratio of its latency to that of the baseline's."""
    gates, schema, training = workspace.gates, workspace.schema, sample(workspace.parts[0])
    graph = workspace.path("model.onnx").read_bytes()
    difference = workspace.read_json("parity.json", dict[str, float])["largest_difference"]
    simple = build_graph(schema, fit(schema, training, workspace.baseline).network)
    ratio = latency_ratio(Scorer(graph, schema), Scorer(simple.SerializeToString(), schema), schema, training)
    verdicts = [
        exact("ONNX parity", difference, gates.onnx_difference, "report it: training should have stopped at export"),
        exact("artifact size, bytes", len(graph), gates.most_artifact_bytes, "take fewer members or smaller layers"),
        exact(
            "latency over the baseline's",
            ratio,
            gates.most_latency_ratio,
            "take fewer members or smaller layers",
            False,
        ),
    ]
    return verdicts, ratio


def waive(dataset: Dataset, gates: Gates, verdicts: list[Verdict]) -> list[Verdict]:
    """The verdicts with this dataset's waivers; one that names no gate is an error."""
    waivers = {waiver.gate: waiver for waiver in gates.waivers if waiver.dataset == dataset.name}
    if stray := waivers.keys() - {verdict.gate for verdict in verdicts}:
        known = ", ".join(sorted(verdict.gate for verdict in verdicts))
        raise PipelineError(f"waivers name no gate: {', '.join(sorted(stray))}; the gates are: {known}")
    return [waived(verdict, waivers.get(verdict.gate)) for verdict in verdicts]


def against_champion(workspace: Workspace, evidence: Evidence) -> list[Verdict]:
    """The verdict against the store's champion, its recipe fitted anew on the same folds; none where it is this one."""
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
    return [at_least(gate, estimate, gates.least_gain_over_champion, "keep the champion, or find out what was lost")]


def at_least(gate: str, figure: Estimate, bound: float, remedy: str) -> Verdict:
    """Fails below.

    >>> at_least("saving", Estimate(-0.1, -0.2, 0.1), 0.0, "").status
    'warn'
    """
    status: Status = "pass" if figure.value >= bound else "warn" if figure.high >= bound else "fail"
    return Verdict(gate=gate, status=status, figure=figure, bound=f"at least {bound:g}", remedy=remedy)


def at_most(gate: str, figure: Estimate, bound: float, remedy: str) -> Verdict:
    """Fails above."""
    status: Status = "pass" if figure.value <= bound else "warn" if figure.low <= bound else "fail"
    return Verdict(gate=gate, status=status, figure=figure, bound=f"at most {bound:g}", remedy=remedy)


def waived(verdict: Verdict, waiver: Waiver | None) -> Verdict:
    """The verdict by the waiver's bound, where there is one and the gate has failed."""
    if waiver is None or verdict.status != "fail" or verdict.figure is None:
        return verdict
    again = at_least if verdict.bound.startswith("at least") else at_most
    second = again(verdict.gate, verdict.figure, waiver.bound, verdict.remedy)
    status: Status = "fail" if second.status == "fail" else "waived"
    return structs.replace(second, status=status, waiver=waiver.reason)


def exact(gate: str, value: float, bound: float, remedy: str, tell: bool = True) -> Verdict:
    """A figure without an interval; `tell` is false where it differs from run to run."""
    verdict = at_most(gate, Estimate(value, value, value), bound, remedy)
    return verdict if tell else structs.replace(verdict, figure=None)


def latency_ratio(scorer: Scorer, baseline: Scorer, schema: Schema, table: Table) -> float:
    """The larger of the ratios of median times of a call, for one row and for 64; both graphs are timed in turns."""
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
