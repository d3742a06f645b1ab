"""Usage reports of dependencies, all of them off: nothing here reports to anybody.

Owns the variables by which each library is told. They have to be set before it is imported: ONNX Runtime writes an id
of the device and asks for its collector's address as soon as that happens. Every process that imports one of them calls
`opt_out` first: `service.py`, the command lines, and the tests. The Makefile, the bento and the image set the same, and
`tests/test_usage_reports.py` compares them and watches what the processes do.
"""

from collections.abc import MutableMapping

OPT_OUTS = {
    "BENTOML_DO_NOT_TRACK": "True",
    "DO_NOT_TRACK": "true",  # what libraries without a name of their own agree on: MLflow reads it too
    "DVC_NO_ANALYTICS": "true",
    "ITERATIVE_DO_NOT_TRACK": "true",  # of DVC's own libraries
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "ORT_DISABLE_TELEMETRY": "1",
    "WHYLOGS_NO_ANALYTICS": "1",
}


def opt_out(environment: MutableMapping[str, str]) -> None:
    """Set the variables that are not set.

    >>> environment = {"DO_NOT_TRACK": "1"}
    >>> opt_out(environment)
    >>> environment["DO_NOT_TRACK"], environment["ORT_DISABLE_TELEMETRY"]
    ('1', '1')
    """
    for name, value in OPT_OUTS.items():
        environment.setdefault(name, value)
