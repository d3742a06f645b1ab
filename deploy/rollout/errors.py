"""How a rollout ends when it does not succeed.

RolloutError               exit code 1: nothing was changed, or what was begun has been undone
  InstanceError            a new instance did not start, or failed the health gate
  HAProxyNotRunningError   nothing answers on the runtime socket
Breach                     exit code 3: the canary broke an objective, or somebody asked for it back
"""


class RolloutError(Exception):
    """A command could not do its work; the message has the remedy."""


class InstanceError(RolloutError):
    """A new instance did not start, or failed the health gate."""


class HAProxyNotRunningError(RolloutError):
    """Nothing answers on HAProxy's runtime socket."""

    def __init__(self) -> None:
        super().__init__("HAProxy is not running; start it with: python -m deploy up")


class Breach(Exception):  # noqa: N818 - of an objective; it ends a rollout and is no error of this program
    """A reason to roll back.

    Args:
        objective: what was broken, a key of `objectives` in configs/rollout.yaml or a word of its own.
        figures: the figures, for people.
    """

    def __init__(self, objective: str, figures: str) -> None:
        self.objective, self.figures = objective, figures
        super().__init__(f"{objective}: {figures}")
