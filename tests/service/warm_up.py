"""What a service does once in a process, and takes a second for, and what is left of it to do in a fork: `tests.forks`.

`service.py` itself reads the settings when it is imported, so each fork imports it anew.
"""

import ast
import importlib
import logging
import os
import sys

from tests.forks import ROOT

# What BentoML, uvicorn and our own modules import when they need it.
LATER = (
    *("circus.arbiter", "zmq", "uvicorn", "uvicorn.protocols.http.httptools_impl", "uvicorn.lifespan.on", "uvloop"),
    *("monitoring.profiles.profiler", "monitoring.records.id_indexing", "bentoml._internal.utils.circus"),
    *("_bentoml_impl.server.serving", "_bentoml_impl.server.app", "_bentoml_impl.loader", "bentoml.serving"),
)
CONFIGURATION = ("BENTOML_CONFIG", "BENTOML_CONFIG_OPTIONS", "BENTOML_CONFIG_OVERRIDES")


def warm_up() -> None:
    """Import what the service imports, in the order in which it does."""
    for node in ast.walk(ast.parse((ROOT / "service.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            importlib.import_module(node.module)
    for name in LATER:
        importlib.import_module(name)


def in_fork() -> None:
    """Let BentoML, circus and prometheus_client be as if they had just been imported in this environment."""
    from bentoml._internal.configuration import load_config
    from bentoml._internal.configuration.containers import BentoMLContainer
    from prometheus_client import values
    from simple_di.providers import SingletonFactory, sentinel

    for provider in vars(type(BentoMLContainer)).values():
        if isinstance(provider, SingletonFactory):
            provider._cache = sentinel
    values.ValueClass = values.get_value_class()  # files that workers share where the environment names their folder
    logging.root.handlers.clear()
    sys.modules.pop("circus", None)  # which adds a handler to the root logger when it is imported
    if any(name in os.environ for name in CONFIGURATION):
        load_config()
