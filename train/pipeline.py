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
    from train.evaluation.results import Importance


def check_stage(workspace: Workspace, console: Console) -> None:
    """The table, checked → `table.parquet`, and the data report."""
    from configs.checks import read_checks
    from train.check import check
    from train.checks.data_report import as_json, drift_page, page
    from train.checks.quality import assess
    from train.publishing.store import champion_of_store
    from train.split import min_rows_per_class

    dataset, found = workspace.dataset, champion_of_store(workspace.dataset.name)
    table = check(dataset, min_rows_per_class(workspace.config))
    reference = (found.folder / artifact.REFERENCE).read_bytes() if found else None
    report = assess(dataset, table, read_checks(), reference)
    workspace.write("data_report.json", as_json(report.as_dict()))
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
    from train.split import split

    settings = workspace.config.split
    training, test = split(workspace.table.target, settings.test, settings.seed)
    in_test = np.zeros(len(training) + len(test), dtype=np.bool_)
    in_test[test] = True
    workspace.write_array("split.npy", in_test)
    console.print(f"split     {len(training):,} to train, {len(test):,} to test")


def fit_stage(workspace: Workspace, console: Console) -> None:
    """The training part → `network.npz`, and the learning curves."""
    from train.fit import fit
    from train.network import weights

    config = workspace.config
    with console.progress("fitting  ", config.training.epochs) as advance:
        fitted = fit(
            workspace.schema,
            workspace.parts[0],
            config,
            lambda epoch: advance(f"loss {epoch.training_loss:.4f}, held out {epoch.validation_loss:.4f}"),
        )
    with workspace.writing("network.npz") as path:
        weights.save(fitted.network, path)
    workspace.write_json("epochs.json", fitted.epochs)
    names = ("number", "training_loss", "validation_loss", "training_accuracy", "validation_accuracy")
    workspace.write_csv(
        "plots/epochs.csv", {name: [float(getattr(epoch, name)) for epoch in fitted.epochs] for name in names}
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
    """The test part → `metrics.json` and plots; folds of the training part → `evidence.json`."""
    from models.scorer import Scorer
    from train.evaluate import evaluate
    from train.evaluation.evidence import gather_evidence, permutation_importance
    from train.evaluation.reasons import reasons_kept
    from train.evaluation.results import Results
    from train.evaluation.scoring import onnx_probabilities
    from train.evaluation.walk import walks

    dataset, gates = workspace.dataset, workspace.gates
    training, test = workspace.parts
    scorer = Scorer(workspace.path("model.onnx"), workspace.schema)
    probability = onnx_probabilities(scorer, workspace.schema.feed_columns(test.columns))
    metrics = evaluate(test.target, probability, dataset.costs, dataset.threshold)
    importance = permutation_importance(workspace.schema, scorer, test)
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
            lambda: advance("folds"),
        )
    workspace.write_json("evidence.json", evidence)
    held_out = {name: estimate.value for name, estimate in next(iter(evidence.candidates.values())).items()}
    workspace.write_json("metrics.json", Results(metrics, held_out))
    _write_plots(workspace, test, probability, importance)


def _write_plots(workspace: Workspace, test: Table, probability: np.ndarray, importance: "list[Importance]") -> None:
    """Plots for people, and the points of the main curves for `dvc plots`."""
    from sklearn.metrics import classification_report

    from train.evaluation import figures
    from train.network.epoch import Epoch

    dataset = workspace.dataset
    declined = probability >= dataset.threshold
    report = classification_report(test.target, declined, target_names=["no event", "event"], zero_division=0)
    workspace.write("classification_report.txt", report.encode())
    epochs = workspace.read_json("epochs.json", list[Epoch])
    drawn = figures.all_of(test.target, probability, dataset.costs, dataset.threshold, epochs, importance)
    for name, figure in drawn.items():
        workspace.write(f"figures/{name}.png", figures.png(figure))
    for name, columns in figures.points(test.target, probability, dataset.costs).items():
        workspace.write_csv(f"plots/{name}.csv", columns)


def gate_stage(workspace: Workspace, console: Console) -> None:
    """Evidence and bounds → `gates.json`; raises if a gate fails."""
    from train import gate
    from train.evaluation.results import Evidence, GateError

    evidence = workspace.read_json("evidence.json", Evidence)
    measured, latency_ratio = gate.judge_graph(workspace)
    verdicts = gate.judge(workspace.dataset, workspace.gates, evidence) + measured
    verdicts = gate.apply_waivers(workspace.dataset, workspace.gates, verdicts)
    workspace.write_json("gates.json", verdicts)
    # This verdict depends on this machine's store, so it is not part of DVC's output.
    verdicts += gate.compare_with_champion(workspace, evidence)
    console.verdicts(verdicts, latency_ratio)
    failed = [verdict for verdict in verdicts if verdict.status == "fail"]
    if failed:
        raise GateError(failed)


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
