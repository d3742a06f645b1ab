"""AdamW (Loshchilov and Hutter, 2019) by the function of that name in PyTorch, with a weight decay for each tensor.

Not by the class, whose first use imports the compiler of PyTorch: 1.6 s of processor time in every process that trains,
for something that is not used here. The steps are the same to the last bit.
"""

from collections.abc import Sequence

import torch
from torch.optim.adamw import adamw

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


class AdamW:
    """The optimizer of one training.

    Args:
        decays: the tensors to train, with their weight decay.
    """

    def __init__(self, decays: Sequence[tuple[Sequence[torch.Tensor], float]]) -> None:
        self._groups = [(list(tensors), decay, [_State(tensor) for tensor in tensors]) for tensors, decay in decays]

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Change every tensor by its gradient, and forget the gradient."""
        for tensors, decay, states in self._groups:
            adamw(
                tensors,
                [tensor.grad for tensor in tensors if tensor.grad is not None],
                [state.mean for state in states],
                [state.square for state in states],
                [],
                [state.step for state in states],
                foreach=False,
                amsgrad=False,
                beta1=BETA1,
                beta2=BETA2,
                lr=learning_rate,
                weight_decay=decay,
                eps=EPS,
                maximize=False,
            )
            for tensor in tensors:
                tensor.grad = None


class _State:
    """What is remembered of the gradients of a tensor: their mean, that of their squares, how many there were."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.mean, self.square = torch.zeros_like(tensor), torch.zeros_like(tensor)
        self.step = torch.tensor(0.0)
