"""The monitoring file: where the decision log is kept, and how it is profiled."""

import os
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from configs.source import read

MONITORING_YAML = Path(__file__).with_name("monitoring.yaml")


class Monitoring(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`configs/monitoring.yaml`, where each key has its unit, range and reason."""

    directory: str
    segment_bytes: Annotated[int, Meta(ge=1_048_576, le=1_073_741_824)]
    segment_s: Annotated[int, Meta(ge=60, le=2_592_000)]
    sync: Literal["none", "interval", "batch"]
    sync_interval_ms: Annotated[int, Meta(ge=10, le=60_000)]
    when_log_fails: Literal["refuse", "score"]
    seal_key_file: str
    seal_public_keys_file: str
    outcomes_url: Annotated[str, Meta(pattern=r"^(postgres(ql)?://\S+)?$")]
    performance_least_outcomes: Annotated[int, Meta(ge=20, le=1_000_000)]
    performance_confidence: Annotated[float, Meta(ge=0.5, le=0.9999)]
    performance_most_auc_loss: Annotated[float, Meta(ge=0, le=0.5)]
    performance_false_alarms_per_year: Annotated[float, Meta(ge=0.001, le=0.9)]
    retention_days: Annotated[int, Meta(ge=0, le=36_500)]
    window_s: Annotated[int, Meta(ge=60, le=86_400)]
    least_window_rows: Annotated[int, Meta(ge=1, le=100_000)]
    interval_s: Annotated[float, Meta(ge=0.05, le=60)]
    frame_rows: Annotated[int, Meta(ge=1, le=65_536)]
    models_archive: Annotated[str, Meta(min_length=1)]
    watch_every_s: Annotated[int, Meta(ge=0, le=86_400)]
    watch_profile_lag_s: Annotated[int, Meta(ge=10, le=604_800)]
    watch_no_traffic_s: Annotated[int, Meta(ge=0, le=2_592_000)]
    watch_model_age_days: Annotated[int, Meta(ge=0, le=3_650)]
    watch_free_bytes: Annotated[int, Meta(ge=0, le=1 << 40)]
    action_webhook_endpoint: Annotated[str, Meta(pattern=r"^(https?://\S+)?$")]
    action_github_repository: str
    action_github_endpoint: Annotated[str, Meta(pattern=r"^https?://\S+$")]
    action_repeat_s: Annotated[int, Meta(ge=0, le=31_536_000)]
    action_timeout_s: Annotated[float, Meta(ge=0.1, le=60)]
    drift_window_rows: Annotated[int, Meta(ge=50, le=1_000_000)]
    drift_least_rows: Annotated[int, Meta(ge=1, le=1_000_000)]
    drift_psi: Annotated[float, Meta(ge=0.01, le=10)]
    drift_ks: Annotated[float, Meta(ge=0.01, le=1)]
    drift_share: Annotated[float, Meta(ge=0, le=1)]
    drift_bins: Annotated[int, Meta(ge=2, le=100)]
    drift_replicas: str
    most_false_alarms_per_year: Annotated[float, Meta(ge=0.001, le=1000)]


def read_monitoring(path: Path = MONITORING_YAML) -> Monitoring:
    """Read the file; `SCORER_DIRECTORY`, `SCORER_WINDOW_S` … in the environment override it."""
    return read(path, Monitoring, os.environ)
