"""A log of decisions and their outcomes, by a model that is an artifact without a network."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest

from configs.dataset import Dataset
from configs.monitoring import Monitoring, read_monitoring
from models.artifact import BACKGROUND, DATASET, FILES, FORMAT, MANIFEST, METRICS, Manifest, sha256
from models.background import Background
from monitoring.records.decision_log import DecisionLog
from monitoring.records.lines import Row
from monitoring.records.log_keys import NO_KEYS
from monitoring.records.outcomes import Outcome, OutcomeStore

TAG = "loans:1f"
LOANS = {
    "name": "loans",
    "source": {"path": "loans.csv"},
    "target": {"column": "paid", "event": "no"},
    "costs": {"missed_event": 5, "false_alarm": 1},
    "features": [
        {"name": "home", "type": "categorical", "categories": ["own", "rent"]},
        {"name": "amount", "type": "number", "minimum": 1},
        {"name": "age", "type": "integer", "minimum": 18, "protected": True},
    ],
    "audit": [{"column": "age", "edges": [25]}],
}


@pytest.fixture
def settings(tmp_path: Path) -> Monitoring:
    """Of records in `tmp_path`."""
    return msgspec.structs.replace(read_monitoring(), directory=str(tmp_path))


def keep_version(settings: Monitoring, changes: dict[str, object] | None = None, roc_auc: float = 0.78) -> None:
    """Put the version among those that decided: all that its manifest names, and a network that nobody runs."""
    folder = Path(settings.directory, settings.models_archive, *TAG.split(":"))
    folder.mkdir(parents=True)
    content = dict.fromkeys(FILES, b"")
    content[DATASET] = msgspec.json.encode(msgspec.convert(LOANS | (changes or {}), Dataset))
    content[BACKGROUND] = Background(base_rate=0.3, applicants=({"amount": 1.0},)).encode()
    content[METRICS] = msgspec.json.encode({"rows": 200, "roc_auc": roc_auc})
    manifest = Manifest(
        format=FORMAT,
        name="loans",
        version="1f",
        trained_at="2026-11-01T00:00:00Z",
        threshold=1 / 6,
        commit="",
        data_sha256="",
        dataset_config="",
        model_config="",
        mlflow_run="",
        example={},
        sha256={name: sha256(one) for name, one in content.items()},
    )
    for name, one in (content | {MANIFEST: msgspec.json.encode(manifest)}).items():
        (folder / name).write_bytes(one)


def decide(settings: Monitoring, rows: int = 1200, seed: int = 0, first: int = 0, tag: str = TAG) -> list[Row]:
    """Log decisions on `A-<first>` and the following, in batches of 100."""
    drawn = np.random.default_rng(seed)
    probability = 1 / (1 + np.exp(-drawn.normal(-1.1, 1.25, rows)))
    decided = [
        Row(
            "http",
            float(p),
            "decline" if p >= 1 / 6 else "approve",
            Loan("rent" if p > 0.3 else "own", 100.0 + i % 7, 20 + i % 40, f"A-{first + i}"),
        )
        for i, p in enumerate(probability)
    ]
    log = DecisionLog(Path(settings.directory), segment_bytes=2**26)
    for start in range(0, rows, 100):
        log.append(tag, decided[start : start + 100])
    log.close()
    return decided


def report(settings: Monitoring, decided: list[Row], seed: int = 1, flipped: float = 0.0, keys=NO_KEYS) -> None:
    """Report outcomes that follow the probabilities, but for a share that is flipped."""
    drawn, now = np.random.default_rng(seed), datetime.now(UTC) - timedelta(minutes=1)
    happened = (drawn.random(len(decided)) < [row.probability for row in decided]) ^ (
        drawn.random(len(decided)) < flipped
    )
    store = OutcomeStore(settings, keys)
    store.keep(
        [Outcome(row.applicant.application_id, bool(event), now) for row, event in zip(decided, happened, strict=True)]
    )
    store.close()


Loan = msgspec.defstruct("Loan", [("home", str), ("amount", float), ("age", int), ("application_id", str)], gc=False)
