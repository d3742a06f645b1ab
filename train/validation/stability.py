"""The recipe of a model trained with ten seeds: what changes that should not.

Owns `stability.json` and its figure, which `make stability` writes and the card of a model shows that is published
afterwards. Each seed is trained on the same folds of the training part, so no outcome of the test part is looked at:
figures and decisions are on held-out rows. For reasons it is trained on the whole training part, as the model was, and
the test rows are explained that every seed declines.
"""

from collections.abc import Callable, Sequence
from itertools import combinations

import msgspec
import numpy as np
from numpy.typing import NDArray

from configs.dataset import Dataset
from configs.model import ModelConfig
from models.artifact import sha256
from models.explanation import MAX_INPUTS
from models.schema import Schema
from train.console import Console
from train.errors import PipelineError
from train.evaluate import mean_cost
from train.evaluation.candidates import network
from train.evaluation.cross_validation import Fold
from train.evaluation.evidence import sample
from train.evaluation.figures import png
from train.evaluation.folding import plan
from train.evaluation.reasons import DECLINED, FEW, LEAST, WIDE, declined_by_both, reasons_of, retrained
from train.evaluation.resampling import roc_auc
from train.population import mean_of, row_weights
from train.stakes import stakes_of
from train.tables.table import Table
from train.validation.figures import stability as draw
from train.validation.results import Seed, Stability
from train.version import evidence_settings
from train.workspace import Workspace

FILE, FIGURE = "stability.json", "stability.png"
LEAST_SEEDS = 2

Report = Callable[[], None]


def measure(workspace: Workspace, seeds: int, console: Console) -> Stability:
    """Train with `seeds` seeds, and write what came of it; some minutes."""
    if seeds < LEAST_SEEDS:
        raise PipelineError(f"--seeds is {seeds}, and two trainings are compared; give at least {LEAST_SEEDS}")
    dataset, config, gates, schema = workspace.dataset, workspace.config, workspace.gates, workspace.schema
    graph = workspace.path("model.onnx").read_bytes()
    training, test = sample(workspace.parts[0]), sample(workspace.parts[1])
    planned = plan(training, gates.folds, 1).folds
    with console.progress("training ", seeds * (len(planned) + 1)) as advance:

        def report() -> None:
            advance("seeds")

        held_out = by_seed(schema, config, training, seeds, planned, report)
        models = [trained(schema, config, training, seed, report) for seed in range(seeds)]
    declined, kept, first = reasons(schema, models, training, test)
    known = ~np.isnan(held_out[0])  # in a walk forward, the first rows are only learned from
    measured, held_out = training.rows(np.flatnonzero(known)), held_out[:, known]
    figures = [figures_of(config.training.seed + place, measured, row, dataset) for place, row in enumerate(held_out)]
    decisions = held_out >= stakes_of(dataset, measured.arrays).threshold
    found = Stability(
        model_sha256=sha256(graph),
        settings=evidence_settings(dataset, config, workspace.baseline, gates),
        rows=len(measured.target),
        folds=len(planned),
        seeds=figures,
        flips=float(np.mean([(one != other).mean() for one, other in combinations(decisions, 2)])),
        undecided=float((decisions.any(axis=0) & ~decisions.all(axis=0)).mean()),
        deviation=float(held_out.std(axis=0).mean()),
        declined=declined,
        reasons_kept=kept,
        first_reason_kept=first,
    )
    workspace.write_json(FILE, found)
    workspace.write(FIGURE, png(draw(found)))
    return found


def recorded(workspace: Workspace) -> Stability | None:
    """What was measured of this very model by these settings; None if nothing was."""
    try:
        found = workspace.read_json(FILE, Stability)
        graph = sha256(workspace.path("model.onnx").read_bytes())
    except (PipelineError, msgspec.DecodeError):
        return None
    settings = evidence_settings(workspace.dataset, workspace.config, workspace.baseline, workspace.gates)
    return found if (found.model_sha256, found.settings) == (graph, settings) else None


def by_seed(
    schema: Schema, config: ModelConfig, table: Table, seeds: int, folds: Sequence[Fold], report: Report
) -> NDArray[np.float64]:
    """Probabilities `[seeds, rows]`, each of the training with that seed which held the row out; NaN where none did."""
    found = np.full((seeds, len(table.target)), np.nan)
    for training, test in folds:
        for seed in range(seeds):
            found[seed, test] = network(reseeded(config, seed), schema, table.rows(training), table.rows(test))
            report()
    return found


def trained(schema: Schema, config: ModelConfig, table: Table, seed: int, report: Report) -> bytes:
    """The graph of a training with a seed that lies `seed` further."""
    graph = retrained(schema, config, table, seed)
    report()
    return graph


def reseeded(config: ModelConfig, further: int) -> ModelConfig:
    """The model file with a seed that lies so much further."""
    training = msgspec.structs.replace(config.training, seed=config.training.seed + further)
    return msgspec.structs.replace(config, training=training)


def figures_of(seed: int, table: Table, probability: NDArray[np.float64], dataset: Dataset) -> Seed:
    """The figures of one seed on the rows of a table."""
    stakes, counts = stakes_of(dataset, table.arrays), row_weights(table.target, table.weight, dataset.prior)
    declined = stakes.declined(probability)
    cost = mean_cost(table.target, declined, stakes, counts)
    return Seed(seed, roc_auc(table.target, probability, counts), cost, 1 - mean_of(declined, counts))


def reasons(
    schema: Schema, models: Sequence[bytes], training: Table, others: Table
) -> tuple[int, float | None, float | None]:
    """The applicants that every model declines, and the shares that two of them tell the same reasons, and the first.

    Both are means over the pairs of models, and None where too few are declined or the model is too wide to explain.
    """
    if len(schema.inputs) > MAX_INPUTS:
        return 0, None, None
    rows = declined_by_both(schema, models, others)[: FEW if len(schema.inputs) > WIDE else DECLINED]
    if len(rows) < LEAST:
        return len(rows), None, None
    told = [reasons_of(schema, model, training, rows) for model in models]
    pairs = [list(zip(one, other, strict=True)) for one, other in combinations(told, 2)]
    kept = [np.mean([set(one) == set(other) for one, other in pair]) for pair in pairs]
    first = [np.mean([one[0] == other[0] for one, other in pair]) for pair in pairs]
    return len(rows), float(np.mean(kept)), float(np.mean(first))
