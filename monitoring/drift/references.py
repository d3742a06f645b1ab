"""What the windows of a model are compared with: the profile in its artifact, counted column by column.

Owns: which columns of a version are compared, and finding its reference. Leaves to others: finding the artifact
(models_archive), counting (columns).

Features are compared with the rows that the model was fitted to; `probability` and `decision` with those of rows that
it has not seen, as it is surer of those that it has. Versions made before references had these two have no drift of
them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import msgspec

from configs.dataset import Dataset
from configs.monitoring import Monitoring
from models.artifact import DATASET, REFERENCE
from models.deciding import APPROVE, DECLINE, REFER
from monitoring.drift.columns import TOLERANCE, Counts, Layout, layout_of
from monitoring.profiles import whylogs_compat as why
from monitoring.records.models_archive import find_model

PROBABILITY, DECISION = "probability", "decision"


@dataclass(frozen=True, eq=False)  # compared by identity, as it is the key of what was counted by it
class Reference:
    """The reference of one version.

    Attributes:
        model: `<name>:<version>`.
        layouts: by column, in the order of the dataset file; probability and decision come last.
        counts: the rows of the reference, by column.
        optional: columns that a caller may never send.
    """

    model: str
    layouts: dict[str, Layout]
    counts: dict[str, Counts]
    optional: frozenset[str]


def reference_of(settings: Monitoring, environment: Mapping[str, str], model: str) -> Reference:
    """Return the reference of a version.

    Raises:
        VersionGone: its artifact is not to be found, or damaged.
    """
    found = find_model(settings, environment, model)
    digests = found.manifest.sha256[DATASET], found.manifest.sha256[REFERENCE]
    return _read(model, found.folder, digests, settings.drift_bins)


@lru_cache(maxsize=16)
def _read(model: str, folder: Path, _: tuple[str, str], bins: int) -> Reference:
    """The reference in a folder that has been verified; once for each content of its files."""
    dataset = msgspec.json.decode((folder / DATASET).read_bytes(), type=Dataset)
    return make_reference(model, dataset, why.read_sketches((folder / REFERENCE).read_bytes()), bins)


def make_reference(model: str, dataset: Dataset, profile: Mapping[str, why.ColumnSketch], bins: int) -> Reference:
    """Return the reference that a profile is; columns without a row in it are left out.

    Args:
        model: `<name>:<version>`.
        dataset: the dataset file of the version.
        profile: what the profile of the rows to compare with counts, by column.
        bins: of a numeric column, at most.
    """
    columns: dict[str, tuple[str, ...] | None] = {
        feature.name: feature.categories if feature.type == "categorical" else None for feature in dataset.features
    }
    columns |= {PROBABILITY: None, DECISION: (APPROVE, DECLINE, REFER)}
    layouts, counts = {}, {}
    for name, categories in columns.items():
        column = profile.get(name)
        if column is None:
            continue
        layout = layout_of(name, categories, column, bins, TOLERANCE if name == PROBABILITY else 0.0)
        counted = layout.count(column)
        if counted.rows:
            layouts[name], counts[name] = layout, counted
    optional = frozenset(feature.name for feature in dataset.features if feature.protected)
    return Reference(model, layouts, counts, optional)
