"""Stage gate: decides whether a model may enter the store.

Owns the verdicts. Leaves the figures to `train.evaluation.evidence`, and the bounds to `configs/gates.yaml`. A gate
fails when the whole interval of its figure lies beyond the bound, and warns when only the value does. A figure that is
undefined, such as a difference from a group without a single event, is not judged, and its gate says so.
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

Status = Literal["pass", "warn", "waived", "fail", "not judged"]
Unit = Literal["", "bytes", "times"]
BYTES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
DIGITS = 3
CALLS = 200  # timed calls of each graph; the two graphs take turns
TIMED_ROWS = (1, 64)


class Verdict(Struct, frozen=True, kw_only=True):
    """One gate: the figure found, the bound, and what to do about a failure."""

    gate: str
    status: Status
    figure: Estimate | None  # null where it is undefined, or differs from run to run
    bound: str
    remedy: str
    waiver: str = ""
    unit: Unit = ""


class GateError(PipelineError):
    """A model that may not be published."""

    def __init__(self, failed: Sequence[Verdict]) -> None:
        lines = [
            f"{verdict.gate}: {format_figure(verdict, 'out of bounds')}, must be {verdict.bound}; {verdict.remedy}"
            for verdict in failed
        ]
        noun = "gate" if len(lines) == 1 else "gates"
        super().__init__("\n  ".join([f"{len(lines)} {noun} failed, so nothing was published:", *lines]))


def format_number(value: float, unit: Unit = "") -> str:
    """Three significant digits and the unit, without an exponent.

    >>> format_number(388_812, "bytes"), format_number(5e7, "bytes"), format_number(1.94, "times"), format_number(1e-6)
    ('389 kB', '50 MB', '1.94 times', '0.000001')
    """
    scale, name = next(((s, n) for s, n in BYTES if unit == "bytes" and abs(value) >= s), (1.0, unit))
    digits = np.format_float_positional(value / scale, precision=DIGITS, fractional=False, trim="-")
    return f"{digits} {name}".strip()


def format_estimate(estimate: Estimate, unit: Unit = "") -> str:
    """A value with its interval, if it has one.

    >>> format_estimate(Estimate(0.5, 0.4, 0.6)), format_estimate(Estimate(388_812, 388_812, 388_812), "bytes")
    ('0.500 (0.400 to 0.600)', '389 kB')
    """
    if estimate.low == estimate.high:
        return format_number(estimate.value, unit)
    value, low, high = (f"{number:z.{DIGITS}f}" for number in (estimate.value, estimate.low, estimate.high))
    return f"{value} ({low} to {high})"


def format_figure(verdict: Verdict, varying: str) -> str:
    """The figure of a verdict: `varying` for one that differs from run to run.

    >>> format_figure(at_most("equalised odds, sex", None, 0.35, ""), "varies")
    'undefined: too few rows to compare'
    """
    if verdict.status == "not judged":
        return "undefined: too few rows to compare"
    return format_estimate(verdict.figure, verdict.unit) if verdict.figure else varying


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
