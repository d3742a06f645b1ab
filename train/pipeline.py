"""The stages in order; each reads the files of earlier stages from the workspace and writes its own.

`python -m train` runs all stages in one process, `dvc repro` the outdated ones, each in its own process: the same
functions and files. Nothing reaches MLflow's registry or the BentoML store until every gate has passed.

Each stage imports what it uses, because PyTorch, scikit-learn, Matplotlib and MLflow take 1.5 to 2.5 s of processor
time each, and DVC starts a process per stage.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from configs.source import ConfigError
from models import artifact
from train.console import Console
from train.errors import PipelineError
from train.tables.table import Table
from train.workspace import Workspace

if TYPE_CHECKING:
    from train.evaluation.results import Evidence


def check_stage(workspace: Workspace, console: Console) -> None:
    """The table, checked → `table.parquet`, and the data report."""
    from configs.checks import read_checks
    from train.check import check
    from train.checks.data_report import as_json, drift_page, page
    from train.checks.quality import assess
    from train.publishing.store import champion_of_store, comparable_rate
    from train.split import min_rows_per_class
    from train.version import data_sha256

    dataset, found = workspace.dataset, champion_of_store(workspace.dataset.name)
    table = check(dataset, min_rows_per_class(workspace.config))
    reference = (found.folder / artifact.REFERENCE).read_bytes() if found else None
    rate = comparable_rate(found, dataset)
    workspace.discard("table.parquet")  # that of a table which passed before; this one may not
    report = assess(dataset, table, read_checks(), reference, workspace.gates, rate)
    workspace.write("data_report.json", as_json(report.as_dict() | {"data_sha256": data_sha256(dataset)}))
    workspace.write("data_report.html", page(report).encode())
    if report.drift is not None:  # depends on this machine's store, so it is not an output of DVC
        workspace.write("drift_report.html", drift_page(dataset.name, report.drift).encode())
    report.stop_if_refused()
    workspace.write_table(table)
    console.print(f"checked   {len(table.target):,} rows, {table.target.mean():.1%} {workspace.dataset.target.event}")
    for finding in report.findings:  # the others have stopped
        console.print(f"warning   {finding.message}")


def split_stage(workspace: Workspace, console: Console) -> None:
    """The rows of the test part → `split.npy`."""
    from train.split import described, split_table

    settings, table, gates = workspace.config.split, workspace.table, workspace.gates
    try:
        training, test = split_table(table, settings.test, settings.seed)
        if len(table.time) or len(table.group):  # folds may be impossible then, which is told before anything is fitted
            from train.evaluation.evidence import sample
            from train.evaluation.folding import plan

            plan(sample(table.rows(training)), gates.folds, gates.repeats)
    except PipelineError as error:
        raise PipelineError(f"{workspace.dataset_path}: {error}") from None
    workspace.write_parts(training, test)
    console.print(f"split     {len(training):,} to train, {len(test):,} to test{described(table, training, test)}")


def fit_stage(workspace: Workspace, console: Console) -> None:
    """The training part → `network.npz`, and the learning curves."""
    from train.fit import LOOKS, fit
    from train.network import weights

    config = workspace.config
    with console.progress("fitting  ", LOOKS) as advance:
        fitted = fit(
            workspace.schema,
            workspace.parts[0],
            config,
            lambda look: advance(f"loss {look.training_loss:.4f}, held out {look.validation_loss:.4f}"),
        )
    with workspace.writing("network.npz") as path:
        weights.save(fitted.network, path)
    workspace.write_json("curves.json", fitted.looks)
    names = ("step", "training_loss", "validation_loss", "training_accuracy", "validation_accuracy")
    workspace.write_csv(
        "plots/curves.csv", {name: [float(getattr(look, name)) for look in fitted.looks] for name in names}
    )


def export_stage(workspace: Workspace, console: Console) -> None:
    """The network → `model.onnx` and `encoded.onnx`, verified against it."""
    from train.export import TOLERANCE, export
    from train.network import weights

    console.print("exporting to ONNX and comparing it with PyTorch")
    network = weights.load(workspace.path("network.npz"), workspace.config.network)
    model, encoded, worst = export(workspace.schema, network, workspace.table)
    workspace.write("model.onnx", model)
    workspace.write("encoded.onnx", encoded)
    workspace.write_json("parity.json", {"largest_difference": worst, "allowed": TOLERANCE})


def evaluate_stage(workspace: Workspace, console: Console) -> None:
    """The test part → `metrics.json` and plots; folds of the training part → `evidence.json`, and the baseline."""
    from models.scorer import Scorer
    from train.evaluate import evaluate
    from train.evaluation import openings
    from train.evaluation.evidence import gather_evidence, on_test_part, permutation_importance
    from train.evaluation.fingerprints import shared_rows
    from train.evaluation.reasons import reasons_kept
    from train.evaluation.results import Results
    from train.evaluation.scoring import onnx_probabilities
    from train.evaluation.walk import walks
    from train.fit import fit
    from train.gating.judgement import MEASURED, digests
    from train.network.onnx_graph import build_graph
    from train.population import row_weights
    from train.stakes import stakes_of
    from train.validation.behaviour import behaviour

    dataset, gates = workspace.dataset, workspace.gates
    training, test = workspace.parts
    scorer, feed = Scorer(workspace.path("model.onnx"), workspace.schema), workspace.schema.feed_columns(test.columns)
    digest = digests(workspace, ["model.onnx"])["model.onnx"]
    attempt = openings.record(workspace.folder.parent, workspace.table.target, digest, workspace.model_path.as_posix())
    console.print(f"opened    the test part, for model {attempt} that is measured on these outcomes")
    probability = onnx_probabilities(scorer, feed)
    counts = row_weights(test.target, test.weight, dataset.prior)
    metrics = evaluate(test.target, probability, stakes_of(dataset, test.arrays), counts)
    importance = permutation_importance(workspace.schema, scorer, test)
    simple = build_graph(workspace.schema, fit(workspace.schema, training, workspace.baseline).network)
    workspace.write("baseline.onnx", simple.SerializeToString(deterministic=True))
    baseline = Scorer(workspace.path("baseline.onnx"), workspace.schema)
    theirs = None if workspace.config == workspace.baseline else onnx_probabilities(baseline, feed)
    walked = walks(workspace.schema, scorer.probabilities, training)
    graph = workspace.path("model.onnx").read_bytes()
    kept = reasons_kept(workspace.schema, workspace.config, graph, training, test, gates.confidence)
    with console.progress("comparing", gates.folds * gates.repeats) as advance:
        evidence = gather_evidence(
            dataset,
            workspace.config,
            workspace.baseline,
            gates,
            training,
            importance,
            walked,
            kept,
            on_test_part(test, probability, theirs, dataset, gates),
            shared_rows(workspace.table, workspace.in_test, workspace.in_test | workspace.in_training),
            behaviour(workspace.schema, scorer.probabilities, training, importance),
            digests(workspace, MEASURED),
            lambda: advance("folds"),
            (test, probability),
        )
    workspace.write_json("evidence.json", evidence)
    held_out = {name: estimate.value for name, estimate in next(iter(evidence.candidates.values())).items()}
    workspace.write_json("metrics.json", Results(metrics, held_out))
    _write_plots(workspace, test, probability, evidence)


def _write_plots(workspace: Workspace, test: Table, probability: np.ndarray, evidence: "Evidence") -> None:
    """Plots for people, and the points of the main curves for `dvc plots`."""
    from sklearn.metrics import classification_report

    from train.evaluation import figures
    from train.network.look import Look
    from train.population import row_weights
    from train.stakes import stakes_of
    from train.validation.figures import all_of

    dataset, stakes = workspace.dataset, stakes_of(workspace.dataset, test.arrays)
    declined, counts = stakes.declined(probability), row_weights(test.target, test.weight, dataset.prior)
    names = ["no event", "event"]
    report = classification_report(test.target, declined, target_names=names, zero_division=0, sample_weight=counts)
    workspace.write("classification_report.txt", report.encode())
    looks = workspace.read_json("curves.json", list[Look])
    drawn = figures.all_of(test.target, probability, stakes, looks, evidence.importance, counts)
    if evidence.vintages:
        drawn["vintages"] = figures.vintages(evidence.vintages)
    if evidence.outcomes and evidence.behaviour:
        drawn |= all_of(evidence.outcomes, evidence.behaviour, dataset.threshold)
    for name, figure in drawn.items():
        workspace.write(f"figures/{name}.png", figures.png(figure))
    for name, columns in figures.points(test.target, probability, stakes, counts).items():
        workspace.write_csv(f"plots/{name}.csv", columns)


def gate_stage(workspace: Workspace, console: Console) -> None:
    """Evidence and bounds → `gates.json` and `judgement.json`; raises if a gate fails."""
    from train.evaluation.results import GateError
    from train.gate import judge_workspace

    judgement, latency_ratio = judge_workspace(workspace)
    console.verdicts(judgement.verdicts, latency_ratio)
    if judgement.failed:
        raise GateError(judgement.failed)


def publish_stage(workspace: Workspace, console: Console) -> None:
    """Everything → a run in MLflow, a version in its registry, and the BentoML store."""
    from train.evaluation.results import Results
    from train.publish import publish_workspace

    published, is_champion = publish_workspace(workspace)
    console.summary(published, workspace.read_json("metrics.json", Results).test)
    role = (
        "champion"
        if is_champion
        else f"challenger; python -m train promote {published.manifest.version} makes it champion"
    )
    console.print(f"published {published.tag}, the {role}")
    digest = published.manifest.sha256[artifact.MODEL]
    workspace.write_json("published.json", {"tag": published.tag, artifact.MODEL: digest})


STAGES: dict[str, Callable[[Workspace, Console], None]] = {
    "check": check_stage,
    "split": split_stage,
    "fit": fit_stage,
    "export": export_stage,
    "evaluate": evaluate_stage,
    "gate": gate_stage,
    "publish": publish_stage,
}


def run(workspace: Workspace, names: Sequence[str], console: Console) -> None:
    """Run the stages called `names`; an error is recorded as a failed run."""
    console.print(f"training  {workspace.tag} from {workspace.dataset_path} and {workspace.model_path}")
    if "publish" in names:
        from train import tracking

        # Fails here, before the work, if MLflow does not respond.
        tracking.experiment(workspace.dataset.name)
    for name in names:
        try:
            STAGES[name](workspace, console)
        except (PipelineError, ConfigError, OSError, KeyboardInterrupt) as error:
            from train import tracking

            console.print(f"stopped   at {name}; MLflow has the run")
            try:
                tracking.record_failure(workspace, name, error)
            except PipelineError as another:
                console.print(f"          but recording it failed: {another}")
            raise
