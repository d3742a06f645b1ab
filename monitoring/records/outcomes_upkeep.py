"""Outcomes that are erased with their applicant, or deleted when they are old.

Owns when the store is opened for that, and how often the profiler's process does. Leaves deleting to outcomes.
"""

import logging
import time

from configs.monitoring import Monitoring
from monitoring.records.log_keys import LogKeys
from monitoring.records.outcomes_place import has_outcomes

HOUR_S = 3600.0  # seconds between two looks for what is old

_log = logging.getLogger(__name__)


def erase_outcomes(settings: Monitoring, keys: LogKeys, application_id: str) -> int:
    """Delete the outcome of an applicant; return how many there were.

    Raises:
        OSError: the database cannot be used.
    """
    if not has_outcomes(settings):
        return 0
    from monitoring.records.outcomes import OutcomeStore

    with OutcomeStore(settings, keys) as store:
        return store.erase(application_id)


def retain_outcomes(settings: Monitoring, keys: LogKeys) -> int:
    """Delete outcomes that came more than `retention_days` ago, none if 0; return how many.

    Raises:
        OSError: the database cannot be used.
    """
    if not settings.retention_days or not has_outcomes(settings):
        return 0
    from monitoring.records.outcomes import OutcomeStore

    with OutcomeStore(settings, keys) as store:
        return store.retain(settings.retention_days)


class OutcomesUpkeep:
    """What the profiler's process does for outcomes: once an hour it deletes what is old.

    Args:
        settings: where the store is, and what is old.
        keys: of the decision log.
    """

    def __init__(self, settings: Monitoring, keys: LogKeys) -> None:
        self._settings, self._keys = settings, keys
        self._next_s = 0.0

    def run(self) -> None:
        """Delete what is old, if an hour has passed; a database that cannot be used is logged."""
        if time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + HOUR_S
        try:
            if deleted := retain_outcomes(self._settings, self._keys):
                _log.info("retention deleted outcomes: %d", deleted)
        except OSError as error:
            _log.warning("retention of outcomes failed: %s", error)
