"""The stages in their order: data, checks, split, fit, export, evaluate, publish.

Values go from stage to stage; nothing reaches the BentoML store before everything else has succeeded.
"""

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from configs.dataset import Dataset
from configs.model import ModelConfig
from models import artifact
from models.artifact import Artifact
from models.schema import Schema
from monitoring.profiles import profile_columns, serialize
from train import figures, tracking
from train.card import model_card
from train.check import check
from train.console import Console
from train.evaluate import Metrics, evaluate
from train.export import export
from train.fit import fit
from train.publish import publish, typical_applicant
from train.split import least_of_each, split
from train.version import commit, data_sha256, model_version


def train(
    dataset: Dataset, config: ModelConfig, dataset_path: Path, model_path: Path, console: Console
) -> tuple[Artifact, Metrics]:
    """Run every stage and publish; returns the artifact in the store and its test metrics."""
    schema = Schema(dataset)
    version, digest, revision = model_version(dataset, config), data_sha256(dataset), commit()

    table = check(dataset, least_of_each(config))
    console.say(f"checked   {len(table.target):,} rows, {table.target.mean():.1%} {dataset.target.event}")
    training_rows, test_rows = split(table.target, config.split.test, config.split.seed)
    training, test = table.rows(training_rows), table.rows(test_rows)
    console.say(f"split     {len(training_rows):,} to train, {len(test_rows):,} to test")

    tags = {"version": version, "commit": revision, "data_sha256": digest}
    with tracking.run(dataset.name, f"{model_path.stem}-{version[:8]}", tags) as run_id:
        tracking.log_config(msgspec.to_builtins(config) | {"dataset": str(dataset_path), "model": str(model_path)})
        with console.epochs(config.training.epochs) as advance:
            fitted = fit(schema, training, config, advance)
        tracking.log_epochs(run_id, fitted.epochs)
        console.say("exporting to ONNX and comparing it with PyTorch")
        model = export(schema, fitted.network, table)
        scorer = artifact.Scorer(model, schema)
        probability = scorer.probabilities(schema.feed_columns(test.columns))
        metrics = evaluate(test.target, probability, dataset.costs, dataset.threshold)
        card = model_card(
            dataset,
            config,
            version,
            metrics,
            {"trained on": f"{len(training_rows):,} rows", "commit": revision or "unknown"},
        )
        drawn = {
            "learning_curves": figures.learning_curves(fitted.epochs),
            "roc": figures.roc(test.target, probability, metrics.roc_auc),
            "precision_recall": figures.precision_recall(test.target, probability),
            "calibration": figures.calibration(test.target, probability),
            "scores": figures.scores(test.target, probability, dataset.threshold),
            "cost": figures.cost_over_threshold(test.target, probability, dataset.costs, dataset.threshold),
            "confusion": figures.confusion(test.target, probability, dataset.threshold),
        }
        tracking.log_result(metrics.as_dict(), drawn, card)
        tracking.log_model(model, schema)
        epoch = datetime.fromtimestamp(0, UTC)  # the reference belongs to no hour; its bytes must not either
        reference = profile_columns(training.columns, f"{dataset.name}:{version}", epoch)
        files = {
            artifact.MODEL: model,
            artifact.DATASET: msgspec.json.format(msgspec.json.encode(dataset)),
            artifact.REFERENCE: serialize(reference),
            artifact.METRICS: msgspec.json.format(msgspec.json.encode(metrics.as_dict())),
            artifact.CARD: card.encode(),
        }
        published = publish(
            dataset,
            version,
            files,
            labels={
                "commit": revision or "unknown",
                "data_sha256": digest[:16],
                "dataset_config": dataset_path.stem,
                "model_config": model_path.stem,
                "mlflow_run": run_id,
                "test_roc_auc": f"{metrics.roc_auc:.4f}",
                "test_cost": f"{metrics.cost:.4f}",
            },
            commit=revision,
            data_sha256=digest,
            dataset_config=dataset_path.as_posix(),
            model_config=model_path.as_posix(),
            mlflow_run=run_id,
            example=typical_applicant(schema, training),
        )
    return published, metrics
