"""Our way to AdamW: the steps of PyTorch's class, without what that class imports."""

import subprocess
import sys

import torch

from train.network.adamw import AdamW

FIT = """
import sys, torch
from train.network.adamw import AdamW
weight = torch.ones(2, requires_grad=True)
(weight * weight).sum().backward()
AdamW([([weight], 0.1)]).step(0.01)
sys.exit("torch._dynamo" in sys.modules)
"""


def test_its_steps_are_those_of_the_class_to_the_last_bit():
    torch.manual_seed(1)
    start = [torch.randn(3, 5, dtype=torch.float64), torch.randn(5, dtype=torch.float64)]
    ours, theirs = ([tensor.clone().requires_grad_() for tensor in start] for _ in range(2))
    optimizer = AdamW([(ours[:1], 0.3), (ours[1:], 0.0)])
    groups = [{"params": theirs[:1], "weight_decay": 0.3}, {"params": theirs[1:], "weight_decay": 0.0}]
    reference = torch.optim.AdamW(groups, lr=1.0)
    for step in range(50):
        learning_rate = 0.1 / (1 + step)
        inputs = torch.randn(7, 3, dtype=torch.float64)
        for weight, bias in (ours, theirs):
            (inputs @ weight + bias).tanh().square().sum().backward()
        optimizer.step(learning_rate)
        for group in reference.param_groups:
            group["lr"] = learning_rate
        reference.step()
        reference.zero_grad()
        assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))
    assert not torch.equal(ours[0], start[0])


def test_it_imports_no_compiler():
    assert subprocess.run([sys.executable, "-c", FIT], check=False).returncode == 0
