"""The comparison of a model with the champion of the BentoML store.

Owns the figures and their verdicts. They depend on this machine's store, so they are no part of `gates.json`.
"""

from functools import partial

import msgspec
import numpy as np

from configs.gates import Gates
from configs.model import ModelConfig
from models import artifact
from models.artifact import Artifact
from train.evaluation.candidates import network
from train.evaluation.cross_validation import cross_validate, folds_of, interval
from train.evaluation.evidence import sample
from train.evaluation.results import Comparison, Evidence, Verdict
from train.gating.verdicts import at_least
from train.workspace import Workspace


def compare(workspace: Workspace, evidence: Evidence, champion: Artifact) -> Comparison:
    """The gain over the champion; none where it has the same model file."""
    gates, training = workspace.gates, sample(workspace.parts[0])
    config = msgspec.json.decode((champion.folder / artifact.CONFIG).read_bytes(), type=ModelConfig)
    if config == workspace.config:
        return Comparison(champion.manifest.version, None)
    folds = folds_of(training.target, gates.folds, gates.repeats)
    theirs = cross_validate({"champion": (workspace.schema, partial(network, config))}, training, folds)["champion"]
    difference = np.array(evidence.fold_roc_auc) - theirs.values("roc_auc")
    return Comparison(champion.manifest.version, interval(difference, gates.folds, gates.confidence)[0])


def judge(comparison: Comparison | None, gates: Gates) -> list[Verdict]:
    """The verdicts on the comparison, if there was a champion."""
    if comparison is None or comparison.recipe is None:
        return []
    gate, remedy = f"gain over the champion, {comparison.version}", "keep the champion, or find out why this is worse"
    return [at_least(gate, comparison.recipe, gates.least_gain_over_champion, remedy)]
