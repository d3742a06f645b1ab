"""BentoML's access log and metrics as this project changes them; fails where BentoML looks them up otherwise."""

import subprocess
import sys

from tests.conftest import ROOT

# In a process of its own, as the classes are BentoML's for all.
BUILT = """
import bentoml
from serving.http.bentoml_observers import observe

observe(["/model", "/v2/models/{model}"], "loans", "1f")

@bentoml.service(logging={"access": {"enabled": True}}, metrics={"enabled": True})
class Scorer:
    @bentoml.api
    def predict(self) -> str:
        return ""

from _bentoml_impl.server.app import ServiceAppFactory

Scorer.inject_config()
classes = [middleware.cls for middleware in ServiceAppFactory(Scorer, enable_metrics=True).middlewares]
for made in classes:
    print(made.__name__)
paths = ("/model", "/v2/models/loans", "/v2/models/x", "/predict", "/static_content/a", "/x")
print([classes[0].route_of(path) for path in paths])
"""


def test_bentoml_takes_the_access_log_that_quotes_and_the_metrics_that_know_routes_alone():
    done = subprocess.run(
        [sys.executable, "-c", BUILT], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    *names, labels = done.stdout.splitlines()
    assert "QuotingAccessLogMiddleware" in names
    assert "RouteMetricsMiddleware" in names
    assert labels == "['/model', '/v2/models/loans', 'other', '/predict', '/static_content', 'other']"
