"""Windows of applicants with and without drift, from seeds: what `benchmarks.monitoring` judges detectors by.

Owns drawing them, as rows and as exact counts. Applicants are those of `benchmarks.credit_tables`, with a probability
and a decision; a shifted window differs in one column alone, whose PSI from the population is known.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks import credit_tables
from configs.dataset import Dataset
from models import artifact
from models.background import Background
from models.deciding import APPROVE, DECLINE
from monitoring.drift.columns import Counts, Layout
from monitoring.drift.references import Reference, make_reference
from monitoring.drift.statistics import bin_edges
from monitoring.profiles.profile import profile_columns

Column = NDArray[Any]
DATASET: Dataset = credit_tables.dataset(0)
THRESHOLD = 1 / 9  # that the costs imply
POPULATION_ROWS = 50_000
BINS = 10
MODEL = "generated:1"
MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
SEED = 20261127


def draw(rows: int, number: int) -> dict[str, Column]:
    """The columns of window `number`, each `[rows]`, NaN where a number is missing; the same for the same arguments."""
    drawn = credit_tables.columns(rows, number, SEED)
    del drawn[DATASET.target.column]
    probability = np.random.default_rng([SEED, number, 1]).beta(1.5, 6, rows)
    return drawn | {
        "probability": probability,
        "decision": np.where(probability >= THRESHOLD, DECLINE, APPROVE).astype(object),
    }


def shift(drawn: dict[str, Column], name: str, psi: float, population: dict[str, Column], number: int) -> None:
    """Draw one column of a window anew, from a population whose PSI from `population` is `psi` in its deciles.

    The weight of a decile, or of a category in the order of the dataset file, grows exponentially from one to the next.
    """
    values, rows = population[name], len(drawn[name])
    texts = values.dtype.kind in "OU"
    known = values if texts else values[~np.isnan(values.astype(np.float64))]
    places = (
        np.unique(known, return_inverse=True)[1] if texts else np.searchsorted(bin_edges(known, BINS), known, "right")
    )
    shares = np.bincount(places) / len(known)
    steps = np.linspace(-1, 1, len(shares))
    low, high = 0.0, 20.0
    for _ in range(60):  # the PSI grows with the slope
        slope = (low + high) / 2
        tilted = shares * np.exp(slope * steps)
        tilted /= tilted.sum()
        found = float(np.sum((tilted - shares) * np.log(tilted / shares)))
        low, high = (slope, high) if found < psi else (low, slope)
    weights = (tilted / shares)[places] / len(known)
    random = np.random.default_rng([SEED, number, 2])
    anew = known[np.searchsorted(np.cumsum(weights), random.random(rows) * weights.sum())]
    missing = np.zeros(rows, bool) if texts else np.isnan(drawn[name].astype(np.float64))
    drawn[name] = anew if texts else np.where(missing, np.nan, anew)


def reference(rows: int, number: int) -> Reference:
    """The reference of a model that was fitted to window `number`."""
    return make_reference(MODEL, DATASET, profile(draw(rows, number)), BINS)


def profile(drawn: dict[str, Column]) -> Any:
    """The whylogs profile of a window, of which the rows are read in order."""
    return profile_columns(drawn, MODEL, MIDNIGHT)


def counted(layout: Layout, values: Column) -> Counts:
    """The counts of a column, exactly: what `Layout.count` finds in a sketch."""
    if layout.categories is not None:
        texts, counts = np.unique(values.astype(str), return_counts=True)
        known = dict(zip(texts.tolist(), counts.tolist(), strict=True))
        return Counts(len(values), 0, np.array([known.get(one, 0) for one in layout.categories], dtype=np.int64))
    numbers = np.sort(values.astype(np.float64))
    numbers = numbers[~np.isnan(numbers)]
    below = np.searchsorted(numbers, layout.at, "left")
    return Counts(len(values), len(values) - len(numbers), below.astype(np.int64), len(numbers))


def write_version(archive: Path, dataset: Dataset, model: str, reference_profile: bytes) -> None:
    """Write the artifact of a version that scores nothing: all that drift needs of one."""
    folder = archive.joinpath(*model.split(":"))
    folder.mkdir(parents=True)
    files = dict.fromkeys(artifact.FILES, b"{}")
    files[artifact.DATASET] = msgspec.json.encode(dataset)
    files[artifact.BACKGROUND] = Background(base_rate=0.3, applicants=({},)).encode()
    files[artifact.REFERENCE] = reference_profile
    manifest = artifact.Manifest(
        format=artifact.FORMAT,
        name=folder.parent.name,
        version=folder.name,
        trained_at="2026-01-01T00:00:00Z",
        threshold=dataset.threshold,
        commit="",
        data_sha256="",
        dataset_config="",
        model_config="",
        mlflow_run="",
        example={},
        sha256={name: artifact.sha256(content) for name, content in files.items()},
    )
    for name, content in {**files, artifact.MANIFEST: msgspec.json.encode(manifest)}.items():
        (folder / name).write_bytes(content)
