"""Monotone features: signs of weights under which the probability can only rise, or fall, with a feature.

Every input of a number rises with it (`train.network.layout`), and so do the activations. So the output is monotone in
a feature if, along every path from its inputs, the product of the weights has the sign that the dataset file demands:
each hidden unit rises or falls with risk, half of them each, and its weights from monotone inputs, from units before it
and to the output have the signs that follow. Weights from other inputs are free, and what a unit bends differs between
rising and falling ones: the output may be convex in a feature as well as concave (Sill, 1998, "Monotonic networks").

A weight on the wrong side is set to zero after each step of the optimizer. The proof needs only the signs, so it
holds for every value, for any number of features at once, and in floating point: rounding is monotone too.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

SMALL_START = 0.1  # of the usual initial weights of monotone inputs: with all of them the ROC AUC was 0.02 lower
RISING = ("relu", "tanh")  # the activations that never fall; silu does, below -1.28


def weight_signs(directions: Tensor, layers: Sequence[int]) -> list[Tensor]:
    """The sign that each weight must have, `[inputs, units]` per layer, the output included; 0 where it is free.

    Args:
        directions: `[F]`, 1 where the probability must rise with the input, -1 where it must fall, 0 elsewhere.
        layers: units of each hidden layer.

    >>> [signs.tolist() for signs in weight_signs(torch.tensor([-1, 0]), [2])]
    [[[-1, 1], [0, 0]], [[1], [-1]]]
    """
    if not directions.any():
        return []
    found, before = [], directions
    for units in (*layers, 1):
        here = torch.ones(units, dtype=directions.dtype)
        here[1::2] = -1  # of the single output, none
        found.append(before[:, None] * here)
        before = here
    return found


@torch.no_grad()
def start(weights: Sequence[Tensor], signs: Sequence[Tensor]) -> None:
    """Give initial weights `[members, inputs, units]` their signs, and monotone inputs a small start."""
    for layer, (weight, sign) in enumerate(zip(weights, signs, strict=True)):
        signed = weight.abs() * sign * (SMALL_START if layer == 0 else 1.0)
        weight.copy_(torch.where(sign == 0, weight, signed))


@torch.no_grad()
def project(weights: Sequence[Tensor], signs: Sequence[Tensor]) -> None:
    """Set weights of the wrong sign to zero."""
    for weight, sign in zip(weights, signs, strict=True):
        weight.masked_fill_(weight * sign < 0, 0.0)


def violations(weights: Sequence[Tensor], signs: Sequence[Tensor]) -> int:
    """How many weights have the wrong sign."""
    return sum(int((weight * sign < 0).sum()) for weight, sign in zip(weights, signs, strict=True))
