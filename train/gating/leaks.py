"""The verdicts on single columns: one that tells the outcome almost by itself was written after it.

Owns which columns are told. Leaves the figures to `train.checks.leaks` and `train.checks.exploration`, which the data
report holds, and the bounds to `leak` in `configs/gates.yaml`. Both stages judge by this: check, before anything is
trained, and gate, whose verdicts the model card repeats.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import structs

from configs.dataset import Dataset
from configs.gates import Gates
from train.errors import PipelineError
from train.evaluation.results import Verdict
from train.gating.verdicts import apply_waiver, exact

ROC_AUC, VALUE, PURITY = "column ROC AUC", "column information value", "column with one outcome"
KINDS = (ROC_AUC, VALUE, PURITY)
RESTATES = 0.95  # ROC AUC by itself from which a column is the target in other words


def judge(dataset: Dataset, gates: Gates, features: Iterable[Mapping[str, Any]]) -> list[Verdict]:
    """The verdicts after this dataset's waivers: for each figure the strongest column, and all beyond the bound.

    Args:
        dataset: the dataset file.
        gates: the bounds and the waivers.
        features: as in `data_report.json`; protected columns are no inputs, and are not judged.
    """
    waivers = {
        waiver.gate: waiver for waiver in gates.waivers if waiver.dataset == dataset.name and is_of_column(waiver.gate)
    }
    inputs = [feature for feature in features if not feature["protected"]]
    bounds = {
        ROC_AUC: ("roc_auc", gates.leak.most_column_roc_auc),
        VALUE: ("information_value", gates.leak.most_column_information_value),
        PURITY: ("purity", gates.leak.most_column_purity),
    }
    known = {f"{kind}, {feature['name']}" for kind in KINDS for feature in inputs}
    if inputs and (stray := waivers.keys() - known):
        remedy = f"name one as in {KINDS[0]}, {inputs[0]['name']}"
        raise PipelineError(f"waivers of columns that are no inputs: {', '.join(sorted(stray))}; {remedy}")
    verdicts = []
    for kind, (key, bound) in bounds.items():
        strongest = max(inputs, key=lambda feature: feature[key], default=None)
        for feature in inputs:
            gate = f"{kind}, {feature['name']}"
            verdict = exact(gate, feature[key], bound, _remedy(dataset, feature, gate))
            if (feature is strongest and feature[key]) or verdict.status != "pass" or gate in waivers:
                verdicts.append(apply_waiver(verdict, waivers.get(gate)))
    return verdicts


def is_of_column(gate: str) -> bool:
    """Whether a gate, as a waiver names it, is one of these."""
    return gate.partition(",")[0] in KINDS


def without_column_waivers(gates: Gates) -> Gates:
    """The gates with the waivers of the other gates."""
    return structs.replace(gates, waivers=tuple(waiver for waiver in gates.waivers if not is_of_column(waiver.gate)))


def _remedy(dataset: Dataset, feature: Mapping[str, Any], gate: str) -> str:
    name = feature["name"]
    about = f"{feature['telling']}; " if feature["telling"] else ""
    if feature["roc_auc"] >= RESTATES:
        about += f"it is {dataset.target.column!r} in other words; "
    return (
        f"{about}remove {name!r} if it is known only after the decision, or waive it by name with a reason: "
        f"gate: {gate} (configs/gates.yaml)"
    )
