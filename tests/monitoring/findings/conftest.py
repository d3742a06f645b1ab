"""Settings for records in a folder of the test, with all else as shipped."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from configs.monitoring import Monitoring, read_monitoring


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Monitoring]:
    """`settings(**changes)`; the free space of the machine that tests is no matter unless a test says so."""

    def make(**changes: object) -> Monitoring:
        return msgspec.structs.replace(
            read_monitoring(), **{"directory": str(tmp_path), "watch_free_bytes": 0, **changes}
        )

    return make
