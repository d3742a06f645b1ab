"""Records of simulated time: the answers of the real service, as if they had been given hour by hour.

Owns: a folder of records of its own, which ends with the simulation. Leaves to others: the form of a line
(line_encoding), profiles (profiler), the store of outcomes (outcomes), findings.

The running service logs what it is sent under its own clock, within minutes. Findings are looked for in these records
instead: the same answers, an hour apart, so that a day of traffic and truth that is hours late take no day.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from configs.monitoring import Monitoring
from models.artifact import Artifact
from monitoring.profiles import profiler
from monitoring.records import private
from monitoring.records.audits import write_audits
from monitoring.records.line_encoding import NO_LINE, encode_line
from monitoring.records.lines import Batch, Row
from monitoring.records.models_archive import keep_model
from monitoring.records.outcomes import Outcome, OutcomeStore
from monitoring.records.segments import segment_path

BATCH_ROWS = 100


class SimulatedRecords:
    """Records in a folder that nobody else uses.

    Args:
        settings: the service's, of which all but the place is taken.
        directory: of these records.
        model: that answers.

    Attributes:
        settings: of these records, in plain and without a service's database.
    """

    def __init__(self, settings: Monitoring, directory: Path, model: Artifact) -> None:
        own = {"directory": str(directory), "models_archive": "models", "outcomes_url": ""}
        self.settings = msgspec.structs.replace(settings, **own)
        self._directory, self._model = directory, model
        keep_model(self.settings, model)
        write_audits(directory, model.tag, model.schema.dataset.audit)
        self._segment = segment_path(directory)
        private.make_folder(self._segment.parent)
        self._sequence, self._previous = 0, NO_LINE

    def add(self, rows: Sequence[Row], begin: datetime, length: timedelta) -> None:
        """Log rows evenly over a window, and profile it; applicants are structs of the model's schema."""
        with self._segment.open("ab") as file:
            for first in range(0, len(rows), BATCH_ROWS):
                time = begin + length * first / len(rows)
                batch = Batch(self._sequence, time, self._model.tag, rows[first : first + BATCH_ROWS])
                line, self._previous = encode_line(batch, self._previous)
                file.write(line)
                self._sequence += len(batch.rows)
        settings = self.settings
        profiler.catch_up(
            self._directory,
            settings.window_s,
            settings.frame_rows,
            least_window_rows=settings.least_window_rows,
        )

    def add_outcomes(self, outcomes: Sequence[Outcome], now: datetime) -> None:
        """Keep outcomes that become known at `now`."""
        store = OutcomeStore(self.settings)
        try:
            store.keep(outcomes, "simulation", now)
        finally:
            store.close()
