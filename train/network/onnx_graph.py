"""The ONNX graph: from the raw record to the calibrated probability.

LabelEncoders at the front turn text into codes; the network behind them is exported from PyTorch. Behind the front
everything is double precision. The kernels for one row and for many sum in different orders, so in single precision the
last bit of a row would depend on its batch; in doubles that difference is far below the precision of the float32
output, which therefore does not depend on the other rows of the batch.
"""

import io
import warnings
from typing import Any

import onnx
import torch
from onnx import TensorProto, helper

from models.encoding import UNKNOWN, category_to_code
from models.schema import Schema
from train.network.credit_network import CreditNetwork
from train.network.fused import FusedNetwork

OPSET, ML_OPSET, IR_VERSION = 20, 4, 10  # pinned for both halves, so that they can be joined


def build_graphs(schema: Schema, network: CreditNetwork) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """The whole graph, and the network alone; the same schema and weights give the same bytes."""
    encoded = _export(network, len(schema.categorical), len(schema.numeric))
    prefix = _free_prefix([feature.name for feature in schema.inputs])
    core = onnx.compose.add_prefix(encoded, prefix, rename_outputs=False)
    used = {value.name.removeprefix(prefix) for value in core.graph.input}
    front = _front(schema, used, prefix)
    raw = onnx.compose.merge_models(
        front, core, io_map=[(value.name, value.name.replace("raw_", "", 1)) for value in front.graph.output]
    )
    for model in (raw, encoded):
        _strip(model)
        _name_shapes(model)
        onnx.checker.check_model(model, full_check=True)
    return raw, encoded


def build_graph(schema: Schema, network: CreditNetwork) -> onnx.ModelProto:
    """The whole graph."""
    return build_graphs(schema, network)[0]


def _free_prefix(names: list[str]) -> str:
    """A prefix for all names inside the graph; no feature's name starts with it.

    >>> _free_prefix(["age", "network.weights"])
    '_network.'
    """
    prefix = "network."
    while any(name.startswith(prefix) for name in names):
        prefix = f"_{prefix}"
    return prefix


def _front(schema: Schema, used: set[str], prefix: str) -> onnx.ModelProto:
    """The front: from raw columns to `raw_codes` and `raw_numbers`, as far as the network uses them."""
    inputs, nodes, outputs = [], [], []
    for feature in schema.inputs:
        kind = TensorProto.STRING if feature.type == "categorical" else TensorProto.FLOAT
        inputs.append(helper.make_tensor_value_info(feature.name, kind, ["batch", 1]))
    for index, feature in enumerate(schema.categorical):
        codes = category_to_code(feature)
        nodes.append(
            helper.make_node(
                "LabelEncoder",
                [feature.name],
                [f"{prefix}code_{index}"],
                domain="ai.onnx.ml",
                keys_strings=list(codes),
                values_int64s=list(codes.values()),
                default_int64=UNKNOWN,
            )
        )
    if "codes" in used:
        parts = [f"{prefix}code_{index}" for index in range(len(schema.categorical))]
        nodes.append(helper.make_node("Concat", parts, [f"{prefix}raw_codes"], axis=1))
        outputs.append(helper.make_tensor_value_info(f"{prefix}raw_codes", TensorProto.INT64, ["batch", len(parts)]))
    if "numbers" in used:
        parts = [feature.name for feature in schema.numeric]
        nodes.append(helper.make_node("Concat", parts, [f"{prefix}raw_numbers"], axis=1))
        outputs.append(helper.make_tensor_value_info(f"{prefix}raw_numbers", TensorProto.FLOAT, ["batch", len(parts)]))
    graph = helper.make_graph(nodes, "front", inputs, outputs)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)


def _export(network: CreditNetwork, categorical: int, numeric: int) -> onnx.ModelProto:
    """The network in double precision as ONNX, with only the inputs that it uses."""
    rows = 2  # the exporter would take a batch of one for a constant
    example = (torch.zeros(rows, categorical, dtype=torch.int64), torch.zeros(rows, numeric, dtype=torch.float32))
    written: Any = io.BytesIO()  # the exporter's type stub does not allow files
    # The tracing exporter takes 1 s, the newer one 17 s for as many nodes. It is deprecated, but PyTorch is pinned, and
    # `train.export` verifies every graph against PyTorch.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            FusedNetwork(network),
            example,
            written,
            dynamo=False,
            opset_version=OPSET,
            input_names=["codes", "numbers"],
            output_names=["probability"],
            dynamic_axes={"codes": {0: "batch"}, "numbers": {0: "batch"}, "probability": {0: "batch"}},
        )
    model = onnx.load_from_string(written.getvalue())
    if (version := next(opset.version for opset in model.opset_import if opset.domain == "")) != OPSET:
        raise RuntimeError(f"the ONNX exporter gave opset {version} instead of {OPSET}")
    model.ir_version = IR_VERSION
    read = {name for node in model.graph.node for name in node.input}
    for value in [value for value in model.graph.input if value.name not in read]:
        model.graph.input.remove(value)  # if the table has no text, or no numbers
    return model


def _strip(model: onnx.ModelProto) -> None:
    """Remove everything but the computation: the exporter adds paths and stack traces of this machine."""
    model.producer_name, model.producer_version, model.doc_string = "credit-scorer", "", ""
    del model.metadata_props[:]
    model.graph.name, model.graph.doc_string = "credit_scorer", ""
    del model.graph.metadata_props[:]
    del model.graph.value_info[:]
    for item in (*model.graph.node, *model.graph.input, *model.graph.output, *model.graph.initializer):
        item.doc_string = ""
        del item.metadata_props[:]
    for node in model.graph.node:
        node.name = ""


def _name_shapes(model: onnx.ModelProto) -> None:
    """Name the first axis of every input and output `batch`."""
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].Clear()
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
