"""The comparison of a model with the champion of the BentoML store, in two ways.

The champion's recipe, its model file, is fitted on the same folds: which of the two would a team choose today? And the
champion's own graph, the one that serves, scores the test rows that neither has seen: is what would take its place
better than what is there? The second is asked of an unchanged model file too, as in every routine retraining.

Owns the figures and their verdicts. They depend on this machine's store, so they are no part of `gates.json`.
"""

from functools import partial

import msgspec
import numpy as np

from configs.gates import Gates
from configs.model import ModelConfig
from models import artifact
from models.artifact import Artifact
from models.scorer import Scorer
from train.evaluation.candidates import network
from train.evaluation.cross_validation import cross_validate, interval
from train.evaluation.evidence import sample
from train.evaluation.folding import plan
from train.evaluation.paired import roc_auc_gain
from train.evaluation.results import Comparison, Estimate, Evidence, Verdict
from train.evaluation.scoring import onnx_probabilities
from train.gating.verdicts import at_least, shown
from train.population import row_weights
from train.publishing.seen_rows import unseen
from train.publishing.store import stored
from train.workspace import Workspace

REMEDY = "keep the champion, or find out why this model is worse"
UNREADABLE = "that champion is damaged, or of a format that this code cannot read"
OTHER_KEYS = "the champion's model file has keys that this code does not know"


def compare(workspace: Workspace, evidence: Evidence, version: str) -> Comparison:
    """The gain over the champion of that version, by its recipe and by its graph."""
    champion = stored(workspace.dataset.name, version)
    if champion is None:
        return Comparison(version=version, recipe=None, graph=None, rows=0, why=UNREADABLE)
    graph, rows, why = own_graph(workspace, champion)
    return Comparison(version=version, recipe=recipe(workspace, evidence, champion), graph=graph, rows=rows, why=why)


def recipe(workspace: Workspace, evidence: Evidence, champion: Artifact) -> Estimate | None:
    """The gain over the champion's model file on the folds of the training part; nought where it is the same file.

    None where it has keys that this code does not know, as one of an earlier version may.
    """
    gates, training = workspace.gates, sample(workspace.parts[0])
    try:
        config = msgspec.json.decode((champion.folder / artifact.CONFIG).read_bytes(), type=ModelConfig)
    except msgspec.ValidationError:
        return None
    if config == workspace.config:
        return Estimate(0.0, 0.0, 0.0)
    planned, candidate = plan(training, gates.folds, gates.repeats), (workspace.schema, partial(network, config))
    theirs = cross_validate({"champion": candidate}, training, planned.folds)["champion"]
    difference = np.array(evidence.fold_roc_auc) - theirs.values("roc_auc")
    return interval(difference, planned.a_repeat, gates.confidence)[0]


def own_graph(workspace: Workspace, champion: Artifact) -> tuple[Estimate | None, int, str]:
    """The gain over the champion's graph on test rows that neither saw, their number, and why there is no figure."""
    test, least = workspace.parts[1], workspace.gates.least_test_events
    free = unseen(champion, test)
    if free is None:
        return None, 0, "the champion does not say which rows it saw, or a column of it is gone"
    rows = test.rows(np.flatnonzero(free))
    count, events = len(rows.target), int(rows.target.sum())
    if min(events, count - events) < least:
        found = f"{count:,} test rows that neither saw, {events:,} with the event"
        return None, count, f"{found}; {least} of either outcome are needed"
    ours, theirs = (
        onnx_probabilities(scorer, scorer_schema.feed_columns(rows.columns))
        for scorer, scorer_schema in (
            (Scorer(workspace.path("model.onnx"), workspace.schema), workspace.schema),
            (champion.scorer(), champion.schema),
        )
    )
    weights, clusters = row_weights(rows.target, rows.weight, None), rows.group
    return roc_auc_gain(rows.target, ours, theirs, workspace.gates.confidence, weights, clusters), count, ""


def judge(comparison: Comparison | None, gates: Gates) -> list[Verdict]:
    """The verdicts on the comparison, if there was a champion."""
    if comparison is None:
        return []
    version, bound, margins = comparison.version, gates.least_gain_over_champion, gates.margins
    recipe_why = UNREADABLE if comparison.why == UNREADABLE else OTHER_KEYS
    figures = (
        (f"gain over the champion's recipe, {version}", comparison.recipe, margins.roc_auc, recipe_why),
        (f"gain over the champion, {version}", comparison.graph, margins.test_roc_auc, comparison.why),
    )
    return [
        msgspec.structs.replace(at_least(gate, None, bound, REMEDY), undefined=why)
        if figure is None
        else shown(gate, figure, bound, margin, REMEDY)
        for gate, figure, margin, why in figures
    ]
