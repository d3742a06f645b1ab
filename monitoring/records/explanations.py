"""The log of explanations: what callers of `/explain` were told about an applicant.

Owns: what is recorded of an explanation. Leaves to others: where it lies (segments), writing it (decision_log),
encryption, erasure and retention, which work on this log as on the decision log; what an explanation is
(`models.explanation`).

It is a directory of records of its own, `<directory>/explanations`, with segments of the same form: a row is an
explanation, its probability and decision are those explained, and its values are the id of the applicant and the
reasons. Nobody profiles it, and it is not archived: an explanation is rare, and 0.5 kB.
"""

from collections.abc import Sequence

from msgspec import Struct

from models.explanation import Explanation
from models.reasons import Reason
from monitoring.records.lines import Row


class Told(Struct, frozen=True, gc=False):
    """What is recorded of an explanation beside its probability, decision and caller.

    Attributes:
        application_id: of the applicant, as sent or made.
        reasons: as they were given; none for an approval.
    """

    application_id: str
    reasons: list[Reason]


def rows_of(explanations: Sequence[Explanation], protocol: str, caller: str, request_id: str) -> list[Row]:
    """Return the rows of the explanations that one request was given."""
    return [
        Row(protocol, one.probability, one.decision, Told(one.application_id, one.reasons), caller, request_id)
        for one in explanations
    ]
