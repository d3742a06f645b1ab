"""Rows on their way through the service: what waits to be scored, and what comes back.

Owns the two types that every protocol, the batcher, the scoring pipeline and the metrics share.
"""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from models.errors import ScorerError
from models.prediction import Prediction
from serving.calls import Call

Results = Sequence[Prediction | ScorerError]  # of a batch or of a request: one for each row, in order


class PendingRow(Struct, frozen=True, gc=False):
    """A valid applicant on the way to a batch.

    Attributes:
        applicant: a row of the schema, with its `application_id`.
        call: the request that brought it, one value for all its rows.
        at_s: when it was submitted, by `time.perf_counter`.
    """

    applicant: Struct
    call: Call
    at_s: float


class Receiver(Protocol):
    """Takes the results of one request: an `asyncio.Future`, or whatever answers without another turn of the loop."""

    def cancelled(self) -> bool:
        """Whether nobody wants the results any more."""

    def set_result(self, results: Results, /) -> None:
        """Take them; raises nothing, as others of the batch come next."""


def first_error(results: Results) -> ScorerError | None:
    """The first error among `results`: a request gets all of its predictions, or one error.

    It is returned, not raised: all rows of a batch share one instance, and each `raise` would add to its traceback.
    """
    for result in results:
        if isinstance(result, ScorerError):
            return result
    return None
