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
from monitoring.profiles.whylogs_compat import DatasetProfileView, read_sketches, serialize

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


class Shift:
    """Another population in one column, of which windows can be drawn.

    The weight of a decile, or of a category in the order of its name, grows exponentially from one to the next.

    Args:
        population: the values of the column, NaN where a number is missing.
        psi: of the other population, in those deciles or categories.
    """

    def __init__(self, population: Column, psi: float) -> None:
        texts = population.dtype.kind in "OU"
        known = population if texts else population[~np.isnan(population.astype(np.float64))]
        if texts:
            places = np.unique(known.astype(str), return_inverse=True)[1]
        else:
            places = np.searchsorted(bin_edges(known, BINS), known, "right")
        shares = np.bincount(places) / len(known)
        low, high = 0.0, 20.0
        for _ in range(60):  # the PSI grows with the slope
            slope = (low + high) / 2
            tilted = shares * np.exp(slope * np.linspace(-1, 1, len(shares)))
            tilted /= tilted.sum()
            found = float(np.sum((tilted - shares) * np.log(tilted / shares)))
            low, high = (slope, high) if found < psi else (low, slope)
        self._known, self._reached = known, np.cumsum((tilted / shares)[places])
        self._missing = 1 - len(known) / len(population)

    def draw(self, rows: int, number: int) -> Column:
        """The column in window `number`, `[rows]`, with as many missing numbers as before."""
        random = np.random.default_rng([SEED, number, 2])
        places = np.searchsorted(self._reached, random.random(rows) * self._reached[-1], "right")
        drawn: Column = self._known[places]
        return np.where(random.random(rows) < self._missing, np.nan, drawn) if self._missing else drawn


def reference(rows: int, number: int) -> Reference:
    """The reference of a model that was fitted to window `number`."""
    return make_reference(MODEL, DATASET, read_sketches(serialize(profile(draw(rows, number)))), BINS)


def profile(drawn: dict[str, Column]) -> DatasetProfileView:
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
