"""Two weeks of records of a service, made in some seconds: for the README's pictures, and for looking at the page.

    python -m benchmarks.demo_records MODEL_FOLDER DIRECTORY [--rows 12000] [--seed 1]

Applicants are drawn from the table of the model's dataset file, more of them by day than by night. In the last two days
something moves: one number rises, and one category of an input takes over. Outcomes come after two days, as often as
the model expects them. The service's own log, profiler and store write everything; only the clock is set.
"""

import argparse
import contextlib
import csv
import datetime as dt
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from configs.dataset import Dataset
from configs.monitoring import Monitoring, read_monitoring
from models.application_ids import ApplicationIds
from models.artifact import Artifact
from monitoring.profiles import profiler
from monitoring.records import decision_log
from monitoring.records.audits import write_audits
from monitoring.records.decision_log import DecisionLog
from monitoring.records.lines import Row
from monitoring.records.log_keys import NO_KEYS
from monitoring.records.models_archive import keep_model
from monitoring.records.outcomes import Outcome, OutcomeStore

DAYS, DRIFTED_DAYS = 15, 1.5
OUTCOMES_AFTER = dt.timedelta(days=2)
MOST_OUTCOMES = 10_000  # kept at once
RISE = 1.8  # factor of the number that moves
TAKEN_OVER = 0.45  # share of applicants that get the category that takes over

Applicant = dict[str, Any]


class Clock(dt.datetime):
    """The time that the log writes beside a batch."""

    at = dt.datetime.now(dt.UTC)

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]  # noqa: ARG003 - always UTC here
        """Return the time that was set."""
        return Clock.at


def table(dataset: Dataset) -> list[Applicant]:
    """The rows of a CSV as applicants."""
    kinds = {"categorical": str, "integer": int, "number": float}
    with Path(dataset.source.path).open(encoding=dataset.source.encoding, newline="") as file:
        rows = list(csv.DictReader(file, delimiter=dataset.source.separator))
    return [{f.name: kinds[f.type](row[f.name]) if row[f.name] else None for f in dataset.features} for row in rows]


def hours(rows: int, until: dt.datetime, draw: np.random.Generator) -> list[tuple[dt.datetime, int]]:
    """The hours of all days with the number of their rows, of which the afternoon has the most."""
    starts = [until - dt.timedelta(hours=hour) for hour in range(DAYS * 24, 0, -1)]
    weights = np.array([1.3 - np.cos((start.hour - 3) / 24 * 2 * np.pi) for start in starts])
    return list(zip(starts, draw.poisson(rows * weights / weights.sum()).tolist(), strict=True))


def moved(dataset: Dataset, applicant: Applicant, draw: np.random.Generator) -> Applicant:
    """An applicant after the shift: of the last number with a wide range, and of the first categorical input."""
    inputs = [feature for feature in dataset.features if not feature.protected]
    number = max((f for f in inputs if f.type != "categorical"), key=lambda f: f.highest - f.lowest)
    category = next(f for f in inputs if f.type == "categorical")
    changed = dict(applicant)
    if changed[number.name] is not None:
        kind = int if number.type == "integer" else float
        changed[number.name] = kind(min(number.highest, changed[number.name] * RISE))
    if draw.random() < TAKEN_OVER:
        changed[category.name] = category.categories[0]
    return changed


def write(artifact: Artifact, settings: Monitoring, rows: int, seed: int, until: dt.datetime) -> int:
    """Write the records; return the number of rows."""
    directory, schema = Path(settings.directory), artifact.schema
    draw, applicants = np.random.default_rng(seed), table(schema.dataset)
    scorer, identifiers = artifact.encoded_scorer(), ApplicationIds()
    write_audits(directory, artifact.tag, schema.dataset.audit)
    keep_model(settings, artifact)
    decision_log.datetime = Clock  # type: ignore[attr-defined]
    log, written = DecisionLog.of(settings, NO_KEYS, begin=False), 0
    outcomes: list[Outcome] = []
    for start, number in hours(rows, until, draw):
        if not number:
            continue
        drawn = [applicants[place] for place in draw.integers(len(applicants), size=number)]
        if start > until - dt.timedelta(days=DRIFTED_DAYS):
            drawn = [moved(schema.dataset, applicant, draw) for applicant in drawn]
        batch = [msgspec.convert(applicant, schema.row) for applicant in drawn]
        identifiers.complete(batch)
        scored = scorer.score(batch)
        Clock.at = start + dt.timedelta(minutes=30)
        log.append(artifact.tag, [Row("http", p, d, row, "demo") for row, (p, d) in zip(batch, scored, strict=True)])
        written += number
        if (observed := start + OUTCOMES_AFTER) < until:
            happened = draw.random(number) < [probability for probability, _ in scored]
            ids: list[str] = [row.application_id for row in batch]  # type: ignore[attr-defined]
            outcomes += [Outcome(one, bool(event), observed) for one, event in zip(ids, happened, strict=True)]
    log.close()
    with contextlib.closing(OutcomeStore(settings, NO_KEYS)) as store:
        for first in range(0, len(outcomes), MOST_OUTCOMES):
            store.keep(outcomes[first : first + MOST_OUTCOMES])
    profiler.catch_up(directory, settings.window_s, settings.frame_rows, 300.0, NO_KEYS)
    return written


def main() -> int:
    """Write the records and print how many there are."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", type=Path, help="folder of the artifact")
    parser.add_argument("directory", type=Path, help="of the records; made if missing")
    parser.add_argument("--rows", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    settings = msgspec.structs.replace(read_monitoring(), directory=str(options.directory))
    until = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0)
    print(write(Artifact(options.model, retrain="make train"), settings, options.rows, options.seed, until))
    return 0


if __name__ == "__main__":
    sys.exit(main())
