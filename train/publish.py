"""Stage publish: records the model as a run in MLflow, a registered version, and an artifact in the BentoML store.

The model is judged again first, by the bounds, the data and the champion of this moment: whoever calls this stage
alone, after a gate has failed or a file was replaced, gets no further than `python -m train` would.
"""

from collections import Counter
from statistics import median_low
from typing import Any

import mlflow
import msgspec

from configs.feature import Feature
from models import artifact
from models.artifact import Artifact
from models.schema import Schema
from models.scorer import Scorer
from signatures.model import write_signature
from train import registry, tracking
from train.alternatives.record import choices
from train.alternatives.section import section
from train.errors import PipelineError
from train.evaluation.results import Evidence, GateError, Results
from train.evaluation.scoring import onnx_probabilities
from train.exclusive import exclusively
from train.gate import judge_workspace, rival
from train.gating.judgement import Judgement
from train.publishing import seen_rows, store
from train.publishing.background import background
from train.publishing.model_card import html_page, model_card
from train.publishing.points_table import points_table
from train.publishing.reference import reference_profile
from train.tables.table import Table
from train.validation import stability
from train.version import commit, data_sha256
from train.workspace import Workspace


def publish_workspace(workspace: Workspace) -> tuple[Artifact, bool]:
    """Publish the workspace; returns the artifact in the store, and whether it became the champion."""
    judgement = passed(workspace)
    # Two that publish at once must not both be the first, nor register or store one version twice.
    with exclusively(store.home()):
        if judgement.champion != rival(workspace):  # another was promoted while this one was judged
            judgement = passed(workspace)
        return _publish(workspace, judgement)


def passed(workspace: Workspace) -> Judgement:
    """The judgement of this moment; raises where a gate has failed."""
    judgement, _ = judge_workspace(workspace)
    if judgement.failed:
        raise GateError(judgement.failed)
    return judgement


def _publish(workspace: Workspace, judgement: Judgement) -> tuple[Artifact, bool]:
    dataset, version = workspace.dataset, workspace.version
    files = artifact_files(workspace, judgement)
    store.refuse_another(dataset.name, version, files)  # before the registry knows of it
    workspace.write("model_card.md", files[artifact.CARD])
    workspace.write("model_card.html", files[artifact.CARD_PAGE])
    example = typical_applicant(workspace.schema, workspace.parts[0])
    counts = Counter(verdict.status for verdict in judgement.verdicts)
    evidence = ", ".join(f"{count} {status}" for status, count in counts.items())
    with tracking.run(workspace) as run_id:
        mlflow.set_tags({"gates": evidence, "attempt": str(judgement.attempt)})
        address = tracking.log_model(files[artifact.MODEL], workspace.schema, example)
        number = registry.register(dataset.name, version, run_id, address, artifact.sha256(files[artifact.MODEL]))
        mlflow.set_tags({"bentoml": workspace.tag, "registered": f"{dataset.name} {number}"})
        metrics = workspace.read_json("metrics.json", Results).test
        published = store.put(
            dataset,
            version,
            files,
            labels={
                "commit": commit() or "unknown",
                "data_sha256": data_sha256(dataset)[:16],
                "dataset_config": workspace.dataset_path.stem,
                "model_config": workspace.model_path.stem,
                "mlflow_run": run_id,
                "mlflow_version": number,
                "test_roc_auc": f"{metrics.roc_auc:.4f}",
                "test_cost": f"{metrics.cost:.4f}",
            },
            commit=commit(),
            data_sha256=data_sha256(dataset),
            dataset_config=workspace.dataset_path.as_posix(),
            model_config=workspace.model_path.as_posix(),
            mlflow_run=run_id,
            example=example,
        )
        if workspace.signing_key:  # before it can be the champion
            write_signature(published.folder, workspace.signing_key)
        is_champion = not workspace.gates.approvers and registry.promote_first(
            dataset.name, version, f"run {run_id}: gates {evidence}", workspace.signing_key
        )
    return published, is_champion


def artifact_files(workspace: Workspace, judgement: Judgement) -> dict[str, bytes]:
    """Every file of the artifact but its manifest; the same inputs give the same bytes."""
    dataset, (training, test) = workspace.dataset, workspace.parts
    metrics = workspace.read_json("metrics.json", Results).test
    model = workspace.path("model.onnx").read_bytes()
    reference, stable = background(workspace.schema, model, training), stability.recorded(workspace)
    scored = onnx_probabilities(Scorer(model, workspace.schema), workspace.schema.feed_columns(test.columns))
    card = model_card(
        dataset,
        workspace.config,
        workspace.version,
        metrics,
        workspace.read_json("evidence.json", Evidence),
        judgement,
        workspace.read_json("data_report.json", dict[str, Any]),
        reference,
        {
            "trained on": f"{len(training.target):,} rows of `{dataset.source.path}`",
            "data sha256": f"`{data_sha256(dataset)}`",
            "commit": f"`{commit() or 'unknown'}`",
            "to reproduce": f"`make train DATASET={workspace.dataset_path} MODEL={workspace.model_path}`",
        },
        points_table(workspace.schema, workspace.config, training),
        stable,
        section(dataset, workspace.config, choices(dataset.name), workspace.gates.approvers),
    )
    pictures = {path.stem: path.read_bytes() for path in sorted(workspace.path("figures").glob("*.png"))}
    if stable is not None:
        pictures["stability"] = workspace.path(stability.FIGURE).read_bytes()
    return {
        artifact.MODEL: model,
        artifact.ENCODED: workspace.path("encoded.onnx").read_bytes(),
        artifact.DATASET: msgspec.json.format(msgspec.json.encode(dataset)),
        artifact.REFERENCE: reference_profile(dataset, workspace.tag, training, test, scored),
        artifact.BACKGROUND: reference.encode(),
        artifact.METRICS: msgspec.json.format(msgspec.json.encode(metrics.as_dict())),
        artifact.CARD: card.encode(),
        artifact.CARD_PAGE: html_page(card, workspace.tag, pictures).encode(),
        artifact.SEEN: seen_rows.encode(training),
        artifact.CONFIG: msgspec.json.format(msgspec.json.encode(workspace.config)),
    }


def typical_applicant(schema: Schema, table: Table) -> dict[str, Any]:
    """The most common category or median number of each feature: an example that is not a real record."""
    example: dict[str, Any] = {}
    for feature in schema.dataset.features:
        values = [value for value in table.columns[feature.name] if value is not None]
        if values:
            example[feature.name] = _typical(feature, values)
        elif not schema.optional(feature):
            raise PipelineError(f"column {feature.name!r} has no values; remove the feature from the dataset file")
    return example


def _typical(feature: Feature, values: list[Any]) -> Any:
    if feature.type == "categorical":
        counts = Counter(values)
        return max(sorted(counts), key=counts.__getitem__)
    middle = median_low(values)
    return int(middle) if feature.type == "integer" else middle
