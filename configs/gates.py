"""The gates file: what a model must show to enter the store, and who can promote it."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from configs.source import ConfigError, read

GATES_YAML = Path(__file__).with_name("gates.yaml")
Gain = Annotated[float, Meta(ge=-1, le=1)]
Share = Annotated[float, Meta(ge=0, le=1)]
RocAuc = Annotated[float, Meta(ge=0.5, le=1)]


class Fairness(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds on the differences between the groups of each audit in the dataset file."""

    least_approval_ratio: Share
    most_odds_difference: Share
    least_rows: Annotated[int, Meta(ge=1, le=1_000_000)]


class Margins(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far below its bound the lower limit of a figure may lie that the model has to show."""

    saving: Share
    roc_auc: Share
    test_roc_auc: Share


class Leak(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds beyond which a column was written after the outcome, or rows stand on both sides of the split."""

    most_column_roc_auc: RocAuc
    most_column_information_value: Annotated[float, Meta(ge=0, le=100)]
    most_column_purity: Annotated[float, Meta(ge=0.9, le=1)]
    most_shared_rows: Share


class Waiver(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A different bound for one gate of one dataset, and the reason."""

    dataset: str
    gate: str
    bound: float
    reason: Annotated[str, Meta(min_length=20)]


class Gates(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`configs/gates.yaml`, where each key has its unit, range and reason."""

    folds: Annotated[int, Meta(ge=2, le=20)]
    repeats: Annotated[int, Meta(ge=1, le=50)]
    confidence: Annotated[float, Meta(ge=0.5, le=0.999)]
    bootstrap: Annotated[int, Meta(ge=100, le=100_000)]
    baseline: str
    least_gain_over_baseline: Gain
    least_gain_over_champion: Gain
    calibration_slope: tuple[float, float]
    least_saving: float
    margins: Margins
    least_test_events: Annotated[int, Meta(ge=2, le=1_000_000)]
    most_departure: Share
    least_reasons_kept: Share
    fairness: Fairness
    leak: Leak
    onnx_difference: Annotated[float, Meta(ge=0, le=0.01)]
    most_artifact_bytes: Annotated[int, Meta(ge=1000, le=10_000_000_000)]
    most_latency_ratio: Annotated[float, Meta(ge=1, le=1000)]
    most_roc_auc: dict[str, RocAuc]
    approvers: tuple[str, ...] | dict[str, str]  # names, or names with the file of each one's public key
    waivers: tuple[Waiver, ...]

    def ceiling(self, dataset: str) -> float:
        """The ROC AUC above which a leak is suspected in the table named `dataset`."""
        return self.most_roc_auc.get(dataset, self.most_roc_auc["default"])


def read_gates(path: Path = GATES_YAML) -> Gates:
    """Read and check a gates file."""
    gates = read(path, Gates)
    if "default" not in gates.most_roc_auc:
        raise ConfigError(path, "most_roc_auc", "has no default", "add default: 0.95")
    low, high = gates.calibration_slope
    if not low < 1 < high:
        raise ConfigError(path, "calibration_slope", f"1 is not between {low:g} and {high:g}", "give a range around 1")
    return gates
