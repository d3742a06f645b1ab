"""Stage gate: decides whether a model may enter the store.

Owns which figures are judged by which bounds. Leaves the figures to `train.evaluation`, what a verdict says of one to
`train.gating.verdicts`, and the bounds to `configs/gates.yaml`. Publishing calls `judge_workspace` as well: there is no
way into the store by which it is not judged.
"""

import statistics
import time
from typing import Any

from msgspec import structs

from configs.dataset import Dataset
from configs.gates import Gates
from models.schema import Schema
from models.scorer import Scorer
from train.errors import PipelineError
from train.evaluation import openings
from train.evaluation.evidence import sample
from train.evaluation.results import Evidence, Unseen, Verdict
from train.gating import champion, leaks
from train.gating.judgement import FILE, JUDGED, Judgement, bound_evidence, digests, held, refuse_other_data
from train.gating.verdicts import apply_waivers, at_least, at_most, exact, shown
from train.publishing.store import champion_version
from train.tables.table import Table
from train.workspace import Workspace

CALLS = 200  # timed calls of each graph; the two graphs take turns
TIMED_ROWS = (1, 64)
SAVING, GAIN = "saving against one decision for all", "gain over the baseline"
SAVES_NOTHING = "check the costs and the outcomes, or add rows: one decision for all costs hardly more"


def judge_workspace(workspace: Workspace) -> tuple[Judgement, float]:
    """Judge what is in the workspace, write `gates.json` and `judgement.json`, and give the ratio of the latencies too.

    Raises where the evidence is about other files, data or settings than are there now.
    """
    evidence = bound_evidence(workspace)
    report = workspace.read_json("data_report.json", dict[str, Any])
    refuse_other_data(workspace, report["data_sha256"])
    if stopped := [finding["message"] for finding in report["findings"] if finding["stops"]]:
        raise PipelineError(f"the checks have refused the table: {stopped[0]}")
    measured, ratio = judge_graph(workspace)
    dataset, gates = workspace.dataset, workspace.gates
    verdicts = judge(dataset, gates, evidence) + measured
    verdicts = leaks.judge(dataset, gates, report["features"]) + apply_waivers(
        dataset, leaks.without_column_waivers(gates), verdicts
    )
    workspace.write_json("gates.json", verdicts)  # without the champion, which depends on this machine's store
    comparison, other, before = None, rival(workspace), held(workspace)
    if other is not None:
        same = before.comparison if before else None
        kept = same is not None and same.version == other
        comparison = same if kept else champion.compare(workspace, evidence, other)
    judgement = Judgement(
        version=workspace.version,
        files=digests(workspace, JUDGED),
        attempt=openings.record(
            workspace.folder.parent,
            workspace.table.target,
            evidence.files["model.onnx"],
            workspace.model_path.as_posix(),
        ),
        comparison=comparison,
        verdicts=verdicts + champion.judge(comparison, gates),
    )
    workspace.write_json(FILE, judgement)
    return judgement, ratio


def rival(workspace: Workspace) -> str | None:
    """The champion's version, unless that is the one in the workspace, which is published again."""
    version = champion_version(workspace.dataset.name)
    return None if version == workspace.version else version


def judge(dataset: Dataset, gates: Gates, evidence: Evidence) -> list[Verdict]:
    """The verdicts on the figures from folds and resampling."""
    low, high = gates.calibration_slope
    alike = evidence.unseen.alike
    ceiling = gates.ceiling(dataset.name)
    verdicts = [
        at_most("no leak: ROC AUC", evidence.roc_auc, ceiling, "look for a column that gives the outcome away"),
        at_least("calibration slope", evidence.calibration_slope, low, "train less, or regularise more"),
        at_most("calibration slope", evidence.calibration_slope, high, "train more, or regularise less"),
        shown(SAVING, evidence.saving, gates.least_saving * alike, gates.margins.saving * alike, SAVES_NOTHING),
    ]
    simpler = "publish the simpler model: MODEL=" + gates.baseline
    if evidence.gain_over_baseline is not None:
        bound, margin = gates.least_gain_over_baseline, gates.margins.roc_auc
        verdicts.append(shown(GAIN, evidence.gain_over_baseline, bound, margin, simpler))
    verdicts += judge_unseen(gates, evidence.unseen, simpler)
    if evidence.shared is not None:
        shared = evidence.shared
        such = f", such as row {shared.rows[0]} and row {shared.rows[1]}" if shared.rows else ""
        remedy = f"keep one row of each applicant{such}, or drop the test rows that stand in the training part too"
        verdicts.append(exact("test rows with a twin in training", shared.share, gates.leak.most_shared_rows, remedy))
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


def judge_unseen(gates: Gates, unseen: Unseen, simpler: str) -> list[Verdict]:
    """The verdicts on the untouched test part, where the model has to show again what it shows on folds."""
    few = min(unseen.events, unseen.rows - unseen.events) < gates.least_test_events
    saving, gain = unseen.saving, unseen.gain_over_baseline
    if few:
        found = f"the test part has {unseen.events:,} events among {unseen.rows:,} rows"
        why = f"{found}, and {gates.least_test_events} of either outcome are needed"
        failed = [
            shown(f"{figure}, on the test part", None, 0.0, 0.0, "add rows, or raise split.test")
            for figure in ([SAVING] if gain is None else [SAVING, GAIN])
        ]
        return [structs.replace(verdict, undefined=why) for verdict in failed]
    margins, least = gates.margins, gates.least_saving * unseen.alike
    tested = f"{SAVING}, on the test part"
    verdicts = [shown(tested, saving, least, margins.saving * unseen.alike, SAVES_NOTHING)]
    if gain is not None:
        bound = gates.least_gain_over_baseline
        verdicts.append(shown(f"{GAIN}, on the test part", gain, bound, margins.test_roc_auc, simpler))
    return verdicts


def judge_graph(workspace: Workspace) -> tuple[list[Verdict], float]:
    """The verdicts on the graph itself, and the ratio of its latency to that of the baseline's graph."""
    gates, schema, training = workspace.gates, workspace.schema, sample(workspace.parts[0])
    graph = workspace.path("model.onnx").read_bytes()
    difference = workspace.read_json("parity.json", dict[str, float])["largest_difference"]
    smaller = "use fewer members or smaller layers"
    simple = Scorer(workspace.path("baseline.onnx"), schema)
    ratio = latency_ratio(Scorer(graph, schema), simple, schema, training)
    verdicts = [
        exact("ONNX parity", difference, gates.onnx_difference, "report a bug: export should have stopped"),
        exact("artifact size", len(graph), gates.most_artifact_bytes, smaller, "bytes"),
        exact("latency over the baseline's", ratio, gates.most_latency_ratio, smaller, "times", reproducible=False),
    ]
    return verdicts, ratio


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
