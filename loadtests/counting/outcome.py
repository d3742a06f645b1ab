"""What locust hands to the program that judges: one JSON document."""

import msgspec
from msgspec import Struct

from loadtests.capacity import Step
from loadtests.counting.ledger import Ledger


class Outcome(Struct, frozen=True, kw_only=True):
    """The outcome of a load.

    Attributes:
        ledger: of all processes.
        ended_s: seconds from the begin of the load to its end; 0 if it did not get there.
        steps: of a breakpoint.
    """

    ledger: Ledger
    ended_s: float
    steps: list[Step]

    def encode(self) -> bytes:
        """As JSON."""
        return msgspec.json.encode(self)


def decode(encoded: bytes) -> Outcome:
    """An outcome from JSON."""
    return msgspec.json.decode(encoded, type=Outcome)
