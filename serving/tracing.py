"""BentoML's configuration of OpenTelemetry: off, or spans sent to a collector."""

from typing import Any

from configs.service import ServiceConfig

EVERYTHING = ".*"
PROBES = "/livez,/readyz,/healthz,/metrics,/v2/health/"  # asked every few seconds, and nobody wonders where they went


def tracing(settings: ServiceConfig) -> dict[str, Any]:
    """`tracing` of the service.

    BentoML always has the middleware in its stack, and it takes 20 us a request even when nothing is exported; it steps
    aside for what it is told to exclude. Spans hold route, status, caller and times, and no body.
    """
    if not settings.tracing_endpoint:
        return {"excluded_urls": EVERYTHING}
    return {
        "exporter_type": "otlp",
        "otlp": {"protocol": "http", "endpoint": settings.tracing_endpoint},
        "sample_rate": settings.tracing_sample_rate,
        "excluded_urls": PROBES,
    }
