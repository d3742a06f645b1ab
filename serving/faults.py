"""The one ending for exceptions: from whatever was raised to the error that a caller sees.

Owns: which exception means what, and that an unforeseen one is logged under the id that its caller gets. Leaves to
others: how an error is sent (`serving.error_responses` for HTTP, `serving.v2.grpc_calls`).
"""

import logging
import uuid

from models.errors import Fault, Rejected, ScorerError

TOOK_TOO_LONG = "took too long"
logger = logging.getLogger("bentoml.scorer")  # below BentoML's, so that it is formatted like every other line


def error_from(exception: Exception, activity: str) -> ScorerError:
    """The error that a caller sees.

    Args:
        exception: what was raised.
        activity: what the service was doing, for the log; without personal data.
    """
    if isinstance(exception, ScorerError):
        return forget_frames(exception)
    if isinstance(exception, TimeoutError):
        return Rejected(504, TOOK_TOO_LONG)
    return fault(activity, exception)


def forget_frames(error: ScorerError) -> ScorerError:
    """The error without what led to it: its traceback holds frames, and these the body and all that was made of it.

    They would live as long as the answer takes to leave, and for ever where a frame holds the error itself.
    """
    error.__traceback__ = error.__context__ = error.__cause__ = None
    return error


def fault(activity: str, exception: Exception | None = None) -> Fault:
    """A new fault, logged with its id and, if there is one, the exception."""
    fault_id = uuid.uuid4().hex
    logger.error("fault %s while %s", fault_id, activity, exc_info=exception)
    return Fault(fault_id)
