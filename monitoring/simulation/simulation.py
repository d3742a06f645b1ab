"""A scenario from its first window to its last: traffic, delayed truth, and what is found after each window.

Owns: windows, delays, ids, the result. Leaves to others: who applies and what comes true (scenarios), the service
(service), records of simulated time (records), findings (findings).
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import numpy as np

from configs.dataset import RESERVED
from models.artifact import Artifact
from models.schema import Schema
from monitoring.findings.finding import Finding
from monitoring.findings.looking import look
from monitoring.records.lines import Row
from monitoring.records.log_keys import NO_KEYS
from monitoring.records.outcomes import Outcome
from monitoring.simulation.applications import Application
from monitoring.simulation.expectations import BLIND, DETECTORS
from monitoring.simulation.population import population
from monitoring.simulation.records import SimulatedRecords
from monitoring.simulation.scenarios import scenario
from monitoring.simulation.schedule import Name, begins, stage
from monitoring.simulation.service import Answer, Service

WINDOWS = 12  # hours
DELAY_WINDOWS = 1.0  # mean time from the end of a window to the truth of an application in it, beyond one window


class Fired(msgspec.Struct, frozen=True, rename={"begin": "from", "end": "until"}):
    """A finding that was not there before this window."""

    window: int
    begin: datetime
    end: datetime
    code: str
    subject: str
    message: str


class Window(msgspec.Struct, frozen=True, rename={"begin": "from", "end": "until"}):
    """One window: what was sent and what was found after it."""

    window: int
    begin: datetime
    end: datetime
    stage: float
    rows: int
    mean_probability: float
    outcomes: int
    findings: list[str]


class Simulation(msgspec.Struct, frozen=True):
    """The result.

    Attributes:
        scenario: its name.
        begins: the window in which the scenario begins; of `none`, none.
        fired: findings in the order in which they fired; one that ends and comes again is there twice.
        unexpected: codes that fired and have no business to, and `missing` those that should have.
    """

    scenario: str
    model: str
    seed: int
    begins: int | None
    windows: list[Window]
    fired: list[Fired]
    missing: list[str]
    unexpected: list[str]


class Delayed:
    """Truth on its way: outcomes by the window after which they are known."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator
        self._due: dict[int, list[tuple[str, bool]]] = defaultdict(list)

    def draw(self, window: int, answers: Sequence[Answer], applications: Sequence[Application]) -> None:
        """Draw what becomes of each application of a window, and when that is known."""
        delays = self._generator.poisson(DELAY_WINDOWS, len(answers))
        happens = self._generator.random(len(answers)) < [one.risk for one in applications]
        for answer, event, delay in zip(answers, happens.tolist(), delays.tolist(), strict=True):
            self._due[window + 1 + delay].append((answer.application_id, event))

    def known(self, window: int, now: datetime) -> list[Outcome]:
        """The outcomes that become known after a window, in another order than the applications came in."""
        due = self._due.pop(window, [])
        self._generator.shuffle(due)
        return [Outcome(name, event, now) for name, event in due]


def simulate(
    name: Name, rows: int, seed: int, service: Service, model: Artifact, records: SimulatedRecords, end: datetime
) -> Simulation:
    """Run a scenario.

    Args:
        name: of the scenario.
        rows: of all windows together.
        seed: of everything that is drawn.
        service: that scores, and is told the outcomes.
        model: that the service runs.
        records: of this simulation.
        end: of the last window, UTC, in the past.
    """
    generator = np.random.default_rng([seed, 1])  # the population has a generator of its own
    applicants = population(model, np.random.default_rng([seed, 0]))
    scene = scenario(name, applicants, model.encoded_scorer())
    length = timedelta(hours=1)
    truth = Delayed(generator)
    windows: list[Window] = []
    fired: list[Fired] = []
    before: set[tuple[str, str]] = set()
    for number in range(WINDOWS):
        begin = end - length * (WINDOWS - number)
        until = begin + length
        drawn = scene.applications(_share(rows, number), at := stage(name, number, WINDOWS), generator)
        identified(drawn, f"{name}-{seed}-{end:%Y%m%dT%H%M%S}-{number}")
        answers = service.predict([one.applicant for one in drawn])
        records.add(_rows(drawn, answers, model.schema), begin, length)
        truth.draw(number, answers, drawn)
        known = truth.known(number, until)
        service.feed_back(known)
        records.add_outcomes(known, until)
        found = [one for one in look(records.settings, NO_KEYS, until) if one.code in (*DETECTORS, BLIND)]
        fired += [_fired(number, begin, until, one) for one in found if one.identity not in before]
        before = {one.identity for one in found}
        mean = sum(answer.probability for answer in answers) / len(answers)
        labels = sorted(f"{one.code} {one.subject}" for one in found)
        windows.append(Window(number, begin, until, round(at, 3), len(drawn), mean, len(known), labels))
    codes = [(one.code, one.subject) for one in fired]
    start = None if name == "none" else begins(WINDOWS)
    early = [f"{one.code} {one.subject} before it began" for one in fired if start is not None and one.window < start]
    unexpected = scene.expects.unexpected(codes) + early
    return Simulation(name, model.tag, seed, start, windows, fired, scene.expects.missing(codes), unexpected)


def identified(drawn: Sequence[Application], prefix: str) -> None:
    """Give each applicant an id that begins with `prefix`."""
    for number, one in enumerate(drawn):
        one.applicant[RESERVED] = f"{prefix}-{number}"


def _share(rows: int, window: int) -> int:
    """The rows of one window, so that all together have `rows`."""
    return rows * (window + 1) // WINDOWS - rows * window // WINDOWS


def _rows(drawn: Sequence[Application], answers: Sequence[Answer], schema: Schema) -> list[Row]:
    """The answers as they are logged."""
    return [
        Row("http", answer.probability, answer.decision, msgspec.convert(one.applicant, schema.row), "simulation", "")
        for one, answer in zip(drawn, answers, strict=True)
    ]


def _fired(window: int, begin: datetime, end: datetime, found: Finding) -> Fired:
    return Fired(window, begin, end, found.code, found.subject, found.message)
