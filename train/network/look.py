"""One look at a network in training, as a record: read by what draws and logs learning curves, without PyTorch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Look:
    """The learning curves after one step: mean binary cross-entropy (nats) and accuracy at one half."""

    step: int
    training_loss: float
    training_accuracy: float
    validation_loss: float
    validation_accuracy: float
