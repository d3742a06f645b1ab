"""What a training does once in a process, and takes a second for: see `tests.forks`."""

import tempfile
import warnings
from pathlib import Path


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
