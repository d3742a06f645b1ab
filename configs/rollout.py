"""The rollout file: how instances are started behind HAProxy, and what a canary is judged by."""

from itertools import pairwise
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from configs.source import ConfigError, read

ROLLOUT_YAML = Path(__file__).with_name("rollout.yaml")
PLACEHOLDERS = ("bin", "bento", "version", "port", "grpc_port")

Share = Annotated[float, Meta(ge=0, le=1)]
Text = Annotated[str, Meta(min_length=1)]


class Canary(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The steps of a canary."""

    steps: Annotated[tuple[Annotated[int, Meta(ge=1, le=100)], ...], Meta(min_length=1, max_length=100)]
    step_s: Annotated[float, Meta(ge=0, le=86_400)]
    least_requests: Annotated[int, Meta(ge=1, le=1_000_000)]
    most_step_s: Annotated[float, Meta(ge=1, le=604_800)]
    interval_s: Annotated[float, Meta(ge=0.05, le=10)]


class Objectives(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a canary must keep, most of it beside the stable instance."""

    confidence: Annotated[float, Meta(ge=0.9, le=0.999999)]
    availability: Annotated[float, Meta(ge=0.5, le=0.99999)]
    least_budget: Annotated[int, Meta(ge=1, le=10_000)]
    failing_gap: Share
    refused_gap: Share
    latency_ms: Annotated[float, Meta(ge=1, le=60_000)]
    latency_ratio: Annotated[float, Meta(ge=1, le=100)]
    latency_gap_ms: Annotated[float, Meta(ge=0, le=60_000)]
    least_latency_requests: Annotated[int, Meta(ge=1, le=100_000)]
    stalled_s: Annotated[float, Meta(ge=0.5, le=600)]
    decision_gap: Share
    approval_ratio: Share
    approval_ratio_drop: Share
    least_rows: Annotated[int, Meta(ge=1, le=1_000_000)]


class RolloutConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`configs/rollout.yaml`, where each key has its unit, range and reason."""

    directory: Text
    haproxy: Text
    host: Text
    port: Annotated[int, Meta(ge=1, le=65_535)]
    grpc_port: Annotated[int, Meta(ge=0, le=65_535)]
    most_connections: Annotated[int, Meta(ge=1, le=100_000)]
    repeated_body_bytes: Annotated[int, Meta(ge=16_384, le=1_048_576)]
    bento: Annotated[str, Meta(pattern=r"^[a-z0-9_.-]+$")]
    command: Annotated[tuple[Text, ...], Meta(min_length=1)]
    environment: dict[str, str]
    ready_s: Annotated[float, Meta(ge=1, le=3600)]
    warm_up_requests: Annotated[int, Meta(ge=1, le=10_000)]
    drain_s: Annotated[float, Meta(ge=1, le=3600)]
    stop_s: Annotated[float, Meta(ge=1, le=3600)]
    rollback_s: Annotated[float, Meta(ge=1, le=60)]
    canary: Canary
    objectives: Objectives

    @property
    def starts_bentos(self) -> bool:
        """Whether an instance is a bento of the store, and not something else that the command starts."""
        return any("{bento}" in part for part in self.command)


def read_rollout(path: Path = ROLLOUT_YAML) -> RolloutConfig:
    """Read the file; nothing in the environment overrides it, as `SCORER_<KEY>` belongs to the instances."""
    config = read(path, RolloutConfig)
    steps = config.canary.steps
    if steps[-1] != 100 or any(later <= earlier for earlier, later in pairwise(steps)):
        problem = f"{list(steps)} is no way to 100 percent"
        raise ConfigError(path, "canary.steps", problem, "let the steps rise, and end with 100")
    if config.canary.most_step_s < config.canary.step_s:
        problem = f"{config.canary.most_step_s:g} is less than step_s"
        raise ConfigError(path, "canary.most_step_s", problem, f"give at least {config.canary.step_s:g}")
    for index, part in enumerate(config.command):
        try:
            part.format(**dict.fromkeys(PLACEHOLDERS, ""))
        except (KeyError, IndexError, ValueError):
            known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
            problem = f"{part!r} has a placeholder that is not known"
            raise ConfigError(path, f"command[{index}]", problem, f"known are {known}") from None
    return config
