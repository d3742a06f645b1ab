"""One epoch of training as a record: read by what draws and logs learning curves, without PyTorch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Epoch:
    """The learning curves at one epoch: mean binary cross-entropy (nats) and accuracy at one half."""

    number: int
    training_loss: float
    training_accuracy: float
    validation_loss: float
    validation_accuracy: float
