"""What a validator is shown of a model that never was."""

from train.evaluation.estimate import Estimate
from train.validation.results import (
    Behaviour,
    Decile,
    Effect,
    Interaction,
    Outcomes,
    Seed,
    Segment,
    Sensitivity,
    Stability,
    Zone,
)

TENTH, HALF = Estimate(0.1, 0.05, 0.2), Estimate(0.5, 0.4, 0.6)
OUTCOMES = Outcomes(
    deciles=[Decile(0.3, 0.9, 20, 10, 0.55, HALF, 1.6667, 0.8333), Decile(0.01, 0.29, 20, 2, 0.11, TENTH, 0.3333, 1.0)],
    zones=[Zone("approved", 20, 2, 0.11, TENTH), Zone("near the threshold", 0, 0, None, None)],
    segments=[
        Segment("sex", "women", 20, 10, 0.4, 0.45, HALF, None, 0.6),
        Segment("purpose", "car", 30, 3, 0.9, 0.3, TENTH, Estimate(0.7, 0.6, 0.8), 0.2),
    ],
)
BEHAVIOUR = Behaviour(
    effects=[
        Effect(
            "income",
            [1.0, 2.0, 9.0],
            [0.5, 0.4, 0.1],
            [[0.6, 0.5, 0.2], [0.4, 0.3, 0.0]],
            [2.0, 7.0],
            [0.9, 0.1],
            0.3,
            "EUR",
        ),
        Effect("housing", ["own", ""], [0.2, 0.3], [[0.1, 0.3]], ["own", ""], [0.8, 0.2]),
    ],
    interactions=[Interaction(("income",), 0.2, 0.3), Interaction(("income", "housing"), 0.1, 0.05)],
    sensitivities=[Sensitivity("housing", "another category", 0.125, 0.05, 0.2, 0.25)],
)
STABILITY = Stability(
    model_sha256="",
    settings="",
    rows=800,
    folds=5,
    seeds=[Seed(0, 0.8, 0.52, 0.4), Seed(1, 0.79, 0.54, 0.38)],
    flips=0.02,
    undecided=0.05,
    deviation=0.011,
    declined=100,
    reasons_kept=0.85,
    first_reason_kept=0.93,
)
