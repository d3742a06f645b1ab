"""The network in PyTorch: encodings, members and calibration in one module.

All members are trained and run at once: their weights are stacked, so one layer of all members is one batched product.
Comments give the shapes: B batch, M members, F encoded columns, H units. Leaves fitting to `train.fit`, and the part of
the graph that reads text to `train.network.onnx_graph`.

Everything is in doubles and random numbers come from scalar code, so that processors differ by some 1e-16, which
`train.rounding` removes: docs/decisions/0013-the-same-bytes-on-every-processor.md.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from configs.model import Encoding, Network
from train.rounding import mean_and_deviation

ACTIVATIONS = {"relu": torch.relu, "silu": functional.silu, "tanh": torch.tanh}


@dataclass(frozen=True)
class Layout:
    """The constants of the encoding, learned from the training part.

    Attributes:
        indicators: `(column, code)` of each 0/1 input for a category; code 0 is an unknown category.
        levels: `(column, value)` of each 0/1 input for a value of a whole-number column.
        missing: numeric columns with a 0/1 input for a missing value.
        linear: numeric columns used as numbers.
        mean: mean of each of `linear`, which also replaces a missing value.
        scale: standard deviation of each of `linear`.
        pieces: `(position in linear, lower edge, width)` of each piece of a piecewise-linear encoding.
        groups: `[F]`, the raw column of each encoded column.
    """

    indicators: list[tuple[int, int]]
    levels: list[tuple[int, float]]
    missing: list[int]
    linear: list[int]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    pieces: list[tuple[int, float, float]]
    groups: NDArray[np.int64]


def learn_encoding(
    codes: NDArray[np.int64],
    numbers: NDArray[np.float32],
    sizes: list[int],
    whole: list[bool],
    encoding: Encoding,
) -> Layout:
    """Learn the encoding from the training part.

    A value that the training part lacks gets no input: its weights would keep their random initial values.

    Args:
        codes: `[B, categorical]`, 0 for unknown.
        numbers: `[B, numeric]`, NaN for missing.
        sizes: the number of codes of each categorical column, without the unknown.
        whole: whether each numeric column holds whole numbers.
        encoding: how numbers are encoded.
    """
    seen = [set(codes[:, column].tolist()) for column in range(codes.shape[1])]
    indicators = [
        (column, code) for column, size in enumerate(sizes) for code in range(1, size + 1) if code in seen[column]
    ]
    levels: list[tuple[int, float]] = []
    linear: list[int] = []
    for column in range(numbers.shape[1]):
        values = np.unique(numbers[~np.isnan(numbers[:, column]), column])
        if whole[column] and 0 < len(values) <= encoding.levels_up_to:
            levels += [(column, float(value)) for value in values]
        elif len(values) > 1:
            linear.append(column)
    missing = np.flatnonzero(np.isnan(numbers).any(axis=0)).tolist()
    known = [numbers[~np.isnan(numbers[:, column]), column].astype(np.float64) for column in linear]
    mean, scale = np.array([mean_and_deviation(values) for values in known]).reshape(-1, 2).T
    pieces = [
        (place, lower, upper - lower)
        for place, values in enumerate(known if encoding.numbers == "piecewise_linear" else [])
        for lower, upper in pairwise(_edges(values, encoding.bins))
    ]
    first_number = codes.shape[1]
    groups = (
        [column for column, _ in indicators]
        + [first_number + column for column, _ in levels]
        + [first_number + column for column in missing]
        + [first_number + column for column in linear]
        + [first_number + linear[place] for place, _, _ in pieces]
    )
    return Layout(indicators, levels, missing, linear, mean, scale, pieces, np.array(groups, dtype=np.int64))


def _edges(values: NDArray[np.float64], bins: int) -> list[float]:
    """Ascending edges at quantiles, each a value of the table: `bins + 1`, or fewer if values repeat.

    >>> _edges(np.array([6.0, 12.0, 12.0, 12.0, 24.0]), 4)
    [6.0, 12.0, 24.0]
    """
    edges: list[float] = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1), method="inverted_cdf")).tolist()
    return edges


class CreditNetwork(nn.Module):
    """From codes and numbers to the calibrated probability of the event.

    Args:
        layout: the constants of the encoding.
        network: the shape of the members.
        base_rate: share of the event in the training part, the initial output.
    """

    indicator_columns: Tensor
    indicator_codes: Tensor
    level_columns: Tensor
    level_values: Tensor
    missing_columns: Tensor
    linear_columns: Tensor
    mean: Tensor
    scale: Tensor
    piece_columns: Tensor
    piece_lower: Tensor
    piece_width: Tensor
    groups: Tensor
    calibration: Tensor  # slope and intercept

    def __init__(self, layout: Layout, network: Network, base_rate: float) -> None:
        super().__init__()
        self.shape = network
        self.columns = int(layout.groups.max()) + 1
        whole, real = torch.int64, torch.float64
        self.register_buffer("indicator_columns", torch.tensor([c for c, _ in layout.indicators], dtype=whole))
        self.register_buffer("indicator_codes", torch.tensor([code for _, code in layout.indicators], dtype=whole))
        self.register_buffer("level_columns", torch.tensor([c for c, _ in layout.levels], dtype=whole))
        self.register_buffer("level_values", torch.tensor([value for _, value in layout.levels], dtype=real))
        self.register_buffer("missing_columns", torch.tensor(layout.missing, dtype=whole))
        self.register_buffer("linear_columns", torch.tensor(layout.linear, dtype=whole))
        self.register_buffer("mean", torch.tensor(layout.mean, dtype=real))
        self.register_buffer("scale", torch.tensor(layout.scale, dtype=real))
        self.register_buffer("piece_columns", torch.tensor([place for place, _, _ in layout.pieces], dtype=whole))
        self.register_buffer("piece_lower", torch.tensor([lower for _, lower, _ in layout.pieces], dtype=real))
        self.register_buffer("piece_width", torch.tensor([width for _, _, width in layout.pieces], dtype=real))
        self.register_buffer("groups", torch.tensor(layout.groups))
        self.register_buffer("calibration", torch.tensor([1.0, 0.0], dtype=real))
        members = network.members
        sizes = [len(layout.groups), *network.layers]
        # A row has about one nonzero input per column, so that is the fan-in of the first layer.
        fan_in = [self.columns, *network.layers[:-1]]
        self.weights = nn.ParameterList(
            nn.Parameter(torch.randn(members, size, units, dtype=real) * math.sqrt(2 / fan))
            for size, units, fan in zip(sizes[:-1], sizes[1:], fan_in, strict=False)
        )
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(members, 1, units, dtype=real)) for units in sizes[1:])
        spread = 0.3 / math.sqrt(sizes[-1]) if network.layers else 0.0
        self.out_weight = nn.Parameter(torch.randn(members, sizes[-1], 1, dtype=real) * spread)
        start = math.log(base_rate / (1 - base_rate))
        self.out_bias = nn.Parameter(torch.full((members, 1, 1), start, dtype=real))

    def encode(self, codes: Tensor, numbers: Tensor) -> Tensor:
        """Codes `[B, categorical]` int64 and numbers `[B, numeric]` to `[B, F]`; an unknown category gives zeros."""
        numbers = numbers.to(self.mean.dtype)
        parts = []
        if len(self.indicator_columns):
            parts.append((codes[:, self.indicator_columns] == self.indicator_codes).to(numbers.dtype))
        if len(self.level_columns):
            parts.append((numbers[:, self.level_columns] == self.level_values).to(numbers.dtype))
        if len(self.missing_columns):
            parts.append(torch.isnan(numbers[:, self.missing_columns]).to(numbers.dtype))
        if len(self.linear_columns):
            linear = numbers[:, self.linear_columns]
            linear = torch.where(torch.isnan(linear), self.mean, linear)
            parts.append((linear - self.mean) / self.scale)
            if len(self.piece_columns):
                position = (linear[:, self.piece_columns] - self.piece_lower) / self.piece_width
                parts.append(position.clamp(0.0, 1.0))
        return torch.cat(parts, dim=1)

    def member_logits(self, encoded: Tensor) -> Tensor:
        """From `[M, B, F]`, separate rows for each member, to the uncalibrated logits `[M, B]`."""
        hidden = encoded
        if self.training and self.shape.column_dropout:
            kept = torch.ones(*encoded.shape[:2], self.columns, dtype=encoded.dtype)
            hidden = hidden * _dropout(kept, self.shape.column_dropout)[:, :, self.groups]
        activation = ACTIVATIONS[self.shape.activation]
        for weight, bias in zip(self.weights, self.biases, strict=True):
            hidden = activation(torch.baddbmm(bias, hidden, weight))  # M B H
            if self.training and self.shape.dropout:
                hidden = _dropout(hidden, self.shape.dropout)
        return torch.baddbmm(self.out_bias, hidden, self.out_weight)[:, :, 0]

    def forward(self, codes: Tensor, numbers: Tensor) -> Tensor:
        """The calibrated probability of the event, `[B]`, float32."""
        encoded = self.encode(codes, numbers).expand(self.shape.members, -1, -1)
        logits = self.member_logits(encoded).mean(dim=0)
        return torch.sigmoid(self.calibration[0] * logits + self.calibration[1]).to(torch.float32)


def _dropout(values: Tensor, share: float) -> Tensor:
    """`values` with a `share` of them set to zero and the others raised to make up for it; same shape.

    As `functional.dropout` does, which takes its random numbers from MKL on Intel's processors, and elsewhere not.
    """
    kept = torch.rand(values.shape) >= share
    return values * kept.to(values.dtype).div_(1 - share)
