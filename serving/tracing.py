"""BentoML's configuration of OpenTelemetry: off, or spans sent to a collector."""

from typing import Any

from configs.service import ServiceConfig

EVERYTHING = ".*"
PROBES = "/livez,/readyz,/healthz,/metrics,/v2/health/"  # polled every few seconds, and never worth a trace


def tracing(settings: ServiceConfig) -> dict[str, Any]:
    """`tracing` of the service.

    BentoML's stack always has the middleware, which takes 20 us per request even when nothing is exported; it skips the
    excluded URLs. Spans hold route, status, caller and times, and no body.
    """
    if not settings.tracing_endpoint:
        return {"excluded_urls": EVERYTHING}
    return {
        "exporter_type": "otlp",
        "otlp": {"protocol": "http", "endpoint": settings.tracing_endpoint},
        "sample_rate": settings.tracing_sample_rate,
        "excluded_urls": PROBES,
    }
