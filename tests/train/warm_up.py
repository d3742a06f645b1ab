"""What a training does once in a process, and takes a second for, and what a fork leaves out: see `tests.forks`."""

import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

from tests.train.small import UNDRAWN


def warm_up() -> None:
    """Have MLflow look through the installed packages, and Matplotlib through the fonts."""
    import mlflow
    from onnx import TensorProto, helper

    from train.evaluation import figures

    figures.png(figures.learning_curves([]))
    value = helper.make_tensor_value_info("value", TensorProto.FLOAT, [1])
    other = helper.make_tensor_value_info("other", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["value"], ["other"])], "graph", [value], [other])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.onnx.save_model(model, Path(folder) / "model", pip_requirements=["onnxruntime"])


def in_fork() -> None:
    """Where the environment is `UNDRAWN`, save a picture of one pixel in place of each figure, which is still made."""
    if os.environ.keys() & UNDRAWN.keys():
        from matplotlib.figure import Figure

        Figure.savefig = _one_pixel  # type: ignore[method-assign]


def _one_pixel(_figure: Any, file: Any, **_: Any) -> None:
    from PIL import Image

    Image.new("L", (1, 1)).save(file, "png")
