"""The strength of interactions: the H statistic of Friedman and Popescu (2008), in log-odds.

"Predictive learning via rule ensembles", Annals of Applied Statistics 2 (3), section 8.1. With partial dependence
functions F that are centred over the applicants, `H² = Σ (F_jk - F_j - F_k)² / Σ F_jk²` for two columns, and
`Σ (F - F_j - F_rest)² / Σ F²` for one and all others together. H is 0 where the effects of log-odds add up. It is large
where a joint effect is small, too, of whatever it consists; so the strength, the root of the mean of the numerator, is
given beside it, as Inglis, Parnell and Hurley (2022, "Visualizing variable importance and variable interaction effects
in machine learning models") propose, and orders the interactions.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from train.evaluate import logit
from train.evaluation.substitution import Applicants
from train.validation.results import Interaction

PAIRED = 6  # columns with the strongest interactions, each pair of which is looked at
NOTHING = 1e-9  # log-odds²: a joint effect that small is none


def interactions(names: Sequence[str], applicants: Applicants) -> list[Interaction]:
    """Of each column with all others, then of pairs of those that have most of it, the strongest first.

    Scores `applicants²` rows for each of them.
    """
    whole = _centred(logit(applicants.scored()))
    alone: dict[str, NDArray[np.float64]] = {}
    with_others = []
    for name in names:
        joint = _joint(applicants, {name: applicants.feed[name]})
        alone[name], others = _centred(joint.mean(axis=0)), _centred(joint.mean(axis=1))
        with_others.append(_interaction((name,), whole, alone[name] + others))
    with_others.sort(key=lambda found: -found.strength)
    strongest = [found.features[0] for found in with_others[:PAIRED]]
    pairs = []
    for pair in combinations(strongest, 2):
        together = _joint(applicants, {name: applicants.feed[name] for name in pair}).mean(axis=0)
        pairs.append(_interaction(pair, _centred(together), alone[pair[0]] + alone[pair[1]]))
    return with_others + sorted(pairs, key=lambda found: -found.strength)


def _joint(applicants: Applicants, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Log-odds `[applicants, applicants]`: every applicant with these columns of every other."""
    return logit(applicants.having({name: column[:, 0] for name, column in columns.items()}))


def _interaction(features: tuple[str, ...], joint: NDArray[np.float64], added: NDArray[np.float64]) -> Interaction:
    """The statistic of a centred joint effect `[applicants]` against the sum of its parts."""
    rest, size = float(((joint - added) ** 2).mean()), float((joint**2).mean())
    return Interaction(features, float(np.sqrt(rest / size)) if size > NOTHING else 0.0, float(np.sqrt(rest)))


def _centred(values: NDArray[np.float64]) -> NDArray[np.float64]:
    centred: NDArray[np.float64] = values - values.mean()
    return centred
