"""What the tests of the report share: artifact and profiles of the tests of drift, and figures made by hand."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from configs.monitoring import Monitoring
from monitoring.drift.looking import ColumnDrift
from monitoring.records.checkpoint import Checkpoint
from monitoring.report.figures import DAY, Figures, Group, Model
from monitoring.report.shapes import Column, Shape
from monitoring.report.traffic import Window
from monitoring.status import Status
from tests.monitoring.drift.conftest import served, settings, version  # noqa: F401 - fixtures

UNTIL = datetime(2026, 11, 27, tzinfo=UTC)


def drifted(column: str, *, breach: bool = False, **changes: Any) -> ColumnDrift:
    """The drift of one column."""
    values: dict[str, Any] = {field.name: 0.0 for field in msgspec.structs.fields(ColumnDrift)}
    values |= {"model": "shop:1", "column": column, "start": UNTIL - DAY, "until": UNTIL, "rows": 500, "breach": breach}
    return ColumnDrift(**values | changes)


@pytest.fixture(autouse=True)
def checkpoint(settings: Monitoring) -> None:  # noqa: F811 - the fixture
    """The checkpoint of profiles that no profiler has written, but for tests of records that are not there."""
    folder = Path(settings.directory) / "profiles"
    folder.mkdir(parents=True)
    (folder / "checkpoint.json").write_bytes(msgspec.json.encode(Checkpoint()))


@pytest.fixture
def make_figures() -> Callable[..., Figures]:
    """`make_figures(**changes)`: two weeks of a shop, of which one column has moved."""

    def make(**changes: Any) -> Figures:
        starts = [UNTIL - timedelta(hours=hours) for hours in range(14 * 24, 0, -1)]
        home = Shape("home", ("own", "rent", "free"), (), (0.6, 0.3, 0.1), (0.2, 0.7, 0.1))
        items = Shape("items", ("1", "2"), ("1", "2"), (0.5, 0.5), (0.5, 0.5))
        scores = Shape("probability", ("0 to 0.5", "0.5 to 1"), ("0", "0.5", "1"), (0.7, 0.3), (0.4, 0.6))
        drift = [drifted("home", breach=True, psi=0.6, psi_bound=0.1), drifted("items"), drifted("probability")]
        given: dict[str, Any] = {
            "made_at": UNTIL + timedelta(minutes=5),
            "since": UNTIL - DAY,
            "until": UNTIL,
            "model": Model(tag="shop:1", event="unpaid = yes", threshold=1 / 6),
            "status": Status(served=6720, logged=6720, profiled=6720, pending=0),
            "windows": tuple(Window("shop:1", start, 20, {"approve": 12, "decline": 8}, 0.2) for start in starts),
            "groups": (Group("sex", "f", 300, 0.5, 0.625), Group("sex", "m", 300, 0.8, 1.0)),
            "changes": ("As many applicants were scored as the week before.",),
            "columns": tuple(
                Column(shape, one, ((UNTIL - DAY, 0.01, 0.1), (UNTIL, one.psi, 0.1)))
                for shape, one in zip((home, items, scores), drift, strict=True)
            ),
        }
        return Figures(**given | changes)

    return make
