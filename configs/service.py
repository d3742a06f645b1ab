"""The service file: which model is served, and within which limits."""

import os
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from configs.source import read

SERVICE_YAML = Path(__file__).with_name("service.yaml")
RENAMED = {
    "lane": "fast_path",
    "max_latency_ms": "max_queue_ms",
    "grpc_grace_s": "grace_s",
}  # still read under the old names for one version
HOST_NAME = r"([A-Za-z0-9_-][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])"  # an IPv6 address in brackets
HOST_NAMES = rf"^({HOST_NAME}(, *{HOST_NAME})*)?$"
ORIGIN = rf"https?://{HOST_NAME}(:[0-9]+)?"
ORIGINS = rf"^({ORIGIN}(, *{ORIGIN})*)?$"
LOOPBACK, EVERYWHERE = "127.0.0.1", "0.0.0.0"  # noqa: S104 - chosen by `host` alone


class ServiceConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`configs/service.yaml`, where each key has its unit, range and reason."""

    model: Annotated[str, Meta(pattern=r"^[a-z0-9_]+(:[a-z0-9._-]+)?$")]
    model_signed_by: str
    workers: Annotated[int, Meta(ge=1, le=64)]
    max_batch_rows: Annotated[int, Meta(ge=2, le=65_536)]
    max_queue_ms: Annotated[int, Meta(ge=10, le=60_000)]
    max_rows: Annotated[int, Meta(ge=1, le=1_000_000)]
    max_explained_rows: Annotated[int, Meta(ge=1, le=10_000)]
    max_body_bytes: Annotated[int, Meta(ge=1024, le=1 << 30)]
    timeout_s: Annotated[int, Meta(ge=1, le=600)]
    keep_alive_s: Annotated[int, Meta(ge=1, le=86_400)]
    grace_s: Annotated[int, Meta(ge=1, le=600)]
    max_connections_per_address: Annotated[int, Meta(ge=0, le=1_000_000)]
    fast_path: bool
    access_log: bool
    bentoml_metrics: bool
    keys_file: str
    keys_without_tls: bool
    open_to_network: bool
    allowed_hosts: Annotated[str, Meta(pattern=HOST_NAMES)]
    allowed_origins: Annotated[str, Meta(pattern=ORIGINS)]
    log_format: Literal["text", "json"]
    tracing_endpoint: Annotated[str, Meta(pattern=r"^(https?://\S+)?$")]
    tracing_sample_rate: Annotated[float, Meta(ge=0, le=1)]
    grpc_host: str
    grpc_port: Annotated[int, Meta(ge=0, le=65_535)]
    grpc_certificate: str
    grpc_key: str
    grpc_client_ca: str

    @property
    def uses_fast_path(self) -> bool:
        """Whether `POST /predict` may skip BentoML's middleware: only if nothing in it needs the request."""
        return self.fast_path and not (self.bentoml_metrics or self.access_log or self.tracing_endpoint)

    @property
    def host(self) -> str:
        """The default address to listen on: loopback, unless callers need keys or `open_to_network` is set."""
        return EVERYWHERE if self.keys_file or self.open_to_network else LOOPBACK

    @property
    def hosts(self) -> tuple[str, ...]:
        """What `Host` may name, beside loopback."""
        return _listed(self.allowed_hosts)

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins whose pages may call, beside the service's own."""
        return _listed(self.allowed_origins)

    @property
    def grpc_address(self) -> str:
        """The address to listen on for gRPC; `serving.listening` sets it to that of HTTP where none is given."""
        return self.grpc_host or self.host


def read_service(path: Path = SERVICE_YAML) -> ServiceConfig:
    """Read the file; `SCORER_MODEL`, `SCORER_WORKERS` … in the environment override it."""
    return read(path, ServiceConfig, os.environ, RENAMED)


def _listed(text: str) -> tuple[str, ...]:
    """The parts of a text that commas separate.

    >>> _listed("a.example, b.example"), _listed("")
    (('a.example', 'b.example'), ())
    """
    return tuple(part.strip() for part in text.split(",") if part.strip())
