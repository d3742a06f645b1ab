"""The service file: which model is served, and the limits within which it answers."""

import os
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from configs.source import read

SERVICE_YAML = Path(__file__).with_name("service.yaml")


class ServiceConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`configs/service.yaml`, where each key has its unit, range and reason."""

    model: Annotated[str, Meta(pattern=r"^[a-z0-9_]+(:[a-z0-9._-]+)?$")]
    workers: Annotated[int, Meta(ge=1, le=64)]
    max_batch_rows: Annotated[int, Meta(ge=2, le=65_536)]
    max_latency_ms: Annotated[int, Meta(ge=10, le=60_000)]
    max_rows: Annotated[int, Meta(ge=1, le=1_000_000)]
    max_body_bytes: Annotated[int, Meta(ge=1024, le=1 << 30)]
    timeout_s: Annotated[int, Meta(ge=1, le=600)]
    access_log: bool
    grpc_host: Annotated[str, Meta(min_length=1)]
    grpc_port: Annotated[int, Meta(ge=0, le=65_535)]
    grpc_grace_s: Annotated[int, Meta(ge=1, le=600)]
    grpc_certificate: str
    grpc_key: str
    grpc_client_ca: str


def read_service(path: Path = SERVICE_YAML) -> ServiceConfig:
    """Read the file, with `SCORER_MODEL`, `SCORER_WORKERS` … of the environment over it."""
    return read(path, ServiceConfig, os.environ)
