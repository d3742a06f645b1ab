"""Applicants as the tensors of tritonclient, over HTTP or gRPC, whose classes for them have the same names."""

from typing import Any

import numpy as np


def inputs(client_module: Any, applicants: list[dict[str, Any]], columns: bool = True, **options: Any) -> list[Any]:
    """An input for each feature, of shape `[n, 1]` or `[n]`; `options` go to `set_data_from_numpy`."""
    made = []
    shape = [len(applicants), 1] if columns else [len(applicants)]
    for name in applicants[0]:
        values = [applicant[name] for applicant in applicants]
        text = isinstance(values[0], str)
        whole = all(isinstance(value, int) for value in values)
        datatype = "BYTES" if text else "INT64" if whole else "FP64"
        tensor = client_module.InferInput(name, shape, datatype)
        kind = object if text else np.int64 if whole else np.float64
        tensor.set_data_from_numpy(np.array(values, dtype=kind).reshape(shape), **options)
        made.append(tensor)
    return made
