"""What happens to applications and to their outcomes in each scenario.

Owns: who applies, what is sent, what comes true, and which findings that has to raise. Leaves to others: the applicants
(population), how far the scenario has come and when truth arrives (simulation), the findings themselves.

No scenario names a column: each finds its columns in the model's schema, so it runs on any dataset.
"""

from typing import NamedTuple, Protocol

import msgspec
import numpy as np

from configs.feature import Feature
from models.background import log_odds
from models.scorer import Scorer
from monitoring.simulation.applications import Application, draw, in_season, raised, rescaled, tilt
from monitoring.simulation.expectations import Expectation
from monitoring.simulation.population import Population
from monitoring.simulation.schedule import Name

LEAST_CHANGED = 0.9  # share of the applicants whose value a bug changes


class Scenario(Protocol):
    """A scenario over one population; `expects` says which findings it has to raise."""

    expects: Expectation

    def applications(self, rows: int, stage: float, generator: np.random.Generator) -> list[Application]:
        """Draw applications of one window; `stage` is 0 before the scenario begins and 1 at its height."""
        ...


def scenario(name: Name, found: Population, scorer: Scorer) -> Scenario:
    """Return the scenario of that name over a population; `scorer` is of the model that the service runs."""
    if name == "recession":
        return Recession(found)
    if name == "fraud_ring":
        return FraudRing(found)
    if name == "schema_bug":
        return SchemaBug(found, scorer)
    if name == "seasonal":
        return Seasonal(found)
    return Unchanged(found)


class Unchanged:
    """`none`: applicants like those of the reference, whose outcomes are as probable as the model says."""

    expects = Expectation()

    def __init__(self, found: Population) -> None:
        self._found = found

    def applications(self, rows: int, stage: float, generator: np.random.Generator) -> list[Application]:  # noqa: ARG002
        """Draw from the population as it is."""
        return draw(self._found, self._found.weights, rows, generator)


class Recession:
    """Riskier people apply, and fewer of them pay than people like them did: both inputs and concept drift.

    The population is tilted towards higher probabilities (exponentially in the log-odds),
    and the odds of the event rise beyond what the model says.
    """

    expects = Expectation(("drift", "concept"), ("performance",), columns=None)
    MORE_EVENTS = 1.8  # the mean probability at the height, as a multiple of the usual
    ODDS = 3.0  # at the height, as a multiple of the model's

    def __init__(self, found: Population) -> None:
        self._found = found

    def applications(self, rows: int, stage: float, generator: np.random.Generator) -> list[Application]:
        """Draw from the tilted population."""
        found, odds = self._found, log_odds(self._found.probabilities)
        usual = float(found.probabilities @ found.weights)
        wanted = min(usual * (1 + (self.MORE_EVENTS - 1) * stage), (1 + usual) / 2)
        tilted = tilt(found.weights, odds, found.probabilities, wanted) if stage else found.weights
        drawn = draw(found, tilted, rows, generator)
        return [one._replace(risk=raised(one.risk, self.ODDS**stage)) for one in drawn]


class FraudRing:
    """A third of the applications come from one hand: nearly alike, of little risk by the model, and most go bad."""

    expects = Expectation(("drift", "concept"), ("performance",), columns=None)
    SHARE = 1 / 3
    RISK = 0.9  # probability of the event for a member
    RANK = 0.1  # of the template's probability among the population's

    def __init__(self, found: Population) -> None:
        self._found = found
        place = int(np.argsort(found.probabilities)[int(self.RANK * len(found.probabilities))])
        self._template = found.applicants[place]
        self._varied = [feature.name for feature in found.features if feature.type != "categorical"][:2]

    def applications(self, rows: int, stage: float, generator: np.random.Generator) -> list[Application]:
        """Draw from the population, and replace some by members of the ring, who differ in two numbers."""
        drawn = draw(self._found, self._found.weights, rows, generator)
        for place in np.flatnonzero(generator.random(rows) < self.SHARE * stage):
            own = {name: value for name, value in drawn[place].applicant.items() if name in self._varied}
            drawn[place] = Application(self._template | own, self.RISK)
        return drawn


class SchemaBug:
    """One caller's release sends one number in another unit, and an optional field not at all; outcomes are as before.

    The number is the one whose change moves the model's probabilities least: the bug that only its drift gives away.
    """

    SHARE = 0.8  # of the applications come by this caller
    FACTOR = 0.5

    def __init__(self, found: Population, scorer: Scorer) -> None:
        self._found = found
        numbers = [feature for feature in found.features if feature.type != "categorical" and not feature.protected]
        moved = {feature.name: self._moved(feature, scorer) for feature in numbers}
        changing = [feature for feature in numbers if moved[feature.name].changed > LEAST_CHANGED] or numbers
        self.number = min(changing, key=lambda feature: moved[feature.name].probability, default=None)
        optional = [feature.name for feature in found.features if scorer.schema.optional(feature)]
        self.field = next(iter(optional), None)
        codes = (("drift",) if self.number else ()) + (("missing_values",) if self.field else ())
        changed = ((self.number.name,) if self.number else ()) + ((self.field,) if self.field else ())
        self.expects = Expectation(codes, columns=changed)

    def _moved(self, feature: Feature, scorer: Scorer) -> "Moved":
        """How much the change of one number does to a thousand applicants."""
        some = self._found.applicants[:1000]
        changed = [rescaled(applicant, feature, self.FACTOR) for applicant in some]
        rows = [msgspec.convert(applicant, scorer.schema.row) for applicant in changed]
        now = np.array([probability for probability, _ in scorer.score(rows)])
        difference = np.abs(now - self._found.probabilities[: len(some)]).mean()
        return Moved(sum(map(dict.__ne__, some, changed)) / len(some), float(difference))

    def applications(self, rows: int, stage: float, generator: np.random.Generator) -> list[Application]:
        """Draw from the population, and send what comes by this caller wrong."""
        drawn = draw(self._found, self._found.weights, rows, generator)
        for place in np.flatnonzero(generator.random(rows) < self.SHARE * stage):
            sent = drawn[place].applicant
            if self.number is not None:
                sent = rescaled(sent, self.number, self.FACTOR)
            sent = {name: value for name, value in sent.items() if name != self.field}
            drawn[place] = drawn[place]._replace(applicant=sent)
        return drawn


class Seasonal:
    """The mix of applicants changes with the season, in the commonest split of the largest vocabulary; nothing else.

    Outcomes are as probable as the model says, so inputs drift and the model stays as good as it was.
    """

    ODDS = 8.0  # of the categories in season at the height, as a multiple of the usual

    def __init__(self, found: Population) -> None:
        self._found = found
        categorical = [feature for feature in found.features if feature.type == "categorical" and not feature.protected]
        self.feature = max(categorical, key=lambda feature: len(feature.categories), default=found.features[0])
        values = [applicant.get(self.feature.name) for applicant in found.applicants]
        self._in_season = in_season(values, found.weights)
        self.expects = Expectation(("drift",), columns=(self.feature.name,))

    def applications(self, rows: int, stage: float, generator: np.random.Generator) -> list[Application]:
        """Draw with the odds of what is in season raised."""
        found = self._found
        weights = found.weights * np.where(self._in_season, self.ODDS**stage, 1.0)
        return draw(found, weights / weights.sum(), rows, generator)


class Moved(NamedTuple):
    """Of a changed number: the share of applicants whose value changes, and the mean change of the probability."""

    changed: float
    probability: float
