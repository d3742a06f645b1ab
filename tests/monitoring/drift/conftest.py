"""A model's artifact without a graph, and profiles of what it decided."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from benchmarks.drift_windows import write_version
from configs.dataset import Audit, Dataset, Source, Target
from configs.feature import Feature
from configs.monitoring import Monitoring, read_monitoring
from configs.policy import Costs
from monitoring.profiles.profile import profile_columns
from monitoring.profiles.whylogs_compat import serialize
from monitoring.profiles.windows import profile_path

MODEL = "shop:1"
MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
DATASET = Dataset(
    name="shop",
    source=Source(path="shop.csv"),
    target=Target(column="unpaid", event="yes"),
    costs=Costs(missed_event=5, false_alarm=1),
    features=(
        Feature(name="income", type="number"),
        Feature(name="home", type="categorical", categories=("own", "rent", "free")),
        Feature(name="items", type="integer", minimum=0, nullable=True),
        Feature(name="sex", type="categorical", categories=("f", "m"), protected=True),
    ),
    audit=(Audit(column="sex", groups={"women": ("f",), "men": ("m",)}),),
)


def draw(rows: int, seed: int, shift: float = 0.0) -> dict[str, list[Any]]:
    """Columns of `rows` applicants; `shift` is that of the income, in standard deviations."""
    drawn = np.random.default_rng(seed)
    probability = drawn.beta(2, 6, rows)
    return {
        "income": drawn.normal(shift, 1, rows).tolist(),
        "home": drawn.choice(["own", "rent", "free"], rows, p=[0.6, 0.3, 0.1]).tolist(),
        "items": [None if value > 4 else float(value) for value in drawn.integers(0, 6, rows)],
        "sex": drawn.choice(["f", "m"], rows).tolist(),
        "probability": probability.tolist(),
        "decision": np.where(probability >= 1 / 6, "decline", "approve").tolist(),
    }


@pytest.fixture
def settings(tmp_path: Path) -> Monitoring:
    """The shipped ones, with records in `tmp_path`."""
    return msgspec.structs.replace(read_monitoring(), directory=str(tmp_path / "var"))


@pytest.fixture
def version(settings: Monitoring) -> Callable[..., None]:
    """`version(**columns)` archives `MODEL` with a reference profile of these columns; of 800 rows by default."""

    def write(**columns: Any) -> None:
        archive = Path(settings.directory, settings.models_archive)
        write_version(archive, DATASET, MODEL, serialize(profile_columns(columns or draw(800, 0), MODEL, MONDAY)))

    return write


@pytest.fixture
def served(settings: Monitoring) -> Callable[..., Path]:
    """`served(hours, **columns)` writes the profile of what was served in the hour that begins `hours` after MONDAY."""

    def write(hours: float, **columns: Any) -> Path:
        start = MONDAY + timedelta(hours=hours)
        path = profile_path(Path(settings.directory) / "profiles", MODEL, start)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(serialize(profile_columns(columns, MODEL, start)))
        return path

    return write
